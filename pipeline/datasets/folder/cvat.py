"""CVAT's XML, the export "CVAT for images 1.1"."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError, XMLParser

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes
from pipeline.datasets.folder.annotated_image import AnnotatedImage, ellipse, rectangle, rotated
from pipeline.datasets.folder.layout import SPLITS
from pipeline.datasets.reading.coco_instances import check_size
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.odd_values import ODD, OddValueError, number, reason, whole

CHUNK = 1 << 20  # bytes
Attributes = Mapping[str, str]


def read_cvat(paths: Sequence[Path], findings: Findings) -> tuple[list[AnnotatedImage], list[str]]:
    """The annotated images of one or more files, and the names of the labels.

    Polygons, ellipses and masks are outlines, on top of each other by their z_order; boxes are
    boxes and tags are tags.

    Problems: a shape is damaged, or is a line, points, a cuboid or a skeleton.

    Raises:
        UserError: a file is missing, is not such XML, or has a document type: CVAT writes none, and
            entities in it could expand a small file to gigabytes.
    """
    found: list[AnnotatedImage] = []
    names: dict[str, None] = {}
    for path in paths:
        target = _Target(path, findings)
        parser = XMLParser(target=target)  # noqa: S314 - `doctype` refuses entities
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    parser.feed(chunk)
                parser.close()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror})") from error
        except (ParseError, ValueError, LookupError) as error:  # the last for encodings
            raise UserError(f"{path} is not readable XML ({error})") from None
        if not target.is_cvat:
            raise UserError(f"{path} is not a CVAT file; export as CVAT for images 1.1")
        found += target.images
        names |= target.names
    return found, list(names)


class _Target:
    """Collects the images and labels of one file while it is parsed."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self.path, self.findings = path, findings
        self.images: list[AnnotatedImage] = []
        self.names: dict[str, None] = {}
        self.stack: list[str] = []
        self.text = ""
        self.image: AnnotatedImage | None = None
        self.is_cvat = False

    def doctype(self, name: str, public: str, system: str) -> None:
        """Called before any entity is defined."""
        raise UserError(f"{self.path} has a document type (DOCTYPE); CVAT writes none: remove it")

    def start(self, tag: str, attributes: Attributes) -> None:
        """Take the beginning of an element."""
        if not self.stack:
            self.is_cvat = tag == "annotations"
        self.stack.append(tag)
        self.text = ""
        if self.stack == ["annotations", "track"]:
            raise UserError(f"{self.path} has tracks of a video; export as CVAT for images 1.1")
        if self.stack[:2] != ["annotations", "image"]:
            return
        depth = len(self.stack)
        try:
            if depth == 2:
                self._open(attributes)
            elif depth == 3 and self.image is not None:
                _add(tag, attributes, self.image)
        except ODD as error:
            image = self.image.file_name if self.image else attributes.get("name", "?")
            what = "image" if depth == 2 else f"{tag} of {image}"
            self.findings.add(f"{self.path}: shapes cannot be used", [f"{what} ({reason(error)})"])

    def data(self, text: str) -> None:
        """Take text; only that of label names is used."""
        if self.stack[-3:] == ["labels", "label", "name"]:
            self.text += text

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        if self.stack[-3:] == ["labels", "label", "name"] and "image" not in self.stack:
            self.names[self.text.strip()] = None
        self.stack.pop()

    def close(self) -> None:
        """Take the end of the file."""

    def _open(self, attributes: Attributes) -> None:
        """Begin an image."""
        self.image = None
        name = attributes["name"]
        width, height = whole(attributes["width"]), whole(attributes["height"])
        check_size(width, height)
        part = SPLITS.get(attributes.get("subset", "").casefold())
        self.image = AnnotatedImage(f"{self.path}: {name}", name, width, height, part=part)
        self.images.append(self.image)


def _add(tag: str, attributes: Attributes, image: AnnotatedImage) -> None:
    """Add one shape to its image."""
    name = attributes["label"]
    layer = whole(attributes.get("z_order", "0"))
    degrees = number(attributes.get("rotation", "0"))
    if tag == "tag":
        image.tags.add(name)
    elif tag == "polygon":
        points = re.split("[,;]", attributes["points"])
        image.add_polygon(name, [number(value) for value in points], layer)
    elif tag == "ellipse":
        corners = ellipse(*(number(attributes[key]) for key in ("cx", "cy", "rx", "ry")))
        image.add_polygon(name, rotated(corners, degrees), layer)
    elif tag == "box":
        corners = rectangle(*(number(attributes[key]) for key in ("xtl", "ytl", "xbr", "ybr")))
        image.add_box(name, rotated(corners, degrees))
    elif tag == "mask":
        left, top = whole(attributes["left"]), whole(attributes["top"])
        image.add_bitmap(name, _bitmap(attributes), left, top, layer)
    else:
        raise OddValueError("draw a polygon instead, or remove it")


def _bitmap(attributes: Attributes) -> Bytes:
    """The pixels of a mask, (H, W) of 0 and 1: runs outside, inside, outside, ..., row by row."""
    width, height = whole(attributes["width"]), whole(attributes["height"])
    check_size(width, height)
    runs = [whole(run) for run in attributes["rle"].split(",")]
    if min(runs) < 0 or sum(runs) != width * height:
        raise OddValueError(f"run lengths that do not fill {width}x{height} pixels")
    inside = np.arange(len(runs), dtype=np.uint8) % 2
    return np.repeat(inside, runs).reshape(height, width)
