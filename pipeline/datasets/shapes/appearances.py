"""Appearance of each class: palettes and patterns of its body and of its loud part.

Each class has one loud part, with a bold pattern in colours of its own, and a dull rest whose
pattern and palette it shares with a twin class: what a class activation map sees and misses.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.datasets.shapes.scene_style import SceneStyle
from pipeline.datasets.shapes.textures import Field, colour

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Appearance(NamedTuple):
    """Ranges of a class's body hue, saturation and value, and the colours of its loud part."""

    twin: str
    bodies: tuple[str, ...]
    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]
    louds: tuple[str, ...]
    loud_low: tuple[float, float, float]
    loud_high: tuple[float, float, float]


_CREAM, _BLACK, _NAVY = (0.13, 0.1, 0.95), (0.6, 0.3, 0.1), (0.62, 0.7, 0.3)
APPEARANCES: dict[str, Appearance] = {
    "boat": Appearance("guitar", ("planks", "folds"), (0.04, 0.14), (0.15, 0.4), (0.4, 0.7),
                  ("stripes", "hoops"), (0.98, 0.85, 0.85), _CREAM),
    "train": Appearance("bottle", ("panels", "sheen"), (0.25, 0.5), (0.1, 0.35), (0.35, 0.6),
                   ("chevrons", "zigzag"), _BLACK, (0.14, 0.95, 0.95)),
    "kite": Appearance("boat", ("folds", "mottle"), (0.5, 0.75), (0.08, 0.35), (0.55, 0.85),
                  ("checks", "rings"), (0.78, 0.75, 0.6), (0.16, 0.85, 0.95)),
    "fish": Appearance("bird", ("scales", "mottle"), (0.48, 0.62), (0.12, 0.35), (0.4, 0.7),
                  ("stripes", "dots"), _NAVY, (0.06, 0.95, 0.95)),
    "bird": Appearance("fish", ("scales", "folds"), (0.03, 0.13), (0.15, 0.4), (0.35, 0.65),
                  ("dots", "hoops"), (0.49, 0.9, 0.85), (0.94, 0.85, 0.7)),
    "tortoise": Appearance("bird", ("scutes", "mottle"), (0.1, 0.22), (0.25, 0.5), (0.32, 0.6),
                      ("zigzag", "chevrons"), (0.4, 0.8, 0.2), (0.24, 0.9, 0.9)),
    "bottle": Appearance("train", ("sheen", "panels"), (0.25, 0.45), (0.2, 0.5), (0.3, 0.6),
                    ("hoops", "checks"), (0.61, 0.9, 0.75), _CREAM),
    "guitar": Appearance("boat", ("planks", "sheen"), (0.05, 0.1), (0.3, 0.55), (0.4, 0.68),
                    ("rings", "zigzag"), (0.9, 0.75, 0.9), _CREAM),
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """The colours (each (3,)) and patterns of one drawn object; `repeats` scales the loud one."""

    body: str
    loud: str
    body_low: Field
    body_high: Field
    loud_low: Field
    loud_high: Field
    repeats: float


def _clear_of(tone: Field, ground: Field, gap: float) -> Field:
    """Move a colour's brightness until it differs from the ground's by at least `gap`."""
    lead = float((tone - ground) @ LUMA)
    want = gap if lead >= 0 else -gap
    if abs(lead) < gap:
        # a very dark or very bright ground leaves room on one side only
        base = float(ground @ LUMA)
        want = gap if base + want < 0.12 else -gap if base + want > 0.92 else want
        tone = tone + np.float32(want - lead)
    return np.clip(tone, 0.03, 1.0)


def choose_look(rng: np.random.Generator, name: str, ground: Field, style: SceneStyle) -> Look:
    """Choose colours and patterns of one object.

    Args:
        rng: source of the choice.
        name: its class, a key of `APPEARANCES`.
        ground: mean colour (3,) of the ground it stands on.
        style: how much looks vary.

    Returns:
        The look.
    """
    own = APPEARANCES[name]
    shown = APPEARANCES[own.twin] if rng.random() < style.swap else own
    draw = [
        (low + high) / 2 + style.variation * rng.uniform(-0.5, 0.5) * (high - low)
        for low, high in (shown.hue, shown.saturation, shown.value)
    ]
    pull = np.float32(style.dullness * rng.uniform(0.3, 1.0))
    middle = colour(*draw)
    middle = _clear_of(middle + pull * (ground - middle), ground, style.contrast)
    spread = np.float32(rng.uniform(0.06, 0.16))
    low, high = (
        colour(h + style.loud_shift * rng.uniform(-1.0, 1.0), s * rng.uniform(0.75, 1.1),
               v * rng.uniform(0.75, 1.05))
        for h, s, v in (own.loud_low, own.loud_high)
    )  # fmt: skip
    return Look(
        body=str(rng.choice(list(shown.bodies))),
        loud=str(rng.choice(list(own.louds))),
        body_low=np.clip(middle - spread, 0.0, 1.0),
        body_high=np.clip(middle + spread, 0.0, 1.0),
        loud_low=low,
        loud_high=high,
        repeats=float(rng.uniform(0.7, 1.4)),
    )
