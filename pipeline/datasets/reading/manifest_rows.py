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
from pipeline.data.manifest import IGNORE, ROOT, ClassList, Reading, Row, write_reading
from pipeline.data.sixteen_bits import white_of
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.working_copies import WorkingCopies

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

    `tags` is None if they are not known, `proxy` a mask that another tool made. `source` is the
    file that messages name instead of a mask that was painted from it.
    """

    id: str
    image: Path
    mask: Path | None
    split: str
    tags: tuple[int, ...] | None = ()
    source: str = ""
    proxy: Path | None = None


class Inspected(NamedTuple):
    """What one reading of an image finds: as `Checked`, and the start of its row's md5."""

    size: Size
    care: tuple[str, ...]
    peak: int
    digest: "hashlib._Hash"


class Wide(NamedTuple):
    """A photograph of 16 bits, whose row waits until the largest value of all is known."""

    entry: Entry
    seen: Inspected
    copies: WorkingCopies
    row: Row
    counts_256: Counts | None


def inspect_image(path: Path, data: bytes | None = None) -> Inspected:
    """Read an image once: check that it can be decoded, and start the md5 of its row.

    Args:
        path: the file.
        data: its content, where the caller has it.

    Raises:
        UserError: the file is missing or is not a readable image.
    """
    data = read_file(path, "an image") if data is None else data
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
    readers: tuple[MaskReader, MaskReader] | None = None,
    longest_side: int | None = None,
) -> Iterator[tuple[Row, Counts | None]]:
    """Yield the rows of `make_rows`, each with the pixels of each index if it has a valid mask.

    Images that cannot be read are left out; problems are added to `findings`. Photographs of 16
    bits come last: how they are scaled to 8 depends on all of them.

    Args:
        entries: as in `make_rows`.
        classes: as in `make_rows`.
        folder: as in `make_rows`.
        data_root: as in `make_rows`.
        findings: gets what is found.
        readers: of masks and of proxies; by default they are PNGs of class indices.
        longest_side: of the copies in `folder` that the rows name, in pixels; None: the rows name
            the files themselves.
    """
    of_masks, of_proxies = readers or (MaskReader(classes), MaskReader(classes))
    wide: list[Wide] = []
    for entry in track(entries, "check images and masks"):
        seen = None
        try:
            data = read_file(entry.image, "an image")
            seen = inspect_image(entry.image, data)
        except UserError as error:
            findings.say(IMAGES, error)
        mask = _read(entry, entry.mask, seen, of_masks, findings)
        proxy = _read(entry, entry.proxy, seen, of_proxies, findings)
        if seen is None:
            continue
        copies = WorkingCopies(folder, entry.id, longest_side or max(seen.size))
        counts_256 = None
        if mask is not None and classes is not None:
            counts_256 = np.bincount(mask.mask_HW.ravel(), minlength=256)
            seen = seen._replace(care=(*seen.care, *mask.care, *_care(counts_256)))
        row = _row(entry, seen, counts_256)
        if longest_side is None or classes is None:
            row = _in_place(entry, row, seen, mask, classes, folder, data_root)
        else:
            row = _copied(row, copies, mask, proxy, classes)
        if seen.peak:
            wide.append(Wide(entry, seen, copies, row, counts_256))
            continue
        if not row.image:
            image = copies.copy_image(entry.image, data, seen.size)
            row = replace(row, image=image, md5=copies.digest.hexdigest())
        yield row, counts_256
    of_masks.tell()
    of_proxies.tell()
    white = white_of(max(one.seen.peak for one in wide)) if wide else None
    write_reading(folder, Reading(white=white, longest_side=longest_side))
    if white is not None:
        yield from _narrow(wide, white, findings)


class MaskFile(NamedTuple):
    """A mask as it was read, (H, W) class indices, and its file's bytes; `written` as before."""

    mask_HW: Bytes
    care: tuple[str, ...]
    written: bool
    data: bytes


