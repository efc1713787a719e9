"""COCO JSON as tools write it: read right, or refused with the reason."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as rle

from pipeline.base.errors import UserError
from tests.pipeline.datasets.folder.leaves import (
    LEAF,
    RUNS,
    TAGS,
    WANTED,
    coco,
    drawn,
    is_right,
    looked_over,
    photographs,
    put,
    read,
    tags,
)

PACKED = rle.frPyObjects(RUNS, 8, 8)["counts"].decode()


@pytest.mark.parametrize(
    "outline", [RUNS, {"size": [8, 8], "counts": PACKED}, [LEAF]], ids=["runs", "packed", "polygon"]
)
def test_a_crowd_is_its_class(root: Path, outline: Any) -> None:
    put(root, "annotations.json", coco({"segmentation": outline, "iscrowd": 1}))
    is_right(root)
    assert looked_over(root).converted == {"crowds of COCO read as pixels of their class": 2}


def test_shares_of_the_sides_are_recognised(root: Path) -> None:
    outline = {"segmentation": [[value / 8 for value in LEAF]], "bbox": [0, 0, 0.5, 0.5]}
    put(root, "annotations.json", coco(outline))
    is_right(root)
    put(root, "annotations.json", coco(stone={"segmentation": [], "bbox": [0.5, 0.5, 0.5, 0.5]}))
    is_right(root, np.where(WANTED == 2, 255, WANTED))
    assert sum(looked_over(root).converted.values()) == 2


@pytest.mark.parametrize(
    ("outline", "said"),
    [
        ([[[0, 0], [4, 0], [4, 4], [0, 4]]], "corners in lists of their own"),
        ([RUNS], "run lengths inside a list"),
        (LEAF, "not in a list of polygons"),
        ("0,0 4,0 4,4", "neither polygons nor run lengths"),
        ([[0, 0, 4, "x", 4, 4]], "'x' is not a number"),
        ({"size": [4, 4], "counts": [0, 16]}, "run lengths of size"),
        ({"counts": [0, 64]}, "lacks 'size'"),
    ],
)
def test_other_forms_are_refused_by_file_and_number(root: Path, outline: Any, said: str) -> None:
    put(root, "annotations.json", coco({"segmentation": outline}))
    with pytest.raises(UserError, match=r"annotations\.json: invalid annotations: 11 \(.*" + said):
        read(root)


def test_ids_may_be_text_and_files_begin_with_a_mark(root: Path) -> None:
    values = coco()
    values["images"][1]["id"] = "two"
    for item in [*values["images"], *values["categories"], *values["annotations"]]:
        item["id"] = str(item["id"])
    for item in values["annotations"]:
        item["image_id"] = {1: 1, 2: "two"}[item["image_id"]]
    put(root, "annotations.json", "\ufeff" + json.dumps(values))
    is_right(root)


def test_names_may_be_percent_encoded_and_from_another_machine(root: Path) -> None:
    for old, new in (("a", "my leaf #1"), ("b", "Käfer")):
        (root / f"images/{old}.png").rename(root / f"images/{new}.png")
    values = coco()
    values["images"][0]["file_name"] = "C:\\data\\my%20leaf%20%231.jpg"
    values["images"][1]["file_name"] = "/data/upload/1/0a1b2c3d-Ka%CC%88fer.png"
    put(root, "annotations.json", values)
    assert set(drawn(read(root))) == {"my leaf #1", "Käfer"}


def test_capitals_in_names_do_not_count(root: Path) -> None:
    for name in "ab":
        (root / f"images/{name}.png").rename(root / f"images/IMG_{name}.PNG")
    values = coco()
    for item in values["images"]:
        item["file_name"] = f"img_{item['file_name']}"
    put(root, "annotations.json", values)
    assert set(drawn(read(root))) == {"IMG_a", "IMG_b"}


def test_cvats_subsets_are_a_split(root: Path) -> None:
    shape = '<polygon label="leaf" points="0,0;4,0;4,4;0,4"/>'
    images = [
        f'<image name="{name}.png" subset="{part}" width="8" height="8">{shape}</image>'
        for name, part in (("a", "Train"), ("b", "Validation"))
    ]
    put(root, "annotations.xml", f"<annotations>{''.join(images)}</annotations>")
    put(root, "tags.csv", "image,tags\nc,leaf\n")
    assert {row.id: row.split for row in read(root).rows} == {
        "a": "strong",
        "b": "val",
        "c": "weak",
    }


def test_whole_names_go_before_what_tools_make_of_them(root: Path) -> None:
    photographs(root / "images", "d")
    (root / "images/d.png").rename(root / "images/a b.png")
    (root / "images/a.png").rename(root / "images/a_b.png")
    values = coco()
    values["images"][0]["file_name"] = "a_b.png"
    put(root, "annotations.json", values)
    put(root, "tags.csv", TAGS + "a b.png,leaf\n")
    manifest = read(root)
    assert set(drawn(manifest)) == {"a_b", "b"}
    assert tags(manifest)["a b"] == {"leaf"}


def test_outlines_over_the_edge_are_cut(root: Path) -> None:
    put(root, "annotations.json", coco(stone={"segmentation": [[4, 4, 9, 4, 9, 9, 4, 9]]}))
    is_right(root)


def test_ignore_wins_over_what_lies_beneath(root: Path) -> None:
    wanted = WANTED.copy()
    wanted[2:6, 2:6] = 255
    over = {"id": 9, "image_id": 1, "category_id": 3, "segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]]}
    more = [over, {**over, "id": 8, "image_id": 2, "segmentation": [], "bbox": [2, 2, 4, 4]}]
    for name in ("ignore", "__ignore__"):
        put(root, "annotations.json", coco(names=("leaf", "stone", name), more=more))
        is_right(root, wanted)


def test_ignore_wins_however_large_it_is(root: Path) -> None:
    over = {"id": 9, "category_id": 3, "segmentation": [[0, 0, 7, 0, 7, 7, 0, 7]]}
    more = [{**over, "image_id": 1}, {**over, "image_id": 2}]
    put(root, "annotations.json", coco(names=("leaf", "stone", "ignore"), more=more))
    wanted = WANTED.copy()
    wanted[:7, :7] = 255
    is_right(root, wanted)


def test_a_speck_in_the_corner_is_no_share_of_the_sides(root: Path) -> None:
    put(root, "annotations.json", coco(stone={"segmentation": [[0, 0, 0, 1, 1, 1, 1, 0]]}))
    wanted = np.where(WANTED == 1, WANTED, 0)
    wanted[0, 0] = 2
    is_right(root, wanted)


def test_names_that_are_no_text_are_refused(root: Path) -> None:
    put(root, "annotations.json", coco(names=("leaf", {"a": 1})))
    with pytest.raises(UserError, match=r"the name .* is no text"):
        read(root)


def test_captions_and_key_points_beside_it_do_not_count(root: Path) -> None:
    put(root, "annotations/train.json", coco())
    put(root, "annotations/person_keypoints_train.json", coco(annotations=[{"id": 1}]))
    put(root, "annotations/log.json", [1, 2])
    is_right(root)


def test_roboflows_group_is_no_class(root: Path) -> None:
    categories = [
        {"id": 0, "name": "things", "supercategory": "none"},
        {"id": 1, "name": "leaf", "supercategory": "things"},
        {"id": 2, "name": "stone", "supercategory": "things"},
    ]
    put(root, "annotations.json", coco(categories=categories))
    assert is_right(root).classes.names == ("background", "leaf", "stone")


@pytest.mark.parametrize("name", ["result.json", "annotations/all.json", "instances_default.json"])
def test_coco_under_other_names(root: Path, name: str) -> None:
    put(root, name, coco())
    is_right(root)


@pytest.mark.parametrize("second", ["val", "valid", "Validation"])
def test_files_may_say_the_split(root: Path, second: str) -> None:
    values = coco()
    for name, image in (("train", 1), (second, 2)):
        part = {key: values[key] for key in ("categories",)} | {
            "images": [item for item in values["images"] if item["id"] == image],
            "annotations": [item for item in values["annotations"] if item["image_id"] == image],
        }
        put(root, f"annotations/instances_{name}.json", part)
    assert {row.id: row.split for row in is_right(root).rows} == {
        "a": "strong",
        "b": "val",
        "c": "weak",
    }


def test_roboflows_folders(root: Path) -> None:
    values = coco()
    (root / "tags.csv").write_text(TAGS)
    for folder, name, image in (("train", "a", 1), ("valid", "b", 2), ("test", "d", 3)):
        photographs(root / folder, name)
        one = {"id": image, "file_name": f"{name}.png", "width": 8, "height": 8}
        part = {"images": [one], "categories": values["categories"]} | {
            "annotations": [
                {**item, "image_id": image}
                for item in values["annotations"]
                if item["image_id"] == 1
            ]
        }
        put(root, f"{folder}/_annotations.coco.json", part)
    (root / "images/c.png").rename(root / "train/c.png")
    for path in (root / "images").iterdir():
        path.unlink()
    (root / "images").rmdir()
    rows = is_right(root).rows
    assert {row.id: row.split for row in rows} == {"a": "strong", "b": "val", "c": "weak"}
    assert looked_over(root).left_out == ["d"]
