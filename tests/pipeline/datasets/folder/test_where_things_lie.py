"""Folders laid out as people and their tools do."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.manifest import voc_palette
from tests.label_studio import result, task
from tests.pipeline.datasets.folder.leaves import (
    TAGS,
    WANTED,
    Make,
    coco,
    drawn,
    is_right,
    masks,
    photographs,
    put,
    read,
)


@pytest.mark.parametrize("inner", ["default", "Train", "2024/may"])
def test_photographs_may_lie_deeper(root: Path, inner: str) -> None:
    (root / "images" / inner).mkdir(parents=True)
    for name in "abc":
        (root / f"images/{name}.png").rename(root / f"images/{inner}/{name}.png")
    values = coco()
    for item in values["images"]:
        item["file_name"] = f"{inner}/{item['file_name']}"
    put(root, "annotations.json", values)
    is_right(root)
    (root / "annotations.json").unlink()
    masks(root)
    is_right(root)


def test_folders_may_be_called_in_capitals(root: Path) -> None:
    masks(root)
    (root / "images").rename(root / "Images")
    (root / "masks").rename(root / "Masks")
    is_right(root)


def test_one_name_alone_is_no_split(root: Path) -> None:
    put(root, "my_test_project.json", coco())
    is_right(root)


def test_roboflows_folders_may_share_names(root: Path) -> None:
    for folder in ("train", "valid"):
        photographs(root / folder, "a")
        part = coco()
        part["images"] = part["images"][:1]
        part["annotations"] = [item for item in part["annotations"] if item["image_id"] == 1]
        put(root, f"{folder}/_annotations.coco.json", part)
    (root / "images/a.png").unlink()
    (root / "images/b.png").unlink()
    rows = {row.id: row.split for row in read(root).rows}
    assert rows == {"c": "weak", "train__a": "strong", "valid__a": "val"}


def test_folders_of_annotations_tell_names_apart(root: Path) -> None:
    for folder, old in (("cam1", "a"), ("cam2", "b")):
        (root / "images" / folder).mkdir()
        (root / f"images/{old}.png").rename(root / f"images/{folder}/x.png")
    values = coco()
    values["images"][0]["file_name"] = "cam1/x.png"
    values["images"][1]["file_name"] = "cam2\\x.png"
    put(root, "annotations.json", values)
    assert set(drawn(read(root))) == {"cam1__x", "cam2__x"}


def test_folders_may_say_the_split_and_share_names(root: Path) -> None:
    photographs(root / "images/train", "a")
    photographs(root / "images/val", "a")
    (root / "images/a.png").unlink()
    masks(root)
    for name in ("train", "val"):
        (root / f"masks/{name}").mkdir()
        Image.fromarray(WANTED).save(root / f"masks/{name}/a.png")
    (root / "masks/a.png").unlink()
    (root / "masks/b.png").unlink()
    rows = read(root).rows
    assert {row.id: row.split for row in rows} == {
        "b": "weak",
        "c": "weak",
        "train__a": "strong",
        "val__a": "val",
    }
    put(root, "tags.csv", TAGS + "a.png,leaf\n")
    with pytest.raises(UserError, match=r"a\.png \(which of train__a, val__a\? name its folder"):
        read(root)
    put(root, "tags.csv", TAGS + "train/a.png,leaf\n")
    read(root)


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", ".DS_Store", "__MACOSX/._a.png"])
def test_what_systems_leave_is_passed_over(root: Path, name: str) -> None:
    masks(root)
    for folder in ("images", "masks"):
        put(root, f"{folder}/{name}", "x")
    is_right(root)


@pytest.mark.parametrize("colours", [":128,0,0:", "::"])
def test_vocs_layout_as_cvat_and_datumaro_write_it(root: Path, colours: str) -> None:
    (root / "images").rename(root / "JPEGImages")
    masks(root, np.array(voc_palette(3), np.uint8)[WANTED])
    (root / "masks").rename(root / "SegmentationClass")
    (root / "classes.txt").unlink()
    text = f"# label:color_rgb:parts:actions\nbackground:0,0,0::\nleaf{colours}:\nstone:0,128,0::\n"
    put(root, "labelmap.txt", text)
    put(root, "ImageSets/Segmentation/val.txt", "b\n")
    assert {row.id: row.split for row in is_right(root).rows}["b"] == "val"


def test_two_files_of_one_image_are_named(root: Path) -> None:
    masks(root)
    Image.fromarray(WANTED).save(root / "masks/a_mask.png")
    photographs(root / "images/more", "c")
    (root / "images/more/c.png").rename(root / "images/c.jpg")
    with pytest.raises(UserError) as caught:
        read(root)
    assert "several masks of one image; keep one of each: a.png, a_mask.png" in str(caught.value)
    assert "keep one of each, or rename: images/c.jpg, images/c.png" in str(caught.value)


def test_label_studios_json_under_its_own_name(root: Path) -> None:
    shapes = [
        result("polygonlabels", {"points": points, "polygonlabels": [name]}, size=(8, 8))
        for name, points in (
            ("leaf", [[0, 0], [50, 0], [50, 50], [0, 50]]),
            ("stone", [[50, 50], [100, 50], [100, 100], [50, 100]]),
        )
    ]
    tasks = [task(f"/data/upload/1/0a1b2c3d-{name}.png", *shapes) for name in "ab"]
    put(root, "project-1-at-2026-11-27.json", tasks)
    is_right(root)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda root: put(root, "data.yaml", ""), "this looks like a YOLO export"),
        (lambda root: put(root, "Annotations/a.xml", "<annotation/>"), "boxes as in Pascal VOC"),
        (lambda root: put(root, "train/_classes.csv", ""), "this looks like a Roboflow export"),
        (lambda root: put(root, "notes.txt", ""), "it holds images/, notes.txt, tags.csv"),
    ],
)
def test_it_is_said_what_lies_there_instead(root: Path, made: Make, said: str) -> None:
    made(root)
    with pytest.raises(UserError, match=said):
        read(root)


def test_a_folder_that_is_not_there(root: Path) -> None:
    with pytest.raises(UserError, match="photos is not there: data_root must be the folder"):
        read(root / "photos")


def test_near_names_are_suggested(root: Path) -> None:
    masks(root)
    put(root, "tags.csv", "image,tags\nc.png,stone;Leaf;laef\n")
    with pytest.raises(UserError, match=r"'Leaf' .*did you mean leaf\?.*'laef' .*mean leaf\?"):
        read(root)
