"""LabelMe opens the files beside it, as its window does: FOLDER OUT."""

import io
import json
import sys
from pathlib import Path

from labelme import LabelFile
from PIL import Image


def main(folder: Path, out: Path) -> None:
    """Shapes and the size of the photograph, by file."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        file = LabelFile(str(path))
        with Image.open(io.BytesIO(file.imageData)) as photograph:
            size = photograph.size
        shapes = [[s["label"], s["shape_type"], s["points"]] for s in file.shapes]
        found[path.stem] = {"size": size, "shapes": shapes}
    out.write_text(json.dumps(found))


main(Path(sys.argv[1]), Path(sys.argv[2]))
