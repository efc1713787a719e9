"""LabelMe's JSON files, one per image, of any version that writes the image's size."""

import base64
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import Bytes, read_file
from pipeline.datasets.folder.annotated_image import SHARES, AnnotatedImage, ellipse, rectangle
from pipeline.datasets.reading.coco_instances import as_name, check_size, finite
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.odd_values import ODD, OddValueError, json_reason, reason, whole

UNUSABLE = "LabelMe files cannot be used"


def read_labelme(
    paths: Sequence[Path], findings: Findings
) -> tuple[list[AnnotatedImage], list[str]]:
    """The annotated images, and all names used, in alphabetical order.

    Polygons, circles and masks are outlines, rectangles are boxes. Flags that are set are tags if
    they are classes. A JSON file belongs to the image of the same name.

    Problems: a file is damaged, or has lines or points, which have no pixels.
    """
    found = []
    for path in track(paths, "read LabelMe files"):
        try:
            found.append(_read(path))
        except UserError as error:
            findings.say(UNUSABLE, error)
    findings.converted += Counter({SHARES: sum(image.shares for image in found)})
    return found, sorted({name for image in found for name in image.tags})


def _read(path: Path) -> AnnotatedImage:
    """One file."""
    try:
        values = json.loads(read_file(path, "a LabelMe file"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON ({json_reason(error)})") from None
    try:
        if not isinstance(values, dict) or "shapes" not in values:
            raise OddValueError(_other(values))
        width, height = whole(values["imageWidth"]), whole(values["imageHeight"])
        check_size(width, height)
        image = AnnotatedImage(str(path), str(path), width, height)
        flags = values.get("flags") or {}
        if not isinstance(flags, dict) or not isinstance(values["shapes"], list):
            raise OddValueError("'flags' is not an object or 'shapes' is not a list")
        image.flags.update(str(name) for name, is_set in flags.items() if is_set is True)
        for number, shape in enumerate(values["shapes"], start=1):
            try:
                _add(shape, image)
            except ODD as error:
                raise OddValueError(f"shape {number}, {reason(error)}") from None
    except ODD as error:
        raise UserError(f"{path}: {reason(error)}") from None
    return image


def _add(shape: Any, image: AnnotatedImage) -> None:
    """Add one shape; versions before 4 have polygons only and no `shape_type`."""
    if not isinstance(shape, dict):
        raise OddValueError(f"{shape!r:.40} is not a shape")
    name, kind = as_name(shape["label"]), shape.get("shape_type") or "polygon"
    pairs = shape["points"]
    if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise OddValueError("points that are not pairs of numbers")
    points = [(finite(x), finite(y)) for x, y in pairs]
    if kind == "polygon":
        image.add_polygon(name, image.in_pixels([value for point in points for value in point]))
    elif kind == "circle":
        if len(points) != 2:
            raise OddValueError("a circle that does not have two points")
        centre, edge = points
        radius = math.dist(centre, edge)
        image.add_polygon(name, ellipse(*centre, radius, radius))
    elif kind == "rectangle":
        if len(points) < 2:
            raise OddValueError("a rectangle that does not have two points")
        xs, ys = zip(*points, strict=True)
        image.add_box(name, rectangle(min(xs), min(ys), max(xs), max(ys)))
    elif kind == "mask":
        if not points:
            raise OddValueError("a mask that does not have a corner")
        left, top = (round(value) for value in points[0])
        image.add_bitmap(name, _bitmap(shape["mask"]), left, top)
    else:
        raise OddValueError(f"a {kind} named {name!r:.40}: draw a polygon, or remove it")


def _bitmap(text: str) -> Bytes:
    """The pixels of a shape of LabelMe 5.3 and later, a PNG in base64, (H, W) of 0 and 1."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text)), formats=["PNG"]) as image:
            check_size(*image.size)
            return (np.asarray(image.convert("L")) > 0).astype(np.uint8)
    except Exception:  # Pillow raises many kinds on damaged files
        raise OddValueError("a mask that is not a PNG in base64") from None


def _other(values: Any) -> str:
    """Why a JSON file is not one of LabelMe's."""
    if isinstance(values, dict) and {"images", "annotations"} <= values.keys():
        return "it is a COCO file; move it to annotations.json beside images/"
    return "it is not a LabelMe file: it lacks 'shapes'"
