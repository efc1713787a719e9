"""Label Studio's JSON: every kind of result, brush masks, and what is refused."""

import base64
import contextlib
import copy
import io
import json
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools import mask as rle

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes
from pipeline.datasets.folder.annotated_image import AnnotatedImage
from pipeline.datasets.folder.label_studio import read_label_studio
from pipeline.datasets.folder.label_studio_masks import unpack_brush
from pipeline.datasets.reading.findings import Findings
from tests.bad_input.properties import VALUES, many
from tests.exports import make_label_studio, regions
from tests.label_studio import choices, pack_brush, result, task
from tests.trees import numbers, scene

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SQUARE = [[25, 25], [75, 25], [75, 75], [25, 75]]  # per cent
POLYGON = {"points": SQUARE, "polygonlabels": ["boat"]}
BOX = {"x": 50, "y": 50, "width": 25, "height": 10, "rectanglelabels": ["boat"]}
OVAL = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 40, "ellipselabels": ["boat"]}


def written(folder: Path, *tasks: Any) -> Path:
    path = folder / "annotations.json"
    path.write_text(json.dumps(tasks), "utf-8")
    return path


def read(folder: Path, *tasks: Any) -> tuple[list[AnnotatedImage], list[str]]:
    """What is read, and has no problem."""
    findings = Findings()
    found = read_label_studio([written(folder, *tasks)], findings)
    assert findings.problems == {}
    return found


def one(folder: Path, *results: Any) -> AnnotatedImage:
    """The image of one task with these results."""
    (image,), _ = read(folder, task("a.jpg", *results))
    return image


def pixels(image: AnnotatedImage, number: int = 0) -> Bytes:
    size = [image.height, image.width]
    return np.asarray(rle.decode({"size": size, "counts": image.objects[number].runs}))


