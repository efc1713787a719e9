"""Textures of the synthetic scenes.

A field is a float32 array of shape (H, W) in 0..1; a picture is (3, H, W), channels first so that
fields broadcast over it. Waves are built from floor, product and sum only, never from sine, which
rounds differently from machine to machine.
"""

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
Pattern = Callable[[Field, Field, Field], Field]


def value_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]
) -> Field:
    """Draw smooth random noise.

    Args:
        rng: source of the lattice values.
        shape: rows and columns of the result.
        cell: height and width of one noise lump, in pixels.

    Returns:
        Field of `shape`.
    """
    rows, cols = (max(2, round(side / lump) + 1) for side, lump in zip(shape, cell, strict=True))
    lattice = Image.fromarray(rng.random((rows, cols), dtype=np.float32))
    grown = lattice.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(grown, np.float32), 0.0, 1.0)


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Draw independent noise per pixel, uniform in 0..1, as a field of `shape`."""
    return rng.random(shape, dtype=np.float32)


def wave(phase: NDArray[np.floating]) -> Field:
    """Turn a phase in periods into a smooth 0..1..0 wave that is 0 at every whole period."""
    ramp = 1.0 - np.abs(2.0 * (phase - np.floor(phase)) - 1.0)
    smooth: Field = ramp * ramp * (3.0 - 2.0 * ramp)
    return smooth


def step(field: Field, edge: float, width: float) -> Field:
    """Sharpen a field about `edge`: 0 below, 1 above, a ramp `width` wide between."""
    ramp: Field = np.clip((field - edge) / width + 0.5, 0.0, 1.0)
    return ramp


def mix(low: Field, high: Field, weight: Field) -> Field:
    """Blend two colours, each (3,), by a field (H, W) into a picture (3, H, W)."""
    return low[:, None, None] + weight * (high - low)[:, None, None]


def toward(picture: Field, tone: Field, weight: Field) -> Field:
    """Blend a picture (3, H, W) toward one colour (3,) by a field (H, W)."""
    return picture + weight * (tone[:, None, None] - picture)


def to_bytes(picture: Field) -> NDArray[np.uint8]:
    """Turn a picture (3, H, W) in 0..1 into interleaved, clipped bytes (H, W, 3)."""
    scaled = np.clip(picture, 0.0, 1.0) * np.float32(255.0)
    return np.ascontiguousarray(scaled.astype(np.uint8).transpose(1, 2, 0))


def from_bytes(pixels: NDArray[np.uint8]) -> Field:
    """Turn interleaved bytes (H, W, 3) into a picture (3, H, W) in 0..1."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255.0)


def colour(hue: float, saturation: float, value: float) -> Field:
    """Make an RGB colour (3,) in 0..1; the hue wraps round, the rest is clipped to 0..1."""
    clipped = (min(max(part, 0.0), 1.0) for part in (saturation, value))
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, *clipped), np.float32)


def _scales(u: Field, v: Field, noise: Field) -> Field:
    rows = 4.5 * v + 0.25 * noise
    across = 4.5 * u + 0.5 * np.floor(rows)
    return 0.35 * wave(across) + 0.45 * (rows - np.floor(rows)) + 0.2 * noise


def _planks(u: Field, v: Field, noise: Field) -> Field:
    return 0.55 * step(wave(3.2 * v + 0.15 * noise + 0.1 * u), 0.15, 0.3) + 0.45 * noise


def _panels(u: Field, v: Field, noise: Field) -> Field:
    seams = step(wave(2.3 * u), 0.08, 0.15) * step(wave(1.7 * v + 0.3), 0.08, 0.15)
    field: Field = 0.6 * seams + 0.2 * noise + 0.2 * step(-v, 0.0, 2.0)
    return field


def _sheen(u: Field, v: Field, noise: Field) -> Field:
    return 0.6 * wave(0.8 * u + 0.35 * v + 0.3) + 0.4 * noise


def _mottle(u: Field, v: Field, noise: Field) -> Field:
    return 0.75 * step(noise, 0.5, 0.35) + 0.25 * wave(1.5 * (u + v))


def _scutes(u: Field, v: Field, noise: Field) -> Field:
    lines = wave(2.4 * u + 1.4 * v) * wave(2.4 * u - 1.4 * v)
    return 0.7 * step(lines, 0.12, 0.3) + 0.3 * noise


def _folds(u: Field, v: Field, noise: Field) -> Field:
    return 0.6 * wave(1.1 * u - 1.6 * v + 0.5 * noise) + 0.4 * noise


def _stripes(u: Field, v: Field, noise: Field) -> Field:
    return step(wave(3.0 * u + 0.1 * noise), 0.5, 0.3)


def _hoops(u: Field, v: Field, noise: Field) -> Field:
    return step(wave(4.5 * v + 0.1 * noise), 0.5, 0.3)


def _chevrons(u: Field, v: Field, noise: Field) -> Field:
    return step(wave(2.6 * u + 2.6 * np.abs(v)), 0.5, 0.3)


def _checks(u: Field, v: Field, noise: Field) -> Field:
    across, down = wave(2.4 * u) - 0.5, wave(2.4 * v) - 0.5
    return step(across * down, 0.0, 0.12)


def _dots(u: Field, v: Field, noise: Field) -> Field:
    return step(wave(3.4 * u) * wave(3.4 * v), 0.3, 0.25)


def _rings(u: Field, v: Field, noise: Field) -> Field:
    return step(wave(4.2 * np.sqrt(u * u + v * v)), 0.5, 0.3)


def _zigzag(u: Field, v: Field, noise: Field) -> Field:
    return step(wave(3.0 * v + 0.5 * wave(2.5 * u)), 0.5, 0.3)


# u runs along an object and v across it, both -1..1 on its box.
BODY_PATTERNS: dict[str, Pattern] = {
    "scales": _scales, "planks": _planks, "panels": _panels, "sheen": _sheen,
    "mottle": _mottle, "scutes": _scutes, "folds": _folds,
}  # fmt: skip
LOUD_PATTERNS: dict[str, Pattern] = {
    "stripes": _stripes, "hoops": _hoops, "chevrons": _chevrons, "checks": _checks,
    "dots": _dots, "rings": _rings, "zigzag": _zigzag,
}  # fmt: skip
