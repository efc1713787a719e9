"""Pairs of image and mask: how readers of real data sets check them and make manifest rows."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import (
    Bytes,
    Size,
    check_image,
    read_file,
    read_image,
    read_mask,
    write_mask,
)
from pipeline.data.manifest import IGNORE, ROOT, ClassList, Row, write_white
from pipeline.data.sixteen_bits import white_of
from pipeline.datasets.reading.findings import Findings

Counts = NDArray[np.int64]  # pixels by class index, (256,)
FEW_LEVELS = 32  # of 256 for 98 % of all pixels: nothing much can be seen
IMAGES, MASKS = "images cannot be used", "masks cannot be used"
NEEDED = {
    "strong": "training images with masks",
    "weak": "training images with tags but no masks",
    "val": "images with masks for validation",
}


class MaskSeen(NamedTuple):
    """A mask of class indices, (H, W), and what was converted; `written`: its file holds others."""

    mask_HW: Bytes
    care: tuple[str, ...] = ()
    written: bool = False


class MaskReader:
    """Reads PNGs of class indices."""

    def __init__(self, classes: ClassList | None) -> None:
        """Take the classes that indices may mean; None if they are not known."""
        self.count = None if classes is None else len(classes)

    def read(self, path: Path, data: bytes) -> MaskSeen:
        """One mask, of its file's content; raises what `read_mask` does."""
        return MaskSeen(np.asarray(read_mask(path, self.count, data=data)))

    def tell(self) -> None:
        """Add to the findings what only all masks together show."""


@dataclass(frozen=True)
class Entry:
    """An image on its way into the manifest: `tags` are joined with those of its mask.

    `source` is the file that messages name instead of a mask that was painted from it.
    """

    id: str
    image: Path
    mask: Path | None
    split: str
    tags: tuple[int, ...] = ()
    source: str = ""


class Inspected(NamedTuple):
    """What one reading of an image finds: as `Checked`, and the start of its row's md5."""

    size: Size
    care: tuple[str, ...]
    peak: int
    digest: "hashlib._Hash"


def inspect_image(path: Path) -> Inspected:
    """Read an image once: check that it can be decoded, and start the md5 of its row.

    Raises:
        UserError: the file is missing or is not a readable image.
    """
    data = read_file(path, "an image")
    return Inspected(*check_image(path, data), hashlib.md5(data, usedforsecurity=False))


def make_rows(
    entries: Sequence[Entry],
    classes: ClassList | None,
    folder: Path,
    data_root: Path,
    findings: Findings | None = None,
) -> list[Row]:
    """Manifest rows, with sizes and md5 from the files and tags from the masks.

    Args:
        entries: images whose files lie under `folder` or `data_root`.
        classes: the classes of the masks; None if they are not known.
        folder: folder the manifest will lie in.
        data_root: what `@root/` stands for.
        findings: what was found before, to be reported together with what is found here.

    Raises:
        DataError: images or masks are missing, unreadable, of different sizes, or masks hold
            indices past the classes; or a split that training needs is empty.
    """
    findings = Findings() if findings is None else findings
    rows = [row for row, _ in inspect_all(entries, classes, folder, data_root, findings)]
    if not findings:
        with findings.gathered():
            need_splits(rows)
    findings.refuse(data_root)
    return rows


def inspect_all(
    entries: Sequence[Entry],
    classes: ClassList | None,
    folder: Path,
    data_root: Path,
    findings: Findings,
    reader: MaskReader | None = None,
) -> Iterator[tuple[Row, Counts | None]]:
    """Yield the rows of `make_rows`, each with the pixels of each index if it has a valid mask.

    Images that cannot be read are left out; problems are added to `findings`. Photographs of 16
    bits come last: how they are scaled to 8 depends on all of them.
    """
    reader = reader or MaskReader(classes)
    wide: list[tuple[Inspected, Row, Counts | None]] = []
    for entry in track(entries, "check images and masks"):
        seen = None
        try:
            seen = inspect_image(entry.image)
        except UserError as error:
            findings.say(IMAGES, error)
        mask, counts_256 = entry.mask, None
        try:
            if mask is not None:
                data = read_file(mask, "a mask")
                found = reader.read(mask, data)
                if seen is not None and classes is not None:
                    _check_size(entry, seen, found.mask_HW)
                    counts_256 = np.bincount(found.mask_HW.ravel(), minlength=256)
                    seen = seen._replace(care=(*seen.care, *found.care, *_care(counts_256)))
                    if found.written:
                        mask = folder / "masks" / f"{entry.id}.png"
                        data = _write(mask, found.mask_HW, classes)
                    seen.digest.update(data)
        except UserError as error:
            findings.say(MASKS, error)
        if seen is not None:
            files = _relative(entry.image, folder, data_root), _relative(mask, folder, data_root)
            row = _row(entry, files, seen, counts_256)
            wide += [(seen, row, counts_256)] if seen.peak else []
            yield from [] if seen.peak else [(row, counts_256)]
    reader.tell()
    yield from _narrow(wide, folder, data_root, findings)


