"""Drawn photographs as LabelMe's JSON, one file each; a hole is a polygon named background."""

import json
from pathlib import Path
from typing import Any

from pipeline.base.atomic import whole_file
from pipeline.data.manifest import ClassList
from pipeline.editable.drawn import Drawn, path_from

VERSION = "5.4.1"  # of the format, which has not changed since


class LabelmeWriter:
    """Writes <name>.json; LabelMe shows it with the photograph, wherever that is."""

    def __init__(self, folder: Path, classes: ClassList) -> None:
        """Write into a folder."""
        self.folder, self.classes = folder, classes
        self.files: dict[Path, str] = {}

    def add(self, drawn: Drawn) -> None:
        """Take one photograph."""
        path = (self.folder / drawn.name).with_suffix(".json")
        width, height = drawn.size
        values: dict[str, Any] = {
            "version": VERSION,
            "flags": {},
            "shapes": [
                {
                    "label": self.classes.names[region.label],
                    "points": region.ring_N2.round(2).tolist(),
                    "group_id": None,
                    "description": "",
                    "shape_type": "polygon",
                    "flags": {},
                }
                for region in drawn.outlined.regions
            ],
            "imagePath": path_from(path.parent, drawn.photograph),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        self.files[path] = json.dumps(values, ensure_ascii=False, indent=2)

    def finish(self) -> list[Path]:
        """Write all files, which are few bytes each: a run that breaks off leaves none."""
        for path, text in self.files.items():
            with whole_file(path) as part:
                part.write_text(text, "utf-8")
        return list(self.files)
