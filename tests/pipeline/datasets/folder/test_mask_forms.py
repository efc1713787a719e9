"""Masks in the forms that people have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from tests.pipeline.datasets.folder.leaves import (
    COLOURS,
    TAGS,
    WANTED,
    drawn,
    is_right,
    looked_over,
    masks,
    put,
    read,
)
from tests.sixteen import png_grey


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_is_what_it_holds(root: Path, bits: int) -> None:
    masks(root)
    for name in "ab":
        (root / f"masks/{name}.png").write_bytes(png_grey(WANTED, bits))
    is_right(root)


LEAVES = (WANTED == 1).astype(np.uint8)
ALPHA = np.full((8, 8), 200, np.uint8)


def two_classes(root: Path) -> None:
    put(root, "classes.txt", "background\nleaf\n")
    put(root, "tags.csv", "image,tags\nc.png,leaf\n")


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (LEAVES * 255, "{}.png"),
        (LEAVES > 0, "{}.png"),
        (np.stack([LEAVES * 255] * 3, axis=2), "{}.png"),
        (np.stack([LEAVES * 255] * 3 + [ALPHA], axis=2), "{}.png"),
        (np.stack([LEAVES] * 3, axis=2), "{}.bmp"),
        (LEAVES.astype(np.uint16), "{}.png"),
        (LEAVES * 255, "{}.tif"),
        (LEAVES, "{}_mask.png"),
        (LEAVES, "{}_L.png"),
        (LEAVES, "{}.png.png"),
        (LEAVES, "{}.jpg.png"),
        (LEAVES, "mask_{}.png"),
        (LEAVES, "{}-seg.tiff"),
    ],
)
def test_masks_in_other_forms_and_names(root: Path, array: Any, name: str) -> None:
    two_classes(root)
    masks(root, array, name)
    manifest = read(root)
    for mask_HW in drawn(manifest).values():
        assert np.array_equal(mask_HW, LEAVES)
    assert set(drawn(manifest)) == {"a", "b"}


def test_masks_with_alpha_in_grey(root: Path) -> None:
    two_classes(root)
    masks(root, LEAVES)
    for name in "ab":
        bands = [Image.fromarray(LEAVES), Image.fromarray(ALPHA)]
        Image.merge("LA", bands).save(root / f"masks/{name}.png")
    assert np.array_equal(drawn(read(root))["a"], LEAVES)


def test_half_the_masks_of_0_and_1_half_of_0_and_255(root: Path) -> None:
    two_classes(root)
    masks(root, LEAVES)
    Image.fromarray(LEAVES * 255).save(root / "masks/b.png")
    manifest = read(root)
    assert all(np.array_equal(mask_HW, LEAVES) for mask_HW in drawn(manifest).values())
    assert ["1 as a.png", "1 as b.png"] in looked_over(root).warnings.values()
    half = LEAVES.copy()
    half[7] = 255
    Image.fromarray(half).save(root / "masks/a.png")
    with pytest.raises(UserError, match=r"unclear in these; write it as 1 .*: b\.png"):
        read(root)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_shape_in_the_transparency_is_refused(root: Path, mode: str) -> None:
    two_classes(root)
    masks(root, LEAVES)
    white = Image.new(mode, (8, 8), "white")
    white.putalpha(Image.fromarray(LEAVES * 255))
    white.save(root / "masks/b.png")
    with pytest.raises(UserError, match="in its transparency alone"):
        read(root)


def test_255_stays_ignored_where_there_are_more_classes(root: Path) -> None:
    wanted = np.where(WANTED == 1, 255, WANTED)
    masks(root, wanted)
    put(root, "tags.csv", TAGS + "a,leaf\nb,leaf\n")
    is_right(root, wanted)


def indexed(order: tuple[int, ...]) -> Image.Image:
    """A palette PNG whose colours are in another order."""
    image = Image.fromarray(np.uint8([order.index(value) for value in range(3)])[WANTED])
    image.putpalette(COLOURS[list(order)].ravel().tolist())
    return image


def test_palettes_that_differ_are_told_or_matched_by_colour(root: Path) -> None:
    masks(root)
    for name, order in (("a", (0, 1, 2)), ("b", (0, 2, 1))):
        indexed(order).save(root / f"masks/{name}.png")
    (cases,) = looked_over(root).warnings.values()
    assert cases == [
        "index 1 is 255,0,0 in a.png and 0,0,255 in b.png",
        "index 2 is 0,0,255 in a.png and 255,0,0 in b.png",
    ]
    put(root, "colours.csv", "name,red,green,blue\nbackground,0,0,0\nleaf,255,0,0\nstone,0,0,255\n")
    is_right(root)