def square(height: int = 48, width: int = 48) -> Bytes:
    wanted_HW = np.zeros((height, width), np.uint8)
    wanted_HW[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    return wanted_HW


def problem(folder: Path, *tasks: Any) -> str:
    """The problems of a file, as text."""
    findings = Findings()
    read_label_studio([written(folder, *tasks)], findings)
    ((text, cases),) = findings.problems.items()
    assert text == f"{folder / 'annotations.json'}: annotations cannot be used"
    return "; ".join(cases)


def test_the_data_set_comes_back(tmp_path: Path) -> None:
    make_label_studio(tmp_path / "mine")
    findings = Findings()
    found, names = read_label_studio([tmp_path / "mine" / "annotations.json"], findings)
    assert not findings
    drawn = {image.file_name: image for image in found}
    members = numbers()
    for number in members["strong"] + members["val"]:
        image = drawn[f"images/scene {number}.jpg"]
        wanted = regions(scene(number)[1])
        assert [item.name for item in image.objects] == [name for name, _ in wanted]
        for place, (_, region) in enumerate(wanted):
            assert np.array_equal(pixels(image, place), region)
    assert all(drawn[f"images/scene {number}.jpg"].flags for number in members["weak"])
    assert names == sorted(names)
    assert {"boat", "fish", "ignore"} <= set(names)


# --- results ------------------------------------------------------------------------------------


def test_a_polygon_is_in_per_cent_of_width_and_height(tmp_path: Path) -> None:
    image = one(tmp_path, result("polygonlabels", POLYGON, (40, 20)))
    assert (image.width, image.height) == (40, 20)
    assert np.array_equal(pixels(image), square(20, 40))


@pytest.mark.parametrize(
    ("degrees", "rows", "columns"),
    [(0, slice(10, 12), slice(20, 30)), (90, slice(10, 20), slice(18, 20))],
)
def test_a_box_is_turned_around_its_first_corner(
    degrees: int, rows: slice, columns: slice, tmp_path: Path
) -> None:
    image = one(tmp_path, result("rectanglelabels", {**BOX, "rotation": degrees}, (40, 20)))
    wanted_HW = np.zeros((20, 40), np.uint8)
    wanted_HW[rows, columns] = 1
    assert np.array_equal(pixels(image), wanted_HW)
    assert not image.objects[0].known


def test_an_ellipse_is_turned_around_its_middle(tmp_path: Path) -> None:
    ys, xs = np.mgrid[:50, :100] + 0.5
    for degrees, (across, down) in {0: (10, 20), 90: (20, 10)}.items():
        image = one(tmp_path, result("ellipselabels", {**OVAL, "rotation": degrees}, (100, 50)))
        distance_HW = np.hypot((xs - 50) / across, (ys - 25) / down)
        assert (pixels(image)[distance_HW < 0.93] == 1).all()
        assert (pixels(image)[distance_HW > 1.07] == 0).all()
        assert image.objects[0].known


def test_a_brush_and_a_bitmask_are_outlines(tmp_path: Path) -> None:
    brush = {"format": "rle", "rle": pack_brush(square()), "brushlabels": ["boat"]}
    picture, data = np.zeros((48, 48, 4), np.uint8), io.BytesIO()
    picture[..., 3] = 255 * square()
    Image.fromarray(picture).save(data, "PNG")
    url = "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
    mask = {"imageDataURL": url, "bitmasklabels": ["fish"]}
    image = one(tmp_path, result("brushlabels", brush), result("bitmasklabels", mask))
    assert [(item.name, item.known) for item in image.objects] == [("boat", True), ("fish", True)]
    assert np.array_equal(pixels(image), square())
    assert np.array_equal(pixels(image, 1), square())


def test_a_label_may_stand_apart(tmp_path: Path) -> None:
    shape = result("polygon", {"points": SQUARE})
    label = result("labels", {"points": SQUARE, "labels": ["boat"]})
    for image in (
        one(tmp_path, label, shape),
        one(tmp_path, shape, label),
        one(tmp_path, result("polygon", {"points": SQUARE, "labels": [" boat "]})),
    ):
        assert [item.name for item in image.objects] == ["boat"]
        assert np.array_equal(pixels(image), square())


def test_choices_are_tags_but_for_those_of_a_shape(tmp_path: Path) -> None:
    of_shape = result("choices", {**POLYGON, "choices": ["hidden"]})
    (image,), names = read(tmp_path, task("a.jpg", choices("kite", "fish"), of_shape))
    assert image.flags == {"kite", "fish"}
    assert names == []
    assert image.objects == []


def test_what_is_no_shape_is_passed_over(tmp_path: Path) -> None:
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    text = {"type": "textarea", "id": "c", "value": {"text": ["blurred"]}}
    rating = {"type": "rating", "id": "d", "value": {"rating": 5}}
    image = one(tmp_path, relation, text, rating, result("polygonlabels", POLYGON))
    assert len(image.objects) == 1


# --- tasks --------------------------------------------------------------------------------------


def test_tasks_that_are_not_annotated_are_left_out(tmp_path: Path) -> None:
    new, skipped, empty = (task(f"{n}.jpg") for n in range(3))
    predicted = [{"result": [result("polygonlabels", POLYGON)]}]
    new |= {"annotations": [], "predictions": predicted}
    skipped["annotations"][0]["was_cancelled"] = True
    (image,), names = read(tmp_path, new, skipped, empty)
    assert (image.file_name, image.width, image.height) == ("2.jpg", 0, 0)
    assert (image.objects, image.tags, names) == ([], set(), [])


def test_of_several_annotations_one_must_be_kept(tmp_path: Path) -> None:
    values = task("a.jpg", result("polygonlabels", POLYGON))
    values["annotations"] *= 2
    assert problem(tmp_path, values) == (
        "task 7 (2 annotations: keep one, delete the others in Label Studio, and export again)"
    )
    values["annotations"] = [values["annotations"][0], {"result": [], "was_cancelled": True}]
    assert len(read(tmp_path, values)[0]) == 1


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"image": "/data/upload/1/abcd1234-a%20b.jpg"}, "/data/upload/1/abcd1234-a b.jpg"),
        ({"image": "/data/local-files/?d=a/b%2B1+%26.jpg"}, "a/b+1 &.jpg"),
        ({"image": "http://localhost:8080/data/local-files/?x=1&d=a%5Cb.jpg"}, "a/b.jpg"),
        ({"image": "s3://bucket/a/b#1?.jpg"}, "/a/b#1?.jpg"),
        ({"image": "https://host:80/a/b.jpg?c=d.jpg#e"}, "/a/b.jpg"),
        ({"image": "a.jpg", "mask": "b.png"}, "a.jpg"),
        (
            {"$undefined$": "/data/upload/1/a.JPG", "note": "none", "size": 3},
            "/data/upload/1/a.JPG",
        ),
    ],
)
def test_the_name_of_the_image(data: dict[str, Any], name: str, tmp_path: Path) -> None:
    (image,), _ = read(tmp_path, {**task(""), "data": data})
    assert image.file_name == name


