"""Exports of annotation tools: the same data set whatever it is written in, painted as stated."""

import contextlib
import hashlib
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import Manifest, read_manifest
from pipeline.datasets.folder.annotated_image import AnnotatedImage, ellipse, rotated
from pipeline.datasets.folder.cvat import _bitmap
from pipeline.datasets.reading.download import download
from tests.bad_input.properties import many
from tests.exports import EXPORTS, make_cvat, make_labelme, make_own_coco
from tests.settings import small_params
from tests.torture.fuzz import read_exports, read_or_refuse
from tests.torture.seeds import exports
from tests.trees import make_folder, run_lengths

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def read(root: Path, out: Path) -> Manifest:
    """The data set as stage download leaves it."""
    download(small_params(dataset="folder", data_root=str(root)), out)
    return read_manifest(out, root)


def mask_of(manifest: Manifest, name: str) -> Bytes:
    row = next(row for row in manifest.rows if row.id == name)
    return np.array(read_mask(manifest.path(row.mask), len(manifest.classes)))


def state(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("kind", EXPORTS)
def test_every_export_is_the_data_set_it_was_made_of(kind: str, tmp_path: Path) -> None:
    make_folder(tmp_path / "plain")
    EXPORTS[kind](tmp_path / "mine")
    before = state(tmp_path / "mine")
    plain = read(tmp_path / "plain", tmp_path / "a")
    made = read(tmp_path / "mine", tmp_path / "b")
    assert state(tmp_path / "mine") == before
    assert made.classes.names == plain.classes.names
    assert len(made.rows) == len(plain.rows)
    for one, other in zip(plain.rows, made.rows, strict=True):
        assert (one.id, one.split, one.tags, one.size) == (
            other.id,
            other.split,
            other.tags,
            other.size,
        )
        assert bool(one.mask) == bool(other.mask)
        if one.mask:
            assert other.mask == f"masks/{one.id}.png"
            assert np.array_equal(mask_of(plain, one.id), mask_of(made, one.id))


@pytest.mark.parametrize("make", [make_own_coco, make_labelme, make_cvat])
def test_classes_txt_may_be_missing(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "mine")
    (tmp_path / "mine" / "classes.txt").unlink()
    if make is make_labelme:  # it has no list of labels, so tags can only be those drawn somewhere
        (tmp_path / "mine" / "tags.csv").write_text("image,tags\nscene 4,boat\n")
    names = read(tmp_path / "mine", tmp_path / "out").classes.names
    assert names[0] == "background"
    assert set(names) >= {"background", "boat", "fish"}
    assert "ignore" not in names


# --- what is painted ----------------------------------------------------------------------------

SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30]]
SMALL = [[15, 15], [20, 15], [20, 20], [15, 20]]


def shape(label: str, points: Any, kind: str = "polygon") -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind}


def labelme(root: Path, stem: str, *shapes: dict[str, Any], **more: Any) -> None:
    """One more file of LabelMe's."""
    values = {"shapes": shapes, "imageWidth": 48, "imageHeight": 48, "version": "4.5.6", **more}
    (root / "images" / f"{stem}.json").write_text(json.dumps(values))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_labelme(tmp_path / "mine")
    return tmp_path / "mine"


def painted(root: Path, tmp_path: Path, *shapes: dict[str, Any], **more: Any) -> Bytes:
    """The mask of "scene 4" with these shapes."""
    labelme(root, "scene 4", *shapes, **more)
    return mask_of(read(root, tmp_path / "out"), "scene 4")


def test_a_polygon_holds_the_pixels_between_its_corners(root: Path, tmp_path: Path) -> None:
    mask_HW = painted(root, tmp_path, shape("boat", SQUARE))
    wanted_HW = np.zeros((48, 48), np.uint8)
    wanted_HW[10:30, 10:30] = 1
    assert np.array_equal(mask_HW, wanted_HW)


def test_the_smaller_lies_on_top_in_any_order(root: Path, tmp_path: Path) -> None:
    for order in (1, -1):
        shapes = [shape("boat", SQUARE), shape("fish", SMALL)][::order]
        mask_HW = painted(root, tmp_path, *shapes)
        assert (mask_HW[15:20, 15:20] == 4).all()
        assert (mask_HW == 1).sum() == 400 - 25