def _read(
    entry: Entry, path: Path | None, seen: Inspected | None, reader: MaskReader, findings: Findings
) -> MaskFile | None:
    """A mask of an image; None if there is none, or it cannot be used."""
    if path is None:
        return None
    try:
        data = read_file(path, "a mask")
        found = reader.read(path, data)
        if seen is not None:
            _check_size(entry, path, seen, found.mask_HW)
    except UserError as error:
        findings.say(MASKS, error)
        return None
    return MaskFile(*found, data)


def _row(entry: Entry, seen: Inspected, counts_256: Counts | None) -> Row:
    """One row without its files; tags are those of the entry and of its mask."""
    tags = None
    if entry.tags is not None or counts_256 is not None:
        tags = tuple(sorted({*(entry.tags or ()), *_objects(counts_256)}))
    return Row(entry.id, "", "", entry.split, tags, *seen.size, care=seen.care)


def _in_place(
    entry: Entry,
    row: Row,
    seen: Inspected,
    mask: MaskFile | None,
    classes: ClassList | None,
    folder: Path,
    data_root: Path,
) -> Row:
    """The row with the user's own files; a mask of another form is written as class indices."""
    path, data = entry.mask, b"" if mask is None else mask.data
    if mask is not None and mask.written and classes is not None:
        path = folder / "masks" / f"{entry.id}.png"
        path.parent.mkdir(exist_ok=True)
        write_mask(path, mask.mask_HW, classes)
        data = path.read_bytes()
    seen.digest.update(data)
    image, named, proxy = (
        _relative(file, folder, data_root) for file in (entry.image, path, entry.proxy)
    )
    return replace(row, image=image, mask=named, proxy=proxy, md5=seen.digest.hexdigest())


def _copied(
    row: Row,
    copies: WorkingCopies,
    mask: MaskFile | None,
    proxy: MaskFile | None,
    classes: ClassList,
) -> Row:
    """The row with copies of its masks; its image is still to be copied."""
    size = copies.size_of(row.size)
    if mask is not None:
        truth = ""
        if size != row.size:  # what scores count stays as it is
            truth = copies.copy_mask("truth", mask.mask_HW, classes, row.size)
        row = replace(row, mask=copies.copy_mask("masks", mask.mask_HW, classes, size), truth=truth)
    if proxy is not None:
        row = replace(row, proxy=copies.copy_mask("proxies", proxy.mask_HW, classes, size))
    return replace(row, width=size[0], height=size[1])


def _narrow(
    wide: Sequence[Wide], white: int, findings: Findings
) -> Iterator[tuple[Row, Counts | None]]:
    """Write photographs of 16 bits with 8, all by one range, and yield their rows."""
    levels_256 = np.zeros(256, np.int64)
    for one in track(wide, "scale photographs of 16 bits"):
        path = one.entry.image
        name = one.copies.copy_image(path, read_file(path, "an image"), one.seen.size, white)
        narrowed_HW3 = np.asarray(read_image(one.copies.folder / name))
        levels_256 += np.bincount(narrowed_HW3.ravel(), minlength=256)
        one.seen.digest.update(one.copies.digest.digest())
        yield replace(one.row, image=name, md5=one.seen.digest.hexdigest()), one.counts_256
    low, high = np.searchsorted(levels_256.cumsum() / levels_256.sum(), (0.01, 0.99))
    if high - low < FEW_LEVELS:
        brightest = max(wide, key=lambda one: (one.seen.peak, one.row.id))
        of = f"{brightest.row.id} has the value {brightest.seen.peak}"
        findings.warn(
            "Photographs of 16 bits have few levels left of 256 when scaled by their largest value",
            [f"{high - low + 1}, as {of}"],
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


def _check_size(entry: Entry, path: Path, seen: Inspected, mask_HW: Bytes) -> None:
    """Refuse a mask of another size than its image."""
    height, width = mask_HW.shape
    if (width, height) != seen.size:
        raise UserError(
            f"{entry.source or path} is {width}x{height} pixels, but its image "
            f"{entry.image.name} is {seen.size[0]}x{seen.size[1]}{_advice((width, height), seen)}"
        )


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
