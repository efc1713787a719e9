"""Label Studio's own export, "JSON": a list of tasks, each with an image and its annotations."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import SUFFIXES, read_file
from pipeline.datasets.folder.annotated_image import AnnotatedImage, ellipse, rectangle, rotated
from pipeline.datasets.folder.label_studio_masks import read_bitmask, unpack_brush
from pipeline.datasets.reading.coco_instances import base_name, check_size, finite
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.odd_values import ODD, OddValueError, json_reason, reason

Values = Mapping[str, Any]

SHAPES = ("polygon", "ellipse", "rectangle", "brush", "bitmask")
NO_SHAPES = ("labels", "relation", "textarea", "number", "rating", "datetime")
SIZE = ("original_width", "original_height")


def read_label_studio(
    paths: Sequence[Path], findings: Findings
) -> tuple[list[AnnotatedImage], list[str]]:
    """The annotated images of one or more files, and all names used, in alphabetical order.

    Polygons, ellipses, brush strokes and bitmasks are outlines, rectangles are boxes, choices are
    tags if they are classes. Predictions and choices for a single shape are not used. A task
    without an annotation, or whose annotation was skipped, is not annotated yet and left out. An
    image without shapes has width and height 0: the file does not say them.

    Problems: a task has several annotations or does not name its image; a result is damaged, is
    points or another shape without pixels, or has no label or several.

    Raises:
        UserError: a file is missing, or is not such an export.
    """
    found: list[AnnotatedImage] = []
    for path in paths:
        cases: list[str] = []
        for number, task in enumerate(track(_tasks(path), "read Label Studio tasks"), start=1):
            name = f"task {task.get('id', number)!s:.40}"
            try:
                results = _results(task)
                if results is not None:
                    found.append(_image(task, results, f"{path}: {name}"))
                    cases += [f"{name}, {case}" for case in _fill(found[-1], results)]
            except ODD as error:
                cases.append(f"{name} ({reason(error)})")
        findings.add(f"{path}: annotations cannot be used", cases)
    return found, sorted({name for image in found for name in image.tags})


def _tasks(path: Path) -> list[Values]:
    """The tasks of a file."""
    data = read_file(path, "a Label Studio export")
    try:
        tasks = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON ({json_reason(error)})") from None
    if not isinstance(tasks, list) or not tasks:
        raise UserError(f"{path} is not a Label Studio export: it is not a list of tasks")
    for number, task in enumerate(tasks, start=1):
        for key, kind in (("data", dict), ("annotations", list)):
            if not isinstance(task, dict) or not isinstance(task.get(key), kind):
                raise UserError(
                    f"{path} is not a Label Studio export: entry {number} lacks {key!r}; export "
                    "as JSON, not as JSON-MIN"
                )
    return tasks


def _results(task: Values) -> list[Values] | None:
    """The results of a task's only annotation; None if it is not annotated yet."""
    annotations = task["annotations"]
    if not all(isinstance(annotation, dict) for annotation in annotations):
        raise OddValueError("an annotation that has another form")
    finished = [each.get("result") or [] for each in annotations if not each.get("was_cancelled")]
    if len(finished) > 1:
        raise OddValueError(
            f"{len(finished)} annotations: keep one, delete the others in Label Studio, and export "
            "again"
        )
    for result in (result for results in finished for result in results):
        if not isinstance(result, dict) or not isinstance(result.get("value", {}), dict):
            raise OddValueError("an annotation that has another form")
    return finished[0] if finished else None


def _image(task: Values, results: Sequence[Values], source: str) -> AnnotatedImage:
    """The image of a task, without its objects."""
    name = _path_in(_link(task["data"])).replace("\\", "/")
    sizes = [[finite(result[key]) for key in SIZE] for result in results if result.get(SIZE[0])]
    width, height = map(int, sizes[0] if sizes else (0, 0))
    if sizes:
        check_size(width, height)
    return AnnotatedImage(f"{source} ({base_name(name):.80})", name, width, height)


def _link(data: Values) -> str:
    """Where a task's image is: "image" as a rule, else the only value that looks like one."""
    if isinstance(data.get("image"), str):
        return str(data["image"])
    texts = [value for value in data.values() if isinstance(value, str)]
    links = [text for text in texts if _path_in(text).lower().endswith(SUFFIXES)]
    if len(links) != 1:
        raise OddValueError("its data does not name one image")
    return links[0]


