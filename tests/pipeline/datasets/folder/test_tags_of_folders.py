"""What counts as a tag, wherever it stands."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import UserError
from tests.exports import make_labelme
from tests.pipeline.datasets.folder.leaves import (
    LEAF,
    TAGS,
    WANTED,
    coco,
    is_right,
    looked_over,
    masks,
    photographs,
    put,
    read,
    tags,
)

BELOW = {"segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]], "bbox": [0, 0, 4, 4]}


@pytest.mark.parametrize(
    ("stone", "wanted"),
    [
        ({"segmentation": []}, np.where(WANTED == 2, 255, WANTED)),
        ({"segmentation": [[4, 4, 8, 8]]}, np.where(WANTED == 2, 255, WANTED)),
        ({"segmentation": [[4, 4, 8, 8]], "bbox": [4, 4, 0, 0]}, np.where(WANTED == 2, 0, WANTED)),
    ],
    ids=["box", "slip", "slip without a box"],
)
def test_whatever_is_annotated_is_a_tag(root: Path, stone: Any, wanted: Any) -> None:
    put(root, "annotations.json", coco(stone=stone))
    is_right(root, wanted)


def test_tags_of_the_user_join_those_of_the_mask(root: Path) -> None:
    masks(root, np.where(WANTED == 2, 0, WANTED))
    put(root, "tags.csv", TAGS + "a,stone\nb.png,stone;leaf\n")
    is_right(root, np.where(WANTED == 2, 0, WANTED))


def test_tags_beside_masks_are_no_objects_in_them(root: Path) -> None:
    masks(root, WANTED * 0)
    put(root, "tags.csv", TAGS + "a,stone\nb,leaf\n")
    with pytest.raises(UserError, match="no mask of a training image contains an object"):
        read(root)
    assert not looked_over(root).usable


def test_nothing_there_is_known_by_a_tag(root: Path) -> None:
    masks(root)
    photographs(root / "images", "de")
    put(root, "tags.csv", TAGS + "d,Background\ne,\n")
    manifest = read(root)
    known = {key: {"leaf", "stone"} for key in "abc"}
    assert tags(manifest) == {**known, "d": set(), "e": None}
    put(root, "tags.csv", TAGS + "d,leaf;ignore\ne,ignore\n")
    assert tags(read(root)) == {**known, "d": {"leaf"}, "e": None}


def test_nothing_there_is_known_by_empty_annotations(root: Path) -> None:
    photographs(root / "images", "de")
    values = coco()
    values["images"] += [{"id": k, "file_name": f"{k}.png", "width": 8, "height": 8} for k in "de"]
    put(root, "annotations.json", values)
    put(root, "tags.csv", TAGS + "e,\n")  # nobody has looked at e
    manifest = read(root)
    assert tags(manifest) == {
        **{key: {"leaf", "stone"} for key in "abc"},
        **{"d": set(), "e": None},
    }
    (cases,) = looked_over(root).warnings.values()
    assert cases == ["d"]


def test_who_only_ignores_has_not_said_that_nothing_is_there(root: Path) -> None:
    photographs(root / "images", "d")
    over = {"id": 9, "image_id": "d", "category_id": 3, "segmentation": [LEAF]}
    values = coco(names=("leaf", "stone", "ignore"), more=[over])
    values["images"].append({"id": "d", "file_name": "d.png", "width": 8, "height": 8})
    put(root, "annotations.json", values)
    assert tags(read(root)) == {**{key: {"leaf", "stone"} for key in "abc"}, "d": None}


def test_an_image_known_to_be_empty_can_validate(root: Path) -> None:
    photographs(root / "images", "d")
    values = coco()
    values["images"].append({"id": "d", "file_name": "d.png", "width": 8, "height": 8})
    put(root, "annotations.json", values)
    put(root, "splits/val.txt", "b\nd\n")
    rows = {row.id: row for row in read(root).rows}
    assert (rows["d"].split, rows["d"].tags, rows["d"].mask) == ("val", (), "masks/d.png")
    assert (rows["a"].split, rows["c"].split) == ("strong", "weak")


def test_nothing_annotated_at_all_is_said(root: Path) -> None:
    put(root, "annotations.json", coco(names=("ignore",), annotations=[]))
    with pytest.raises(UserError, match="nothing is annotated; draw some objects first"):
        read(root)


def test_flags_of_labelme_are_tags_only_if_they_are_classes(tmp_path: Path) -> None:
    make_labelme(tmp_path / "mine")
    values = {"shapes": [], "imageWidth": 48, "imageHeight": 48, "version": "5.0.0"}
    flags = {"flags": {"blurred": True, "fish": True, "boat": False}}
    put(tmp_path / "mine", "images/scene 4.json", values | flags)
    (tmp_path / "mine" / "classes.txt").unlink()
    put(tmp_path / "mine", "tags.csv", "image,tags\nscene 5,boat\n")
    manifest = read(tmp_path / "mine")
    assert "blurred" not in manifest.classes.names
    assert tags(manifest)["scene 4"] == {"fish"}
    assert ["blurred (1)"] in looked_over(tmp_path / "mine").warnings.values()
