"""Drawn photographs as Label Studio's tasks, with predictions that a person corrects and submits.

A hole is a polygon named background: brush strokes among predictions often do not show there.
"""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from pipeline.base.atomic import whole_file
from pipeline.data.manifest import ClassList
from pipeline.editable.drawn import Drawn

LOCAL = "/data/local-files/?d="  # a file below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT
CONTROL, IMAGE = "label", "image"  # names in the labelling interface
MODEL = "swseg"


class LabelStudioWriter:
    """Writes tasks.json, and interface.xml for the settings of the project."""

    def __init__(self, folder: Path, classes: ClassList) -> None:
        """Write into a folder."""
        self.folder, self.classes = folder, classes
        self.photographs: list[Path] = []
        self.tasks: list[dict[str, Any]] = []

    def add(self, drawn: Drawn) -> None:
        """Take one photograph."""
        width, height = drawn.size
        results = [
            {
                "id": f"region-{number}",
                "from_name": CONTROL,
                "to_name": IMAGE,
                "type": "polygonlabels",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    "points": (region.ring_N2 * 100 / np.array(drawn.size)).round(4).tolist(),
                    "polygonlabels": [self.classes.names[region.label]],
                    "closed": True,
                },
            }
            for number, region in enumerate(drawn.outlined.regions, start=1)
        ]
        self.photographs.append(drawn.photograph.resolve())
        self.tasks.append({"predictions": [{"model_version": MODEL, "result": results}]})

    def finish(self) -> list[Path]:
        """Write both files; addresses begin at the deepest folder that holds all photographs."""
        top = os.path.commonpath([path.parent for path in self.photographs])
        for photograph, task in zip(self.photographs, self.tasks, strict=True):
            below = photograph.relative_to(top).as_posix()
            task["data"] = {"image": f"{LOCAL}{quote(below)}"}
        path = self.folder / "tasks.json"
        with whole_file(path) as part:
            part.write_text(json.dumps(self.tasks, ensure_ascii=False), "utf-8")
        with whole_file(self.folder / "interface.xml") as part:
            part.write_text(interface(self.classes), "utf-8")
        return [path]


def interface(classes: ClassList) -> str:
    """The labelling interface that the tasks fit, to be pasted into the project's settings."""
    view = Element("View")
    SubElement(view, "Image", name=IMAGE, value="$image", zoom="true")
    labels = SubElement(view, "PolygonLabels", name=CONTROL, toName=IMAGE)
    for name in classes.names:
        SubElement(labels, "Label", value=name)
    indent(view)
    return tostring(view, encoding="unicode")