@pytest.mark.parametrize("data", [{}, {"a": "a.jpg", "b": "b.jpg"}, {"image": ["a.jpg"]}])
def test_a_task_must_name_one_image(data: dict[str, Any], tmp_path: Path) -> None:
    said = problem(tmp_path, {**task(""), "data": data})
    assert said == "task 7 (its data does not name one image)"


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (result("keypointlabels", {"keypointlabels": ["x"]}), "a keypoint named 'x': draw a poly"),
        (result("taxonomy", {"taxonomy": [["a"]]}), "a taxonomy: draw a polygon, or remove it"),
        (result("polygon", {"points": SQUARE}), "no label: choose one"),
        (
            result("polygonlabels", {**POLYGON, "polygonlabels": ["a", "b"]}),
            "'a' and 'b': keep one",
        ),
        (result("polygonlabels", {**POLYGON, "polygonlabels": [1]}), "that are not names"),
        (result("polygonlabels", {"polygonlabels": ["a"]}), "it lacks 'points'"),
        (result("polygonlabels", {**POLYGON, "points": [[1, 2, 3]]}), "not pairs of numbers"),
        (result("polygonlabels", {**POLYGON, "points": SQUARE[:2]}), "fewer than three corners"),
        (result("polygonlabels", {**POLYGON, "points": 5}), "a part of it has another form"),
        (result("rectanglelabels", {**BOX, "x": "left"}), "'left' is not a number"),
        (result("rectanglelabels", {**BOX, "width": 10**400}), "a part of it has another form"),
        (result("polygonlabels", POLYGON, (99, 48)), "its image is not of 48x48 pixels here"),
        (result("polygonlabels", POLYGON, image_rotation=90), "turned in Label Studio"),
        ({"type": "polygonlabels", "value": POLYGON}, "it lacks 'original_width'"),
        ({"value": POLYGON}, "it lacks 'type'"),
        (choices(["a", "b"]), "choices that are not names"),  # type: ignore[arg-type]
        (result("brushlabels", {"brushlabels": ["a"], "rle": [1, 2]}), "ends too soon"),
        (result("bitmasklabels", {"bitmasklabels": ["a"], "imageDataURL": "x,"}), "not a PNG"),
    ],
)
def test_what_is_wrong_with_a_result(damaged: dict[str, Any], said: str, tmp_path: Path) -> None:
    text = problem(tmp_path, task("a.jpg", result("polygonlabels", POLYGON), damaged))
    assert text.startswith("task 7, result 2 (")
    assert said in text


def test_a_label_needs_a_shape(tmp_path: Path) -> None:
    label = result("labels", {"labels": ["boat"]})
    assert problem(tmp_path, task("a.jpg", label)) == "task 7, labels without a shape"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is not readable JSON (it is damaged or cut off)"),
        (b"[" * 100_000, "is not readable JSON (nested too deep)"),
        (b"\x00\xff\xfe", "is not readable JSON"),
        (b"[]", "is not a Label Studio export: it is not a list of tasks"),
        (b'{"images": [], "annotations": []}', "is not a Label Studio export: it is not a list"),
        (
            b'[{"image": "a.jpg", "label": []}]',
            "entry 1 lacks 'data'; export as JSON, not as JSON-",
        ),
        (b'[{"data": {}, "predictions": []}]', "entry 1 lacks 'annotations'"),
    ],
)
def test_a_file_that_is_no_export(text: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_bytes(text)
    with pytest.raises(UserError) as error:
        read_label_studio([path], Findings())
    assert str(error.value).startswith(f"{path} is not ")
    assert said in str(error.value)


def test_a_mark_in_front_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, task("a.jpg", result("polygonlabels", POLYGON)))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_label_studio([path], Findings())[0]) == 1


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value: what holds it, and its key there."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    return found + [
        place for key in keys if isinstance(value[key], dict | list) for place in places(value[key])
    ]


