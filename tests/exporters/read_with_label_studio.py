"""Label Studio's own check of tasks against an interface, and its converter: FOLDER OUT."""

import json
import sys
from pathlib import Path

from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface


def main(folder: Path, out: Path) -> None:
    """What the check says of each prediction; polygons of submitted tasks in COCO JSON."""
    interface = (folder / "interface.xml").read_text("utf-8")
    tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
    check = LabelInterface(interface)
    valid = [check.validate_prediction(p) for task in tasks for p in task["predictions"]]
    submitted = folder / "submitted"
    submitted.mkdir()
    for number, task in enumerate(tasks, start=1):
        annotations = [{**p, "id": number} for p in task.pop("predictions")]
        task |= {"id": number, "annotations": annotations}
    (submitted / "tasks.json").write_text(json.dumps(tasks))
    converter = Converter(interface, str(submitted), download_resources=False)
    converter.convert_to_coco(str(submitted / "tasks.json"), str(out.parent / "coco"), is_dir=False)
    coco = json.loads((out.parent / "coco" / "result.json").read_text())
    out.write_text(json.dumps({"valid": valid, "coco": coco}))


main(Path(sys.argv[1]), Path(sys.argv[2]))
