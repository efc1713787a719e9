"""Annotations to and from the tools: written, and told apart from those that a person changed."""

import csv
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes
from pipeline.data.manifest import ClassList
from pipeline.data.tables import write_csv
from pipeline.datasets.folder.annotated_image import AnnotatedImage
from pipeline.datasets.folder.annotations import READERS
from pipeline.datasets.folder.layout import COCO, CVAT, LABEL_STUDIO, LABELME
from pipeline.datasets.reading.findings import Findings
from pipeline.editable.coco import CocoWriter
from pipeline.editable.cvat import CvatWriter
from pipeline.editable.drawn import Drawn, Writer
from pipeline.editable.label_studio import LabelStudioWriter
from pipeline.editable.labelme import LabelmeWriter
from pipeline.editable.outlines import outline

WRITTEN = "written.csv"
HEADER = ("image", "sha256")


class Format(NamedTuple):
    """How a tool's annotations are written, as which kind they are read, and their files' names."""

    writer: Callable[[Path, ClassList], Writer]
    kind: str
    files: str


FORMATS = {
    "labelme": Format(LabelmeWriter, LABELME, "**/*.json"),
    "cvat": Format(CvatWriter, CVAT, "annotations.xml"),
    "coco": Format(CocoWriter, COCO, "annotations.json"),
    "labelstudio": Format(LabelStudioWriter, LABEL_STUDIO, "tasks.json"),
}


class Export:
    """Writes masks as annotations of a tool into a folder, with a note of what was written.

    Attributes:
        images: written so far.
        specks: pixels of them that were in specks.
        unknown: pixels of them without a class.
    """

    def __init__(self, name: str, folder: Path, classes: ClassList, specks: float) -> None:
        """Begin: `name` is one of FORMATS, `specks` as for `outline`.

        Raises:
            UserError: the folder has corrections that `join` has not taken yet.
        """
        self.format, self.folder, self.least = FORMATS[name], folder, specks
        refuse_corrected(self.format, folder)
        self.writer = self.format.writer(folder, classes)
        self.names: list[str] = []
        self.images = self.pixels = self.specks = self.unknown = 0

    def add(self, photograph: Path, name: str, mask_HW: Bytes) -> None:
        """Write the mask of a photograph; `name` is that of `Drawn`."""
        outlined = outline(mask_HW, self.least)
        self.writer.add(Drawn(photograph, name, outlined))
        self.names.append(name)
        self.images += 1
        self.pixels += mask_HW.size
        self.specks += outlined.specks
        self.unknown += outlined.unknown

    def finish(self) -> None:
        """Write what is left, and the note; what it has of other images in the folder stays."""
        found = read_export(self.format.kind, self.writer.finish(), submitted=False)
        marks = dict(zip(self.names, map(fingerprint, found), strict=True))
        path = self.folder / WRITTEN
        before = read_written(self.folder) if path.exists() else {}
        write_csv(path, HEADER, {**before, **marks}.items())


def refuse_corrected(form: Format, folder: Path) -> None:
    """Refuse to write over what a person has corrected.

    Raises:
        UserError: with the ways out.
    """
    paths = sorted(folder.glob(form.files))
    if not paths or not (folder / WRITTEN).exists():
        return
    known = set(read_written(folder).values())
    if any(
        fingerprint(image) not in known for image in read_export(form.kind, paths, submitted=False)
    ):
        raise UserError(
            f"{folder} holds corrections that were not joined yet: `swseg join` them first, or "
            "give another --out"
        )


def read_export(
    kind: str, paths: Sequence[Path], *, submitted: bool = True
) -> list[AnnotatedImage]:
    """Annotated images of a kind's files; if not `submitted`, of Label Studio's predictions.

    Raises:
        DataError: they cannot be read.
    """
    findings = Findings()
    if kind == LABEL_STUDIO and not submitted:
        (path,) = paths
        tasks = json.loads(path.read_text("utf-8"))
        with tempfile.TemporaryDirectory() as name:
            copy = Path(name, path.name)
            copy.write_text(json.dumps([_as_submitted(task) for task in tasks]), "utf-8")
            found, _ = READERS[kind]([copy], findings)
    else:
        found, _ = READERS[kind](paths, findings)
    findings.refuse(paths[0].parent)
    return found


def fingerprint(image: AnnotatedImage) -> str:
    """What is drawn in an image, whatever the order of the shapes and of their corners: SHA-256."""
    drawn = sorted((item.name, item.layer, item.known, item.runs) for item in image.objects)
    return hashlib.sha256(repr(drawn).encode()).hexdigest()


def read_written(folder: Path) -> dict[str, str]:
    """What `Export` wrote into a folder: fingerprints by the names of images.

    Raises:
        UserError: there is no note.
    """
    path = folder / WRITTEN
    if not path.exists():
        raise UserError(
            f"{path} is not there, so what a person changed cannot be told from what was written; "
            "put the corrected files into the folder that `swseg` wrote, over its own"
        )
    with path.open(encoding="utf-8", newline="") as file:
        return {row["image"]: row["sha256"] for row in csv.DictReader(file)}


def _as_submitted(task: dict[str, Any]) -> dict[str, Any]:
    """A task as Label Studio exports it when a person has accepted its prediction."""
    return {**task, "annotations": task["predictions"]}