def _row(entry: Entry, files: tuple[str, str], seen: Inspected, counts_256: Counts | None) -> Row:
    """One row; tags are those of the entry and of its mask."""
    tags = tuple(sorted({*entry.tags, *_objects(counts_256)}))
    digest = seen.digest.hexdigest()
    return Row(entry.id, *files, entry.split, tags, *seen.size, digest, care=seen.care)


def _narrow(
    wide: Sequence[tuple[Inspected, Row, Counts | None]],
    folder: Path,
    data_root: Path,
    findings: Findings,
) -> Iterator[tuple[Row, Counts | None]]:
    """Write photographs of 16 bits with 8, all by one range, and yield their rows."""
    if not wide:
        return
    peak, brightest = max((seen.peak, row.id) for seen, row, _ in wide)
    white, levels_256 = white_of(peak), np.zeros(256, np.int64)
    write_white(folder, white)
    (folder / "images").mkdir(exist_ok=True)
    for seen, row, counts_256 in track(wide, "scale photographs of 16 bits"):
        name = f"images/{row.id}.png"
        narrowed = read_image(data_root / row.image.removeprefix(ROOT), row.size, white)
        narrowed.save(folder / name)
        levels_256 += np.bincount(np.asarray(narrowed).ravel(), minlength=256)
        seen.digest.update(str(white).encode())
        yield replace(row, image=name, md5=seen.digest.hexdigest()), counts_256
    low, high = np.searchsorted(levels_256.cumsum() / levels_256.sum(), (0.01, 0.99))
    if high - low < FEW_LEVELS:
        findings.warn(
            "Photographs of 16 bits have few levels left of 256 when scaled by their largest value",
            [f"{high - low + 1}, as {brightest} has the value {peak}"],
            "Stretch all of them alike before, or correct pixels that are no part of the picture.",
        )


def need_splits(rows: Iterable[Row], needed: Iterable[str] = tuple(NEEDED)) -> None:
    """Check that there are images of all splits that are needed: strong, weak and val.

    Raises:
        UserError: there is none of one of them.
    """
    counts = Counter(row.split for row in rows)
    for split in needed:
        if not counts[split]:
            raise UserError(f"the data set has no {split} images: it needs {NEEDED[split]}")


def _check_size(entry: Entry, seen: Inspected, mask_HW: Bytes) -> None:
    """Refuse a mask of another size than its image."""
    height, width = mask_HW.shape
    if (width, height) != seen.size:
        raise UserError(
            f"{entry.source or entry.mask} is {width}x{height} pixels, but its image "
            f"{entry.image.name} is {seen.size[0]}x{seen.size[1]}{_advice((width, height), seen)}"
        )


def _write(path: Path, mask_HW: Bytes, classes: ClassList) -> bytes:
    """Write a mask; the bytes of its file."""
    path.parent.mkdir(exist_ok=True)
    write_mask(path, mask_HW, classes)
    return path.read_bytes()


def _care(counts_256: Counts) -> tuple[str, ...]:
    """What is remarkable about a mask."""
    return () if counts_256[:IGNORE].any() else ("with a mask of 255 alone",)


def _objects(counts_256: Counts | None) -> list[int]:
    """The object classes of a mask."""
    if counts_256 is None:
        return []
    return [int(index) for index in np.flatnonzero(counts_256[1:IGNORE]) + 1]


def _advice(size: Size, seen: Inspected) -> str:
    """The advice if a mask fits its image before the EXIF rotation and not after it."""
    if size != seen.size[::-1] or "turned by EXIF" not in seen.care:
        return ""
    return " after its EXIF rotation: rotate the mask as well"


def _relative(path: Path | None, folder: Path, data_root: Path) -> str:
    """A path as the manifest writes it."""
    if path is None:
        return ""
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return ROOT + path.relative_to(data_root).as_posix()
