"""Paint objects onto a picture, and record which object each pixel belongs to."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from pipeline.datasets.shapes.appearances import Look
from pipeline.datasets.shapes.outlines import Part, Points, Role
from pipeline.datasets.shapes.textures import (
    BODY_PATTERNS,
    LOUD_PATTERNS,
    Field,
    mix,
    value_noise,
)


class Pose(NamedTuple):
    """Where an object stands: centre in pixels, half length in pixels, turn in radians, mirror."""

    x: float
    y: float
    half: float
    turn: float
    mirrored: bool


@dataclass(frozen=True)
class Canvas:
    """The picture being painted, (3, S, S) float32, and its per-pixel records, each (S, S)."""

    picture: Field
    owner: NDArray[np.uint8]
    loud: NDArray[np.bool_]


def _matrix(pose: Pose) -> NDArray[np.float64]:
    """Return the 2x2 matrix from the unit box to pixels."""
    cos, sin = np.cos(pose.turn), np.sin(pose.turn)
    flip = -1.0 if pose.mirrored else 1.0
    return pose.half * np.array([[cos * flip, -sin], [sin * flip, cos]])


def _fill(parts: list[tuple[Role, Points]], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Rasterise polygons, later over earlier, as role numbers (H, W); 0 is outside."""
    picture = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(picture)
    for role, points in parts:
        pen.polygon(points.ravel().tolist(), fill=int(role))
    return np.asarray(picture)


def _blurred(inside: NDArray[np.bool_], radius: float) -> Field:
    """Blur a (H, W) bool mask by `radius` pixels; returns a field."""
    picture = Image.fromarray(inside.astype(np.uint8) * 255)
    return np.asarray(picture.filter(ImageFilter.BoxBlur(radius)), np.float32) / np.float32(255)


def _painted(
    rng: np.random.Generator, look: Look, roles: NDArray[np.uint8], loud: NDArray[np.bool_],
    u: Field, v: Field,
) -> Field:  # fmt: skip
    """Colour every pixel of an object's box by role; returns a picture (3, H, W)."""
    noise = value_noise(rng, roles.shape, (4.0, 4.0))
    body = mix(look.body_low, look.body_high, BODY_PATTERNS[look.body](u, v, noise))
    tints = np.ones(5, np.float32)
    tints[Role.TRIM], tints[Role.DARK] = rng.choice([0.78, 1.22]), 0.35
    body = body * tints[roles]
    pace = np.float32(look.repeats)
    bold = mix(look.loud_low, look.loud_high, LOUD_PATTERNS[look.loud](pace * u, pace * v, noise))
    return np.where(loud, bold, body)


def stamp(
    canvas: Canvas, rng: np.random.Generator, parts: list[Part], pose: Pose, look: Look, owner: int
) -> None:
    """Paint one object, with its shadow, onto the canvas in place.

    Args:
        canvas: picture and records to change.
        rng: source of texture noise.
        parts: drawn outline in the -1..1 box.
        pose: where it stands.
        look: its colours and patterns.
        owner: number written to `canvas.owner`; 0 for an object without a label.
    """
    matrix = _matrix(pose)
    placed = [(part.role, part.points @ matrix.T + (pose.x, pose.y)) for part in parts]
    corners = np.concatenate([points for _, points in placed])
    side, pad = canvas.owner.shape[0], 5
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - pad, 0, side - 1)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + pad, 1, side)
    if right - left < 2 or bottom - top < 2:
        return
    placed = [(role, points - (left, top)) for role, points in placed]
    shape = (int(bottom - top), int(right - left))
    roles = _fill([(role, points) for role, points in placed if role != Role.LOUD], shape)
    inside = roles > 0
    bold = _fill([(role, points) for role, points in placed if role == Role.LOUD], shape) > 0
    bold &= inside & (roles != Role.DARK)

    x = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(pose.x)
    y = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(pose.y)
    (a, b), (c, d) = np.linalg.inv(matrix).astype(np.float32)
    paint = _painted(rng, look, roles, bold, a * x + b * y, c * x + d * y)

    soft = _blurred(inside, max(2.0, pose.half * 0.12))
    shade = 0.55 + 0.5 * soft - 0.12 * np.clip(y / np.float32(pose.half), -1.0, 1.0)
    window = (slice(top, bottom), slice(left, right))
    under = canvas.picture[:, top:bottom, left:right]
    shadow = np.roll(soft, (2, 2), axis=(0, 1))
    under[...] = np.where(inside, paint * shade, under * (1.0 - 0.35 * shadow))
    canvas.owner[window][inside] = owner
    canvas.loud[window] = np.where(inside, bold & (owner > 0), canvas.loud[window])
