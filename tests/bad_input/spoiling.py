"""Ways to spoil a small good data set, one mistake each: functions of its root."""

import io
import json
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from pipeline.data.images import Bytes
from tests.trees import scene

Spoil = Callable[[Path], object]
TRAIN, VAL = "annotations/instances_train2017.json", "annotations/instances_val2017.json"


def every(*spoils: Spoil) -> Spoil:
    """Several mistakes at once."""

    def spoil(root: Path) -> None:
        for each in spoils:
            each(root)

    return spoil


def content(name: str, data: str | bytes) -> Spoil:
    """A file with other content, or one that should not be there."""

    def spoil(root: Path) -> None:
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    return spoil


def gone(pattern: str) -> Spoil:
    """Files that are not there."""

    def spoil(root: Path) -> None:
        found = list(root.glob(pattern))
        assert found, pattern
        for path in found:
            path.unlink()

    return spoil


def moved(name: str, target: str) -> Spoil:
    """A file under another name."""
    return lambda root: (root / name).rename(root / target)


def cut(name: str, share: float) -> Spoil:
    """A file of which only the beginning is there."""

    def spoil(root: Path) -> None:
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: round(share * len(data))])

    return spoil


def picture(name: str, mode: str = "RGB", kind: str = "JPEG", **options: Any) -> Spoil:
    """The photograph of a scene in another mode or kind of file, whatever its name says."""

    def spoil(root: Path) -> None:
        with Image.open(root / name) as image:
            other = image.convert(mode)
        other.save(root / name, kind, **options)

    return spoil


def pixels(name: str, array: np.ndarray[Any, Any], kind: str = "PNG", **options: Any) -> Spoil:
    """An image of these pixels."""
    return lambda root: Image.fromarray(array).save(root / name, kind, **options)


def turned(name: str, orientation: int) -> Spoil:
    """The photograph as a camera writes it that was held otherwise."""

    def spoil(root: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        with Image.open(root / name) as image:
            lying = image.rotate(90, expand=True) if orientation == 6 else image.copy()
        lying.save(root / name, "JPEG", quality=95, exif=exif)

    return spoil


def animated(name: str) -> Spoil:
    """The photograph of a scene as the first of two frames."""

    def spoil(root: Path) -> None:
        with Image.open(root / name) as image:
            frames = [image.convert("RGB"), image.rotate(90).convert("RGB")]
        frames[0].save(root / name, "PNG", save_all=True, append_images=frames[1:])

    return spoil


def matlab(name: str, mask_HW: np.ndarray[Any, Any]) -> Spoil:
    """A mask as SBD keeps them."""
    return lambda root: savemat(root / name, {"GTcls": {"Segmentation": mask_HW}})


def huge(name: str) -> Spoil:
    """A PNG whose header promises 30,000 x 30,000 pixels."""

    def spoil(root: Path) -> None:
        buffer = io.BytesIO()
        Image.new("L", (1, 1)).save(buffer, "PNG")
        data = bytearray(buffer.getvalue())
        data[16:24] = (30_000).to_bytes(4, "big") * 2
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        (root / name).write_bytes(data)

    return spoil


def scene_mask(number: int) -> Bytes:
    """The mask of a scene."""
    return scene(number)[1]


def added(name: str, line: str) -> Spoil:
    """A text file with a line more."""

    def spoil(root: Path) -> None:
        path = root / name
        path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")

    return spoil


def lines_gone(name: str, start: str) -> Spoil:
    """A text file without the lines that start so."""

    def spoil(root: Path) -> None:
        lines = (root / name).read_text("utf-8").splitlines(keepends=True)
        left = [line for line in lines if not line.startswith(start)]
        assert left != lines
        (root / name).write_text("".join(left), "utf-8")

    return spoil


def replaced(name: str, old: str, new: str) -> Spoil:
    """A text file with other words."""

    def spoil(root: Path) -> None:
        text = (root / name).read_text("utf-8")
        assert old in text
        (root / name).write_text(text.replace(old, new), "utf-8")

    return spoil


def renamed(old: str, new: str) -> Spoil:
    """A scene of a folder under another name, with its mask or its tags."""

    def spoil(root: Path) -> None:
        (root / "images" / f"{old}.jpg").rename(root / "images" / f"{new}.jpg")
        mask = root / "masks" / f"{old}.png"
        if mask.exists():
            mask.rename(root / "masks" / f"{new}.png")
        else:
            path = root / "tags.csv"
            quoted = '"' + f"{new}.jpg".replace('"', '""') + '"'
            path.write_text(path.read_text("utf-8").replace(f"{old}.jpg", quoted), "utf-8")

    return spoil


def lists(**names: list[str]) -> Spoil:
    """Files in splits/."""
    return every(*(content(f"splits/{k}.txt", "\n".join(v)) for k, v in names.items()))


def edited(name: str, change: Callable[[dict[str, Any]], object]) -> Spoil:
    """A JSON file with its content changed."""

    def spoil(root: Path) -> None:
        values = json.loads((root / name).read_text("utf-8"))
        change(values)
        (root / name).write_text(json.dumps(values), "utf-8")

    return spoil


def entry(key: str, **changes: Any) -> Callable[[dict[str, Any]], object]:
    """The first entry of an array of COCO's with values changed; None takes a key away."""

    def change(values: dict[str, Any]) -> None:
        item = values[key][0]
        item.update(changes)
        for name in [name for name, value in item.items() if value is None]:
            del item[name]

    return change


def decomposed(name: str) -> str:
    """A name as macOS writes it."""
    return unicodedata.normalize("NFD", name)
