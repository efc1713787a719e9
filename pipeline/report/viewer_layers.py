"""The layers of the page's viewer: pictures in files beside the page, or inside it.

The class indices of the masks are there twice: as pictures, and as bytes for the script, which must
not read pixels. A page opened as a file can load such bytes only as a script or a style sheet. They
are style sheets, so that nothing beside the page is ever run.
Shape legend: H W picture, M masks of an image.
"""

import base64
import shutil
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.data.images import Bytes
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
        """Pictures go to `folder`/viewer/<key>/<number of the layer>/, indices to indices/."""
        self.folder, self.key, self.layers = folder, key, dict[str, Layer]()
        self.indices, self.sheets = f"{FOLDER}/{key}/indices/", list[Path]()

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

    def put_indices(self, place: int, masks: Mapping[str, Bytes]) -> None:
        """Write the class indices of an image's masks, (H, W) each, in the order of the layers.

        Args:
            place: of the image; 0, 1, 2 and so on.
            masks: by the name of their layer.
        """
        # Rows of different masks are much alike, and pack best side by side.
        indices_HMW = np.stack([masks[name] for name in self.layers if name in masks], axis=1)
        path = self.folder / self.indices / f"{place}.css"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = base64.b64encode(zlib.compress(indices_HMW.tobytes(), 9)).decode()
        path.write_text(f'#viewer-sheet {{ --indices: "{text}"; }}\n', encoding="ascii")
        self.sheets.append(path)

    def told_indices(self, inline: bool) -> dict[str, Any]:
        """Where the page's script finds the indices; `data`: they themselves, if inline."""
        made: dict[str, Any] = {"folder": self.indices}
        if inline:
            made["data"] = [path.read_text("ascii").split('"')[1] for path in self.sheets]
        return made


def inline_bytes(files: Iterable[LayerFiles]) -> int:
    """Bytes of all pictures and indices in the page, as base64."""
    made = list(files)
    layers = chain.from_iterable(one.layers.values() for one in made)
    pictures = chain.from_iterable(layer.files(made[0].folder) for layer in layers)
    sheets = chain.from_iterable(one.sheets for one in made)
    in_base64 = sum(4 * -(-path.stat().st_size // 3) for path in pictures)
    return in_base64 + sum(path.stat().st_size for path in sheets)


def delete_files(folder: Path) -> None:
    """Delete the picture files: the page contains the pictures."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