def test_what_macos_leaves_beside_files_is_passed_over(root: Path, tmp_path: Path) -> None:
    for name in ("images/._scene 1.json", "annotations/._x.json", "masks/.DS_Store"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"\0\5\x16\7")
    assert len(read(root, tmp_path / "out").rows) == 15


def test_background_makes_a_hole(root: Path, tmp_path: Path) -> None:
    for name in ("background", "_background_"):
        mask_HW = painted(root, tmp_path, shape("boat", SQUARE), shape(name, SMALL))
        assert (mask_HW[15:20, 15:20] == 0).all()


def test_a_box_beside_outlines_is_unknown_below_them(root: Path, tmp_path: Path) -> None:
    box = shape("fish", [[40, 40], [5, 5]], "rectangle")
    mask_HW = painted(root, tmp_path, shape("boat", SQUARE), box)
    assert (mask_HW[10:30, 10:30] == 1).all()
    assert (mask_HW == 255).sum() == 35 * 35 - 400


def test_boxes_and_flags_alone_are_tags(root: Path, tmp_path: Path) -> None:
    labelme(root, "scene 4", shape("fish", [[5, 5], [9, 9]], "rectangle"))
    labelme(root, "scene 5", flags={"boat": True, "train": False})
    (root / "tags.csv").write_text("image,tags\nscene 7,boat\n")
    rows = {row.id: row for row in read(root, tmp_path / "out").rows}
    assert (rows["scene 4"].split, rows["scene 4"].tags) == ("weak", (4,))
    assert (rows["scene 5"].split, rows["scene 5"].tags) == ("weak", (1,))


def test_what_the_user_tags_goes_before_boxes(root: Path, tmp_path: Path) -> None:
    labelme(root, "scene 4", shape("fish", [[5, 5], [9, 9]], "rectangle"))
    (root / "tags.csv").write_text("image,tags\nscene 4,boat;fish\n")
    rows = {row.id: row for row in read(root, tmp_path / "out").rows}
    assert rows["scene 4"].tags == (1, 4)


def test_an_image_without_annotation_has_no_mask(root: Path, tmp_path: Path) -> None:
    labelme(root, "scene 4")
    slip = shape("boat", [[5, 5], [5, 5], [5, 5]])
    labelme(root, "scene 5", slip)
    rows = {row.id: row for row in read(root, tmp_path / "out").rows}
    assert {rows[f"scene {n}"].split for n in (4, 5)} == {"weak"}


def test_a_circle_is_one(root: Path, tmp_path: Path) -> None:
    mask_HW = painted(root, tmp_path, shape("boat", [[24, 20], [24, 35]], "circle"))
    ys, xs = np.mgrid[:48, :48] + 0.5
    distance_HW = np.hypot(xs - 24, ys - 20)
    assert (mask_HW[distance_HW < 14.2] == 1).all()
    assert (mask_HW[distance_HW > 15.8] == 0).all()


def test_a_file_of_an_old_version(root: Path, tmp_path: Path) -> None:
    old = {"label": "boat", "points": SQUARE, "line_color": None, "fill_color": None}
    mask_HW = painted(root, tmp_path, old, version="3.6.0", flags=None, lineColor=[0, 255, 0])
    assert (mask_HW == 1).sum() == 400


def test_a_quarter_turn_swaps_the_radii_of_an_ellipse() -> None:
    turned = np.array(rotated(ellipse(24, 20, 15, 5), 90)).reshape(-1, 2)
    upright = np.array(ellipse(24, 20, 5, 15)).reshape(-1, 2)
    gaps = np.linalg.norm(turned[:, None] - upright[None], axis=2).min(axis=1)
    assert gaps.max() < 1e-9


def cvat(root: Path, *shapes: str) -> None:
    """The shapes of "scene 4" in CVAT's XML."""
    make_cvat(root)
    path = root / "annotations.xml"
    head = '<image name="scene 4.jpg" width="48" height="48">'
    before, _, rest = path.read_text().partition(head)
    _, _, after = rest.partition("</image>")
    path.write_text("".join([before, head, *shapes, "</image>", after]))


