"""The layers of the page's viewer: pictures in files beside the page, or inside it."""

import base64
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.report.strips import TINY

FOLDER = "viewer"  # beside index.html


@dataclass
class Layer:
    """One picture for each image of a set, such as the truth; images may lack it."""

    name: str
    folder: str  # from index.html
    end: str  # png or jpg
    places: list[int] = field(default_factory=list)  # the images that have it

    def files(self, folder: Path) -> list[Path]:
        """All its pictures, in the order of `places`."""
        return [self.file(folder, place) for place in self.places]

    def file(self, folder: Path, place: int) -> Path:
        """The picture of one image."""
        return folder / self.folder / f"{place}.{self.end}"

    def told(self, count: int, folder: Path, inline: bool) -> dict[str, Any]:
        """The layer for the page's script, in a set of `count` images.

        `lacking`: places without a picture; `data`: the pictures as base64, if they are inline.
        """
        lacking = sorted(set(range(count)) - set(self.places))
        made = {"name": self.name, "folder": self.folder, "end": self.end, "lacking": lacking}
        if inline:
            texts = {
                p: _text(file) for p, file in zip(self.places, self.files(folder), strict=True)
            }
            made["data"] = [texts.get(place, "") for place in range(count)]
        return made


class LayerFiles:
    """Writes the layers of one set of images."""

    def __init__(self, folder: Path, key: str) -> None:
        """Pictures go to `folder`/viewer/<key>/<number of the layer>/."""
        self.folder, self.key, self.layers = folder, key, dict[str, Layer]()

    def put(self, name: str, place: int, image: Image.Image) -> None:
        """Write the picture of the image at `place` in the layer `name`; masks as grey PNGs."""
        layer = self.layers.get(name)
        if layer is None:  # named by number: names come from the user
            folder = f"{FOLDER}/{self.key}/{len(self.layers)}/"
            layer = Layer(name, folder, "jpg" if image.mode == "RGB" else "png")
            self.layers[name] = layer
            (self.folder / layer.folder).mkdir(parents=True, exist_ok=True)
        layer.places.append(place)
        small = max(image.size) <= TINY  # shown with large pixels, where JPEG's colours bleed
        quality, subsampling = (90, 0) if small else (82, 2)
        image.save(layer.file(self.folder, place), quality=quality, subsampling=subsampling)


def inline_bytes(files: Iterable[LayerFiles]) -> int:
    """Bytes of all pictures in the page, as base64."""
    paths = (layer.files(made.folder) for made in files for layer in made.layers.values())
    return sum(4 * -(-path.stat().st_size // 3) for path in chain.from_iterable(paths))


def delete_files(folder: Path) -> None:
    """Delete the picture files: the page contains the pictures."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
