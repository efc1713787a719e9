"""Which class index 0 is, by lists and tables of other tools."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import UserError
from tests.pipeline.datasets.folder.leaves import (
    COLOURS,
    TAGS,
    WANTED,
    coco,
    is_right,
    looked_over,
    masks,
    put,
    read,
)


def test_a_list_without_background_is_told_the_line_to_add(root: Path) -> None:
    put(root, "classes.txt", "leaf\nstone\n")
    put(root, "annotations.json", coco())
    with pytest.raises(UserError, match="add the line background above it"):
        read(root)
    (root / "annotations.json").unlink()
    masks(root)
    with pytest.raises(UserError, match=r"class index 2; .* add the line background above it"):
        read(root)
    masks(root, WANTED // 2)
    with pytest.raises(UserError, match=r"add the line background above it: tag of c\.png"):
        read(root)
    put(root, "tags.csv", "image,tags\nc.png,stone\n")
    assert looked_over(root).warnings.popitem()[1] == ["leaf"]


@pytest.mark.parametrize(
    ("lines", "background", "leaf", "stone"),
    [
        ("__ignore__ _background_ leaf stone", 0, 1, 2),
        ("background leaf __ignore__ stone", 0, 1, 3),
        ("leaf stone Background", 2, 0, 1),
        ("background __background__ leaf stone", 1, 2, 3),
    ],
)
@pytest.mark.parametrize("name", ["classes.txt", "labels.txt"])
def test_lists_of_other_tools(
    root: Path, lines: str, background: int, leaf: int, stone: int, name: str
) -> None:
    put(root, name, lines.replace(" ", "\n"))
    masks(root, np.uint8([background, leaf, stone])[WANTED])
    (root / "classes.txt").unlink() if name == "labels.txt" else None
    is_right(root)


def test_ignored_indices_are_255(root: Path) -> None:
    put(root, "classes.txt", "background\nleaf\nignore\nstone\n")
    masks(root, WANTED)
    put(root, "tags.csv", TAGS + "a,stone\nb,stone\n")
    is_right(root, np.where(WANTED == 2, 255, WANTED))


def test_spellings_of_background_are_one_class(root: Path) -> None:
    hole = {"id": 9, "category_id": 3, "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]}
    names = ("leaf", "stone", "Background", "__background__")
    more = [{**hole, "image_id": 1}, {**hole, "id": 8, "image_id": 2, "category_id": 4}]
    put(root, "annotations.json", coco(names=names, more=more))
    wanted = WANTED.copy()
    wanted[1:3, 1:3] = 0
    assert is_right(root, wanted).classes.names == ("background", "leaf", "stone")


def test_background_may_be_last_in_a_table_of_colours(root: Path) -> None:
    table = "name,red,green,blue\nleaf,255,0,0\nstone,0,0,255\n"
    masks(root, COLOURS[WANTED])
    for listing in (True, False):
        put(root, "colours.csv", table + "Background,0,0,0\n")
        is_right(root)
        put(root, "colours.csv", table)
        with pytest.raises(UserError, match=r"colours\.csv"):
            read(root)
        if listing:
            (root / "classes.txt").unlink()