def polygon(label: str, points: Any, z: int = 0) -> str:
    text = ";".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f'<polygon label="{label}" points="{text}" z_order="{z}"></polygon>'


def test_cvats_order_goes_before_the_size(tmp_path: Path) -> None:
    cvat(tmp_path / "mine", polygon("boat", SQUARE, 1), polygon("fish", SMALL, 0))
    mask_HW = mask_of(read(tmp_path / "mine", tmp_path / "out"), "scene 4")
    assert (mask_HW == 1).sum() == 400
    assert not (mask_HW == 4).any()


def test_cvats_box_is_unknown_and_its_ellipse_known(tmp_path: Path) -> None:
    box = '<box label="fish" xtl="0" ytl="0" xbr="48" ybr="48" rotation="90"/>'
    oval = '<ellipse label="boat" cx="24" cy="24" rx="10" ry="5" rotation="90"/>'
    cvat(tmp_path / "mine", box, oval)
    mask_HW = mask_of(read(tmp_path / "mine", tmp_path / "out"), "scene 4")
    assert set(np.unique(mask_HW)) == {1, 255}
    assert mask_HW[33, 24] == 1
    assert mask_HW[24, 33] == 255


@many
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_cvats_run_lengths_come_back(part_HW: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    height, width = part_HW.shape
    values = {"rle": ",".join(map(str, run_lengths(part_HW.T))), "width": str(width)}
    assert np.array_equal(_bitmap({**values, "height": str(height)}), part_HW)


@many
@given(st.lists(st.floats(allow_nan=True, width=32), min_size=0, max_size=12))
def test_any_corners_are_painted_or_refused(corners: list[float]) -> None:
    image = AnnotatedImage("x", "x.jpg", 20, 10)
    with contextlib.suppress(ValueError):
        image.add_polygon("boat", corners)
    assert all(0 < outline.area <= 200 for outline in image.objects)


def test_several_coco_files_share_categories_by_name(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    make_own_coco(root)
    values = json.loads((root / "annotations.json").read_text())
    (root / "annotations.json").unlink()
    (root / "annotations").mkdir()
    for part in (0, 1):
        images = [image for image in values["images"] if image["id"] % 2 == part]
        keys = {image["id"] for image in images}
        entries = [dict(item) for item in values["annotations"] if item["image_id"] in keys]
        categories = [dict(item) for item in values["categories"]]
        for item in entries:
            item["category_id"] += 100 * part
        for item in categories:
            item["id"] += 100 * part
        text = json.dumps({"images": images, "annotations": entries, "categories": categories})
        (root / "annotations" / f"part{part}.json").write_text(text)
    make_folder(tmp_path / "plain")
    plain, made = read(tmp_path / "plain", tmp_path / "a"), read(root, tmp_path / "b")
    for row in plain.of("strong", "val"):
        assert np.array_equal(mask_of(plain, row.id), mask_of(made, row.id))


@many
@given(st.data())
def test_damaged_exports_are_read_or_refused(data: st.DataObject) -> None:
    seeds = exports()
    good = data.draw(st.sampled_from(seeds))
    damaged = bytearray(good[: data.draw(st.integers(len(good) // 2, len(good)))])
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(1, len(damaged) - 1))
        noise = data.draw(
            st.sampled_from([b"0", b"-", b"9e9", b'"', b"[", b"{}", b"null", b"\xff"])
        )
        damaged[place : place + data.draw(st.integers(0, 3))] = noise
    with TemporaryDirectory() as folder:
        read_or_refuse(read_exports(Path(folder))[0], bytes(damaged), UserError)
    logging.disable(logging.NOTSET)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><annotations>&j;</annotations>"
)
LEAK = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>'


@pytest.mark.parametrize("text", [BOMB, LEAK])
def test_no_entity_of_xml_is_expanded(text: str, tmp_path: Path) -> None:
    make_cvat(tmp_path / "mine")
    (tmp_path / "mine" / "annotations.xml").write_text(text)
    with pytest.raises(UserError, match="document type"):
        read(tmp_path / "mine", tmp_path / "out")
