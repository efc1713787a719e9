"""Textured backgrounds of the scenes, called grounds."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from pipeline.datasets.shapes.textures import (
    Field,
    colour,
    from_bytes,
    grain,
    mix,
    step,
    to_bytes,
    toward,
    value_noise,
    wave,
)

Painter = Callable[[np.random.Generator, int], Field]


def _axes(rng: np.random.Generator, side: int, tilt: float) -> tuple[Field, Field]:
    """Return x and y as (side, side) fields over 0..1, turned by up to `tilt` radians."""
    line = np.linspace(0.0, 1.0, side, dtype=np.float32)
    angle = rng.uniform(-tilt, tilt)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = line[None, :], line[:, None]
    return cos * x + sin * y, cos * y - sin * x


def _tones(
    rng: np.random.Generator, hue: tuple[float, float], sat: tuple[float, float], value: float
) -> tuple[Field, Field]:
    """Draw a dark and a light tone of one hue; `value` is the middle brightness."""
    tint, depth = rng.uniform(*hue), rng.uniform(*sat)
    middle = value + rng.uniform(-0.08, 0.08)
    return colour(tint, depth, middle - 0.17), colour(tint + 0.02, 0.8 * depth, middle + 0.17)


def _grass(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.22, 0.33), (0.45, 0.7), 0.45)
    blades = value_noise(rng, (side, side), (9.0, 2.5))
    lumps = value_noise(rng, (side, side), (30.0, 30.0))
    return mix(dark, light, 0.5 * blades + 0.35 * lumps + 0.15 * grain(rng, (side, side)))


def _sand(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.09, 0.13), (0.25, 0.45), 0.72)
    x, y = _axes(rng, side, 0.7)
    lumps = value_noise(rng, (side, side), (24.0, 24.0))
    ripples = wave(rng.uniform(5.0, 9.0) * y + 1.2 * lumps + 0.5 * x)
    return mix(dark, light, 0.35 * ripples + 0.3 * lumps + 0.35 * grain(rng, (side, side)))


def _water(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.48, 0.62), (0.35, 0.65), 0.52)
    swell = value_noise(rng, (side, side), (7.0, 40.0))
    chop = value_noise(rng, (side, side), (3.5, 12.0))
    glints = step(chop * swell, 0.48, 0.15)
    return mix(dark, light, 0.45 * swell + 0.4 * chop) + 0.2 * glints


def _brick(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.0, 0.06), (0.4, 0.65), 0.52)
    x, y = _axes(rng, side, 0.12)
    rows = rng.uniform(7.0, 11.0) * (y + 1.0)
    course = np.floor(rows)
    across = rng.uniform(3.0, 5.0) * (x + 1.0) + 0.5 * (course % 2)
    tone = rng.random((40, 40), dtype=np.float32)
    brick = tone[course.astype(int) % 40, np.floor(across).astype(int) % 40]
    joint = step(wave(rows), 0.06, 0.1) * step(wave(across), 0.02, 0.04)
    face = mix(dark, light, 0.6 * brick + 0.4 * grain(rng, (side, side)))
    mortar = colour(0.1, 0.1, rng.uniform(0.55, 0.8))
    return toward(face, mortar, 1.0 - joint)


def _sky(rng: np.random.Generator, side: int) -> Field:
    tint, depth = rng.uniform(0.54, 0.62), rng.uniform(0.25, 0.6)
    y = np.linspace(0.0, 1.0, side, dtype=np.float32)[:, None]
    wide, puff, fine = (value_noise(rng, (side, side), (h, 1.6 * h)) for h in (26.0, 12.0, 6.0))
    cloud = step(0.5 * wide + 0.3 * puff + 0.2 * fine, rng.uniform(0.45, 0.75), 0.4)
    blue = mix(colour(tint, depth, 0.72), colour(tint, 0.5 * depth, 0.9), y)
    return toward(blue, colour(0.6, 0.03, 0.95), 0.8 * cloud)


def _wood(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.05, 0.1), (0.35, 0.6), 0.5)
    x, y = _axes(rng, side, 0.5)
    boards = rng.uniform(3.5, 6.0) * (y + 1.0)
    tone = rng.random(40, dtype=np.float32)[np.floor(boards).astype(int) % 40]
    fibre = wave(14.0 * y + 1.5 * value_noise(rng, (side, side), (12.0, 40.0)) + 0.6 * x)
    seam = step(wave(boards), 0.03, 0.06)
    field = 0.4 * tone + 0.3 * fibre + 0.3 * grain(rng, (side, side))
    return mix(dark, light, field) * (0.5 + 0.5 * seam)


def _carpet(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.0, 1.0), (0.15, 0.4), 0.48)
    x, y = _axes(rng, side, 0.8)
    count = rng.uniform(3.0, 6.0)
    motif = step(wave(count * x) * wave(count * y), rng.uniform(0.2, 0.4), 0.15)
    weave = wave(30.0 * x) * wave(30.0 * y)
    return mix(dark, light, 0.45 * motif + 0.25 * weave + 0.3 * grain(rng, (side, side)))


def _leaves(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.04, 0.12), (0.4, 0.65), 0.38)
    picture = Image.fromarray(
        to_bytes(mix(dark, light, value_noise(rng, (side, side), (6.0, 6.0))))
    )
    pen = ImageDraw.Draw(picture)
    for x, y, length, angle, tone in rng.random((55, 5)).tolist():
        half = side * (0.03 + 0.04 * length)
        dx, dy = half * np.cos(6.283 * angle), half * np.sin(6.283 * angle)
        fill = tuple((255.0 * (dark + tone * (light - dark))).astype(int).tolist())
        cx, cy = x * side, y * side
        pen.polygon([(cx - dx, cy - dy), (cx + dy / 2, cy - dx / 2), (cx + dx, cy + dy),
                     (cx - dy / 2, cy + dx / 2)], fill=fill)  # fmt: skip
    return from_bytes(np.asarray(picture))


def _rails(rng: np.random.Generator, side: int) -> Field:
    dark, light = _tones(rng, (0.05, 0.12), (0.06, 0.2), 0.48)
    x, y = _axes(rng, side, 0.1)
    stones = value_noise(rng, (side, side), (3.0, 3.5))
    gravel = mix(dark, light, 0.6 * stones + 0.4 * grain(rng, (side, side)))
    tracks = rng.uniform(1.6, 2.6) * y + rng.random()
    inside = step(wave(tracks), 0.3, 0.1)
    sleeper = inside * step(wave(rng.uniform(7.0, 10.0) * x), 0.55, 0.2)
    rail = step(wave(2.0 * wave(tracks) + 0.2), 0.9, 0.1) * inside
    tied = toward(gravel, colour(0.06, 0.35, 0.25), 0.75 * sleeper)
    return toward(tied, colour(0.6, 0.08, 0.72), 0.85 * rail)


GROUNDS: dict[str, Painter] = {
    "grass": _grass, "sand": _sand, "brick": _brick, "wood": _wood, "carpet": _carpet,
    "leaves": _leaves, "water": _water, "rails": _rails, "sky": _sky,
}  # fmt: skip


def paint_ground(rng: np.random.Generator, name: str, side: int) -> Field:
    """Paint one ground.

    Args:
        rng: source of its palette and texture.
        name: a key of `GROUNDS`.
        side: pixels along each side.

    Returns:
        Picture (3, side, side), float32, about 0..1.
    """
    return GROUNDS[name](rng, side)