def _path_in(link: str) -> str:
    """The path in what Label Studio has for a file: an upload, a local file or an address.

    >>> _path_in("/data/upload/1/0a1b2c3d-a%20b.jpg"), _path_in("s3://bucket/a/b#1.jpg")
    ('/data/upload/1/0a1b2c3d-a b.jpg', '/a/b#1.jpg')
    >>> _path_in("/data/local-files/?d=a/b%26c.jpg"), _path_in("https://host/a.jpg?x=1")
    ('a/b&c.jpg', '/a.jpg')
    """
    local = re.search("/data(?:/local-files)?/?[?](?:.*&)?d=([^&]*)", link)
    if local:
        return unquote_plus(local[1])
    address = re.match("([a-z0-9+.-]+)://[^/]*", link)
    path = link[address.end() :] if address else link
    return unquote(re.split("[?#]", path)[0] if link.startswith("http") else path)


def _fill(image: AnnotatedImage, results: Sequence[Values]) -> Iterator[str]:
    """Add results to their image; yields what is wrong with them."""
    apart = [result for result in results if result.get("type") == "labels"]
    labels = {result.get("id"): result["value"]["labels"] for result in apart}
    if labels.keys() - {result.get("id") for result in results if result.get("type") != "labels"}:
        yield "labels without a shape"
    for number, result in enumerate(results, start=1):
        try:
            _add(result, labels.get(result.get("id"), []), image)
        except ODD as error:
            yield f"result {number} ({reason(error)})"


def _add(result: Values, labels: Any, image: AnnotatedImage) -> None:
    """Add one result; `labels` are those of a result of its own with the same id."""
    kind, value = str(result["type"]), result.get("value", {})
    if kind in NO_SHAPES:
        return
    if kind == "choices":
        if len(value) == 1:  # the choices for a shape stand beside its own values
            image.flags.update(_names(value["choices"]))
        return
    shape = kind.removesuffix("labels")
    names = _names(value.get(f"{shape}labels") or value.get("labels") or labels)
    named = " and ".join(f"{name!r:.40}" for name in names)
    if shape not in SHAPES:
        what = f"{shape:.40} named {named}" if names else f"{shape:.40}"
        raise OddValueError(f"a {what}: draw a polygon, or remove it")
    if len(names) != 1:
        raise OddValueError(f"labels {named}: keep one" if names else "no label: choose one")
    if result.get("image_rotation"):
        raise OddValueError("its image was turned in Label Studio: turn it back")
    if [result[key] for key in SIZE] != [image.width, image.height]:
        raise OddValueError(f"its image is not of {image.width}x{image.height} pixels here")
    _draw(image, shape, names[0], value)


def _names(names: Any) -> list[str]:
    """Labels or choices, checked."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise OddValueError("labels or choices that are not names")
    return [name.strip() for name in names]


def _draw(image: AnnotatedImage, shape: str, name: str, value: Values) -> None:
    """Add one shape. Ellipses are turned around their middle, boxes around their first corner."""
    degrees = value.get("rotation", 0)
    if shape == "polygon":
        if not all(isinstance(point, list) and len(point) == 2 for point in value["points"]):
            raise OddValueError("corners that are not pairs of numbers")
        image.add_polygon(name, _pixels([x for point in value["points"] for x in point], image))
    elif shape == "ellipse":
        middle = [value[key] for key in ("x", "y", "radiusX", "radiusY")]
        image.add_polygon(name, rotated(ellipse(*_pixels(middle, image)), degrees))
    elif shape == "rectangle":
        sides = [value[key] for key in ("x", "y", "width", "height")]
        left, top, width, height = _pixels(sides, image)
        corners = rotated(rectangle(left, top, left + width, top + height), degrees)
        shifts = cycle((left - corners[0], top - corners[1]))
        image.add_box(name, [at + shift for at, shift in zip(corners, shifts, strict=False)])
    elif shape == "brush":
        image.add_bitmap(name, unpack_brush(value["rle"], image.width, image.height), 0, 0)
    else:
        mask_HW = read_bitmask(value["imageDataURL"], image.width, image.height)
        image.add_bitmap(name, mask_HW, 0, 0)


def _pixels(percent: Sequence[Any], image: AnnotatedImage) -> list[float]:
    """Lengths x, y, x, y, ... in pixels; they are per cent of the image's width and height."""
    sides = cycle((image.width, image.height))
    return [finite(value) / 100 * side for value, side in zip(percent, sides, strict=False)]