GOOD = task(
    "a.jpg",
    result("polygonlabels", POLYGON),
    result("rectanglelabels", BOX),
    result("ellipselabels", OVAL),
    result("brushlabels", {"rle": pack_brush(square())[:30], "brushlabels": ["boat"]}),
    result("labels", {"labels": ["boat"]}),
    choices("fish"),
)


@many
@given(st.data())
def test_damaged_values_are_read_or_refused_in_own_words(data: st.DataObject) -> None:
    tasks = [copy.deepcopy(GOOD)]
    where, key = data.draw(st.sampled_from(places(tasks)))
    where[key] = data.draw(VALUES)
    findings = Findings()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.json"
        path.write_text(json.dumps(tasks), "utf-8")
        try:
            read_label_studio([path], findings)
        except UserError as error:
            findings.add(str(error), ["x"])
    for text, cases in findings.problems.items():
        for foreign in ("object", "unpack", "argument", "int()", "float", "subscript", "hashable"):
            assert foreign not in text + " ".join(cases)


# --- brush masks --------------------------------------------------------------------------------

# mask2rle of label-studio-sdk 2.1.2 for `tools_HW`
TOOLS = (
    "0 0 2 208 57 27 255 1 63 0 143 254 48 8 255 227 0 143 254 112 8 255 227 0 143 254 48 8 255 "
    "231 0 143 254 48 8 255 227 0 143 254 48 8 255 231 0 143 254 112 9 255 231 0 143 254 112 9 "
    "255 231 0 143 254 112 8 255 239 128 91 255 190 1 111 254 248 6 95 255 190 1 111 254 248 5 "
    "191 251 96 0"
)


def test_a_mask_that_label_studios_own_tool_has_packed() -> None:
    ys, xs = np.mgrid[:9, :20]
    tools_HW = (ys > 3) & (xs * ys % 7 < 3)
    assert np.array_equal(unpack_brush([int(byte) for byte in TOOLS.split()], 20, 9), tools_HW)


@many
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)), st.integers(1, 1 << 16))
def test_brush_masks_come_back(region: Any, count: int) -> None:
    height, width = region.shape
    assert np.array_equal(unpack_brush(pack_brush(region, count), width, height), region)


def bits(*fields: tuple[int, int]) -> list[int]:
    """Numbers, each with how many bits it has, as a list of bytes."""
    text = "".join(f"{number:0{size}b}" for number, size in fields)
    return [int(text[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(text), 8)]


HEAD = ((16, 32), (7, 5), *[(15, 4)] * 4)  # of 2x2 pixels


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (None, "not a list of bytes"),
        ([1, -1], "not a list of bytes"),
        ([256], "not a list of bytes"),
        ([True, 1.0], "not a list of bytes"),
        ([], "ends too soon"),
        (bits(*HEAD), "ends too soon"),
        (bits((2**32 - 1, 32)), "not of 2x2 pixels"),
        (bits((0, 32)), "not of 2x2 pixels"),
        (bits((16, 32), (31, 5)), "not of 8 bits"),
        (bits(*HEAD, (1, 1), (0, 2), (65535, 16), (255, 8)), "more than 2x2 pixels"),
        (bits(*HEAD, (0, 1), (0, 2), (65535, 16), (255, 8)), "more than 2x2 pixels"),
        (bits(*HEAD, (0, 1), (0, 2), (15, 16), (255, 8)), "ends too soon"),
    ],
)
def test_a_damaged_brush_mask_is_refused_before_memory_is_taken(packed: Any, said: str) -> None:
    tracemalloc.start()
    with pytest.raises(ValueError, match=said):
        unpack_brush(packed, 2, 2)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_a_brush_mask_cut_short_is_refused() -> None:
    packed = pack_brush(square(8, 8), 10)
    for length in range(len(packed)):
        with pytest.raises(ValueError, match="ends too soon"):
            unpack_brush(packed[:length], 8, 8)


@many
@given(st.lists(st.integers(0, 255), max_size=40))
def test_any_bytes_are_a_mask_or_refused(packed: list[int]) -> None:
    with contextlib.suppress(ValueError):
        assert unpack_brush([0, 0, 0, 16, 57, 27, *packed], 2, 2).shape == (2, 2)
