"""Drawn photographs as CVAT's XML, "CVAT for images 1.1": masks, which its brush edits."""

import json
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from pipeline.base.atomic import whole_file
from pipeline.data.manifest import ClassList
from pipeline.editable.drawn import Drawn, run_lengths

# CVAT finds an image by its name, and failing that by its number: with a number that no frame has,
# a name that is not in the task is an error, not a mask on another picture.
FIRST_ID = 1_000_000


class CvatWriter:
    """Writes annotations.xml, and labels.json for the labels of a new task."""

    def __init__(self, folder: Path, classes: ClassList) -> None:
        """Write into a folder."""
        self.folder, self.classes = folder, classes
        self.root = Element("annotations")
        self.images = 0
        SubElement(self.root, "version").text = "1.1"
        task = SubElement(SubElement(self.root, "meta"), "task")  # which CVAT's projects ask for
        labels = SubElement(task, "labels")
        for name in classes.names[1:]:
            label = SubElement(labels, "label")
            SubElement(label, "name").text = name
            SubElement(label, "attributes")

    def add(self, drawn: Drawn) -> None:
        """Take one photograph; one without an object has an element of its own, too."""
        width, height = drawn.size
        image = SubElement(
            self.root,
            "image",
            id=str(FIRST_ID + self.images),
            name=drawn.name,
            width=str(width),
            height=str(height),
        )
        self.images += 1
        for region in drawn.outlined.objects:
            height, width = region.pixels_hw.shape
            SubElement(
                image,
                "mask",
                label=self.classes.names[region.label],
                source="file",
                occluded="0",
                rle=", ".join(map(str, run_lengths(region.pixels_hw.ravel()))),
                left=str(region.left),
                top=str(region.top),
                width=str(width),
                height=str(height),
                z_order="0",
            )

    def finish(self) -> list[Path]:
        """Write both files."""
        path = self.folder / "annotations.xml"
        indent(self.root)
        with whole_file(path) as part:
            ElementTree(self.root).write(part, encoding="utf-8", xml_declaration=True)
        labels = [{"name": name, "attributes": []} for name in self.classes.names[1:]]
        with whole_file(self.folder / "labels.json") as part:
            part.write_text(json.dumps(labels, ensure_ascii=False, indent=2), "utf-8")
        return [path]
