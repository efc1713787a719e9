"""Outlines of the object classes: polygons with a role, and how each drawing varies.

Coordinates are -1..1, x to the right and y down; objects face right.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


class Role(IntEnum):
    """What a part is painted with; a LOUD part only recolours what lies under it."""

    BODY = 1
    TRIM = 2
    DARK = 3
    LOUD = 4


class Part(NamedTuple):
    """One polygon of an object: its role, its points (N, 2) and whether corners are rounded."""

    role: Role
    points: Points
    rounded: bool


@dataclass(frozen=True)
class Outline:
    """The parts of one class in painting order, and its largest turn in degrees."""

    parts: tuple[Part, ...]
    turn: float


def _poly(role: Role, *points: tuple[float, float]) -> Part:
    return Part(role, np.array(points), False)


def _blob(role: Role, *points: tuple[float, float]) -> Part:
    return Part(role, np.array(points), True)


def _disc(role: Role, x: float, y: float, rx: float, ry: float) -> Part:
    angle = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    return Part(role, np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1), False)


def _box(role: Role, left: float, top: float, right: float, bottom: float) -> Part:
    return _poly(role, (left, top), (right, top), (right, bottom), (left, bottom))


B, T, D, L = Role.BODY, Role.TRIM, Role.DARK, Role.LOUD

_BOAT = Outline((
    _poly(T, (0.04, -0.95), (0.06, 0.2), (0.8, 0.2)),
    _poly(T, (-0.06, -0.8), (-0.04, 0.2), (-0.62, 0.2)),
    _box(D, -0.05, -1.0, 0.05, 0.3),
    _poly(B, (-0.98, 0.26), (1.0, 0.2), (0.68, 0.72), (-0.7, 0.72)),
    _poly(L, (-0.06, -0.8), (-0.04, 0.2), (-0.62, 0.2)),
), 9.0)  # fmt: skip

_TRAIN = Outline((
    _disc(D, -0.72, 0.36, 0.15, 0.15), _disc(D, -0.3, 0.36, 0.15, 0.15),
    _disc(D, 0.25, 0.36, 0.15, 0.15), _disc(D, 0.65, 0.36, 0.15, 0.15),
    _poly(B, (-1.0, -0.36), (0.68, -0.36), (0.88, -0.12), (1.0, 0.12), (1.0, 0.36), (-1.0, 0.36)),
    _box(T, -0.8, -0.46, 0.1, -0.34),
    _box(D, -0.85, -0.22, -0.6, 0.0), _box(D, -0.45, -0.22, -0.2, 0.0),
    _box(D, -0.05, -0.22, 0.2, 0.0),
    _poly(L, (0.5, -0.5), (1.1, -0.5), (1.1, 0.5), (0.62, 0.5)),
), 8.0)  # fmt: skip

_KITE = Outline((
    _blob(T, (-0.05, 0.6), (0.06, 0.6), (0.2, 0.78), (0.06, 0.9), (0.2, 1.1), (0.12, 1.14),
          (-0.08, 0.95), (0.05, 0.8)),
    _poly(T, (0.0, 0.8), (0.3, 0.7), (0.28, 0.95)), _poly(T, (0.0, 1.0), (0.3, 1.1), (0.3, 0.9)),
    _poly(B, (0.0, -1.0), (0.66, -0.25), (0.0, 0.75), (-0.66, -0.25)),
    _poly(T, (0.0, -1.0), (0.66, -0.25), (0.0, -0.25)),
    _poly(L, (0.0, -0.62), (0.3, -0.25), (0.0, 0.12), (-0.3, -0.25)),
), 35.0)  # fmt: skip

_FISH = Outline((
    _blob(T, (0.3, -0.35), (0.0, -0.68), (-0.35, -0.5), (-0.3, -0.25)),
    _blob(T, (0.1, 0.35), (-0.15, 0.62), (-0.25, 0.3)),
    _poly(T, (-0.5, 0.0), (-1.0, -0.48), (-0.82, 0.0), (-1.0, 0.48)),
    _blob(B, (0.98, 0.02), (0.7, -0.3), (0.2, -0.48), (-0.3, -0.3), (-0.7, -0.08), (-0.7, 0.08),
          (-0.3, 0.3), (0.2, 0.46), (0.7, 0.32)),
    _poly(L, (0.5, -0.8), (1.2, -0.8), (1.2, 0.8), (0.5, 0.8), (0.38, 0.0)),
    _disc(D, 0.68, -0.1, 0.08, 0.08),
), 30.0)  # fmt: skip

_BIRD = Outline((
    _poly(D, (-0.02, 0.4), (0.08, 0.4), (0.12, 0.9), (0.0, 0.9)),
    _poly(D, (0.2, 0.4), (0.3, 0.4), (0.36, 0.88), (0.24, 0.88)),
    _poly(D, (0.7, -0.62), (1.08, -0.42), (0.7, -0.32)),
    _blob(B, (-1.0, 0.5), (-0.55, 0.05), (-0.1, -0.3), (0.3, -0.45), (0.62, -0.3), (0.58, 0.15),
          (0.3, 0.5), (-0.15, 0.52), (-0.6, 0.38), (-0.95, 0.66)),
    _disc(B, 0.5, -0.5, 0.32, 0.32),
    _blob(T, (-0.75, 0.3), (-0.25, -0.15), (0.25, -0.1), (0.15, 0.25), (-0.3, 0.32)),
    _disc(L, 0.52, -0.5, 0.36, 0.36),
    _disc(D, 0.6, -0.56, 0.07, 0.07),
), 20.0)  # fmt: skip

_TORTOISE = Outline((
    _box(T, -0.62, 0.2, -0.36, 0.62), _box(T, 0.2, 0.2, 0.46, 0.62),
    _poly(T, (-0.7, 0.2), (-1.0, 0.36), (-0.65, 0.38)),
    _blob(T, (0.4, 0.25), (0.6, -0.1), (0.85, -0.22), (1.02, -0.06), (0.95, 0.14), (0.65, 0.36)),
    _blob(B, (-0.85, 0.3), (-0.7, -0.2), (-0.3, -0.56), (0.15, -0.56), (0.52, -0.2), (0.66, 0.3),
          (0.3, 0.42), (-0.4, 0.42)),
    _poly(L, (0.38, -0.6), (1.2, -0.6), (1.2, 0.45), (0.46, 0.45)),
    _disc(D, 0.84, -0.05, 0.06, 0.06),
), 20.0)  # fmt: skip

_BOTTLE = Outline((
    _box(D, -1.0, -0.14, -0.86, 0.14),
    _blob(B, (-0.9, -0.12), (-0.5, -0.13), (-0.25, -0.3), (0.0, -0.36), (0.9, -0.36),
          (0.98, -0.25), (0.98, 0.25), (0.9, 0.36), (0.0, 0.36), (-0.25, 0.3), (-0.5, 0.13),
          (-0.9, 0.12)),
    _box(L, 0.22, -0.5, 0.55, 0.5),
), 180.0)  # fmt: skip

_GUITAR = Outline((
    _box(T, -0.2, -0.095, 0.9, 0.095), _box(D, 0.82, -0.15, 1.05, 0.15),
    _blob(B, (-1.0, 0.0), (-0.86, -0.38), (-0.5, -0.46), (-0.24, -0.28), (0.05, -0.36),
          (0.22, -0.2), (0.24, 0.0), (0.22, 0.2), (0.05, 0.36), (-0.24, 0.28), (-0.5, 0.46),
          (-0.86, 0.38)),
    _disc(L, -0.28, 0.0, 0.26, 0.26),
), 180.0)  # fmt: skip

OUTLINES: dict[str, Outline] = {
    "boat": _BOAT, "train": _TRAIN, "kite": _KITE, "fish": _FISH, "bird": _BIRD,
    "tortoise": _TORTOISE, "bottle": _BOTTLE, "guitar": _GUITAR,
}  # fmt: skip


def _catmull(points: Points, steps: int = 4) -> Points:
    """Run a closed Catmull-Rom spline through (N, 2) points; returns (N * steps, 2)."""
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None, None]
    a, b = np.roll(points, 1, axis=0), points
    c, d = np.roll(points, -1, axis=0), np.roll(points, -2, axis=0)
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return curve.transpose(1, 0, 2).reshape(-1, 2)


def vary_parts(rng: np.random.Generator, outline: Outline, amount: float) -> list[Part]:
    """Vary proportions, bend and corners of an outline.

    Args:
        rng: source of the variation.
        outline: the class's outline.
        amount: 0 for the outline as it is, 1 for the usual variation.

    Returns:
        Parts with dense points, in painting order.
    """
    stretch = 1.0 + amount * rng.uniform(-0.28, 0.28)
    bend, lean, taper = amount * rng.uniform(-1.0, 1.0, 3) * (0.25, 0.2, 0.25)
    parts = []
    for role, points, rounded in outline.parts:
        shaken = points + amount * rng.normal(0.0, 0.035, points.shape)
        x, y = (_catmull(shaken) if rounded else shaken).T
        y = y * stretch * (1.0 + taper * x) + bend * (x * x - 0.4)
        parts.append(Part(role, np.stack([x + lean * y, y], axis=1), False))
    return parts


def random_blob(rng: np.random.Generator, corners: int) -> Points:
    """Draw a nameless lumpy shape in the -1..1 box, as points (corners * 4, 2)."""
    angle = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * (2.0 * np.pi / corners)
    radius = rng.uniform(0.45, 1.0, corners)
    return _catmull(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
