"""Folders as people and their tools write them: each is read right, or refused with the reason.

Every folder has three photographs of 8 x 8 pixels; in a and b a leaf lies at the top left, and a
stone at the bottom right; c has tags only.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from pipeline.base.errors import UserError
from pipeline.check.survey import Survey, survey
from pipeline.data.images import Bytes, read_image, read_mask
from pipeline.data.manifest import Manifest, read_manifest, read_reading, voc_palette
from pipeline.datasets.folder.divide import Choice
from pipeline.datasets.reading.download import download
from tests.exports import make_labelme
from tests.label_studio import result, task
from tests.settings import small_params
from tests.sixteen import png16, png_grey, tiff

Make = Callable[[Path], object]
LEAF, STONE = [0, 0, 4, 0, 4, 4, 0, 4], [4, 4, 8, 4, 8, 8, 4, 8]
WANTED = np.zeros((8, 8), np.uint8)
WANTED[:4, :4], WANTED[4:, 4:] = 1, 2
RUNS = {"size": [8, 8], "counts": [0, 4, 4, 4, 4, 4, 4, 4, 36]}  # of the leaf
TAGS = "image,tags\nc.png,leaf;stone\n"
COLOURS = np.uint8([(0, 0, 0), (255, 0, 0), (0, 0, 255)])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with photographs and tags, and nothing else yet."""
    root = tmp_path / "mine"
    photographs(root / "images", "abc")
    put(root, "tags.csv", TAGS)
    return root


def photographs(folder: Path, names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (8, 8), (90, 90, 90)).save(folder / f"{name}.png")


def put(root: Path, name: str, content: Any) -> None:
    """A file of text, or of JSON."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def masks(root: Path, array: Any = WANTED, name: str = "{}.png", **options: Any) -> None:
    """Masks of a and b, and the list of their classes."""
    (root / "masks").mkdir(exist_ok=True)
    for stem in "ab":
        Image.fromarray(array).save(root / "masks" / name.format(stem), **options)
    if not (root / "classes.txt").exists():
        put(root, "classes.txt", "background\nleaf\nstone\n")


def write_sixteen(path: Path, values_HWC: Any) -> None:
    """A photograph of 16 bits."""
    path.write_bytes(png16(values_HWC) if path.suffix == ".png" else tiff(values_HWC))


def coco(
    leaf: Any = None, stone: Any = None, names: Any = ("leaf", "stone"), more: Any = (), **keys: Any
) -> dict[str, Any]:
    """COCO JSON of a and b; `leaf` and `stone` change their annotations."""
    shapes = {1: ([LEAF], [0, 0, 4, 4], leaf), 2: ([STONE], [4, 4, 4, 4], stone)}
    annotations = [
        {"id": 10 * image + key, "image_id": image, "category_id": key}
        | {"segmentation": outline, "bbox": box, "iscrowd": 0}
        | (change or {})
        for image in (1, 2)
        for key, (outline, box, change) in shapes.items()
    ]
    images = [
        {"id": 1 + n, "file_name": f"{k}.png", "width": 8, "height": 8} for n, k in enumerate("ab")
    ]
    categories = [{"id": 1 + n, "name": name} for n, name in enumerate(names)]
    values = {"images": images, "categories": categories, "annotations": [*annotations, *more]}
    return values | keys


def read(root: Path, **params: Any) -> Manifest:
    """The data set as stage download leaves it."""
    out = root.parent / "out"
    download(small_params(**{"dataset": "folder", "data_root": str(root), **params}), out)
    return read_manifest(out, root)


def drawn(manifest: Manifest) -> dict[str, Bytes]:
    """The masks by id, with 0 background, 1 leaf, 2 stone, whatever the order of the classes."""
    order = [("background", "leaf", "stone").index(name) for name in manifest.classes.names]
    table = np.full(256, 255, np.uint8)
    table[: len(order)] = order
    rows = [row for row in manifest.rows if row.mask]
    return {row.id: table[np.array(read_mask(manifest.path(row.mask)))] for row in rows}


def tags(manifest: Manifest) -> dict[str, set[str] | None]:
    """Names of the classes in each image; None where they are not known."""
    names = manifest.classes.names
    return {
        row.id: None if row.tags is None else {names[tag] for tag in row.tags}
        for row in manifest.rows
    }


def is_right(root: Path, wanted: Any = WANTED) -> Manifest:
    """Read a folder in which nothing may be lost."""
    manifest = read(root)
    found = drawn(manifest)
    assert set(found) == {"a", "b"}
    for mask_HW in found.values():
        assert np.array_equal(mask_HW, wanted)
    assert tags(manifest) == {key: {"leaf", "stone"} for key in "abc"}
    return manifest


def looked_over(root: Path) -> Survey:
    made = root.parent / "made"
    made.mkdir()
    return survey(root, Choice(0.2, 0), made)


# --- COCO JSON ----------------------------------------------------------------------------------

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


# --- tags ---------------------------------------------------------------------------------------

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


# --- index 0 ------------------------------------------------------------------------------------


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


# --- masks --------------------------------------------------------------------------------------


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


# --- photographs of 16 bits ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["{}.png", "{}.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_12_bits_in_16_are_scaled_by_the_range_of_all(root: Path, name: str, channels: int) -> None:
    masks(root)
    values = {"a": 4000, "b": 800, "c": 80}  # of the three, a alone says that they have 12 bits
    for stem, value in values.items():
        (root / f"images/{stem}.png").unlink()
        array = np.full((8, 8, channels), value, np.uint16)
        write_sixteen(root / "images" / name.format(stem), array)
    manifest = is_right(root)
    for row in manifest.rows:
        grey = np.unique(read_image(manifest.path(row.image), row.size))
        assert grey.tolist() == [round(values[row.id] * 255 / 4095)]
    assert read_reading(manifest.folder).white == 4095
    before = {row.id: row.md5 for row in manifest.rows}
    write_sixteen(root / "images" / name.format("a"), np.full((8, 8, channels), 5000, np.uint16))
    after = {row.id: row.md5 for row in read(root).rows}  # now it is 13 bits, for all of them
    assert all(before[key] != after[key] for key in "abc")
    assert looked_over(root).conversions["scaled from 16 bits"] == 3


@pytest.mark.parametrize(("low", "high", "odd"), [(29_000, 29_999, 0), (0, 4095, 65_535)])
def test_a_range_that_is_hardly_used_is_told(root: Path, low: int, high: int, odd: int) -> None:
    masks(root)
    for stem in "abc":
        array = np.linspace(low, high, 4096, dtype=np.uint16).reshape(64, 64, 1)
        (root / f"images/{stem}.png").write_bytes(png16(array))
    for stem in "ab":
        Image.fromarray(np.kron(WANTED, np.ones((8, 8), np.uint8))).save(root / f"masks/{stem}.png")
    if odd:
        array[0, 0] = odd  # a dead pixel
        (root / "images/c.png").write_bytes(png16(array))
    assert any("few levels left" in finding for finding, _ in looked_over(root).warnings)


def test_a_second_channel_is_not_dropped(root: Path) -> None:
    masks(root)
    (root / "images/a.tif").write_bytes(tiff(np.zeros((8, 8, 2), np.uint8), extras=(0,)))
    (root / "images/a.png").unlink()
    with pytest.raises(UserError, match="it has 2 channels"):
        read(root)


# --- where things lie ---------------------------------------------------------------------------


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
