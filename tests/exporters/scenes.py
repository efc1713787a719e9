"""Photographs of rectangles, which bitmaps and right-angled polygons can both say exactly."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.images import Bytes

Part = tuple[str, int, int, int, int]  # label, left, top, right, bottom; later ones lie on top

CLASSES = ("boat", "red fish", "tree")
WEAK = "only tagged"  # a photograph that nobody annotated with the tool
SIZES = {"plain": (57, 40), "holes": (48, 33), "two parts.1": (41, 62), WEAK: (50, 50)}  # x, y
SCENES: dict[str, list[Part]] = {
    "plain": [("boat", 5, 4, 30, 20), ("tree", 40, 0, 57, 40), ("red fish", 10, 25, 20, 35)],
    "holes": [("boat", 3, 2, 45, 30), ("background", 10, 8, 30, 20), ("tree", 15, 11, 22, 16)],
    "two parts.1": [
        ("red fish", 0, 0, 20, 9),
        ("red fish", 0, 9, 7, 30),
        ("red fish", 25, 40, 41, 62),
        ("boat", 30, 5, 38, 12),
    ],
}


def mask_of(name: str, holes: bool = True) -> Bytes:
    """The class indices of a photograph, (H, W), background first; with or without its holes."""
    width, height = SIZES[name]
    mask_HW = np.zeros((height, width), np.uint8)
    for label, left, top, right, bottom in SCENES[name]:
        if label == "background" and not holes:
            continue
        mask_HW[top:bottom, left:right] = ("background", *CLASSES).index(label)
    return mask_HW


def write_source(folder: Path) -> None:
    """What the writers read: photographs/, masks.npz and source.json."""
    (folder / "photographs").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "photographs" / f"{name}.jpg")
    np.savez(folder / "masks.npz", **{name: mask_of(name) for name in SCENES})
    (folder / "source.json").write_text(json.dumps({"classes": CLASSES, "parts": SCENES}))
