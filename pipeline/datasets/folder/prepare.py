"""The user's own photographs: images/, their masks or annotations, tags.csv and classes.txt."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.images import write_mask
from pipeline.data.manifest import ClassList, Row
from pipeline.datasets.folder.annotations import Annotations, read_annotations
from pipeline.datasets.folder.divide import choice_of, divide
from pipeline.datasets.folder.find_files import find_photographs, walk
from pipeline.datasets.folder.layout import COCO, LABELME, MASKS, find_layout
from pipeline.datasets.folder.splits import read_splits
from pipeline.datasets.folder.tags_csv import Tags, read_tags
from pipeline.datasets.reading.findings import Findings, name_some
from pipeline.datasets.reading.manifest_rows import Counts, Entry, MaskReader, inspect_all
from pipeline.settings.params import Params

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What a folder holds, before its images are read.

    `left_out` are the ids of unused images; `named` is what says which validate (`splits.Parts`).
    """

    annotations: Annotations
    entries: list[Entry]
    left_out: list[str]
    named: str


def prepare(folder: Path, data_root: Path, params: Params) -> tuple[list[Row], ClassList]:
    """Manifest rows of the user's own data set.

    `data_root` holds photographs, and masks or annotations of some of them, in the layouts and
    formats that docs/data.md lists; `tags.csv` with the columns image and tags (class names joined
    by `;`) for the others; and optionally lists of the split.

    Val images need masks. Where neither lists nor names of files say which they are, a share of the
    masked images is drawn, or all of them are scored in folds (`divide`). Of the others, images
    with a mask are strong, all others weak; their tags may be unknown. Images that are for testing,
    or in none of the lists, are left out.

    Args:
        folder: the data set's folder; gets copies of all that is used, scaled to the working size.
        data_root: the user's folder, in which nothing is written.
        params: `download.folder`, drawn with `seed`; `split.strong`, without which a folder of
            masks alone is refused.

    Raises:
        DataError: something is missing or inconsistent; the message lists every kind of mistake.
        UserError: a file was changed meanwhile.
    """
    findings = Findings()
    before = files_of(data_root) if data_root.is_dir() else {}
    found = find(folder, data_root, findings)
    known = found.annotations
    seen = look(found, folder, data_root, findings, params.download.folder.longest_side)
    choice, corrected = choice_of(params), known.corrected
    rows = {row.id: row for row in divide(seen, found.named, choice, findings, corrected)}
    findings.refuse(data_root)
    refuse_changes(before, files_of(data_root), data_root)
    assert known.classes is not None
    if found.left_out:
        log.warning(
            "%d images are left out: they are for testing, or in no list: %s",
            len(found.left_out),
            name_some(found.left_out),
        )
    for (finding, fix), cases in findings.warnings.items():
        log.warning("%s: %s. %s", finding, name_some(cases), fix)
    for kind, count in findings.converted.items():
        log.warning("%d %s", count, kind)
    return [rows[entry.id] for entry in found.entries], known.classes


def find(folder: Path, data_root: Path, findings: Findings) -> Found:
    """Find the mask, the tags and, as far as it is said, the split of each photograph.

    Args:
        folder: gets masks/ with the masks that are painted.
        data_root: the user's folder.
        findings: gets what is found.
    """
    layout = find_layout(data_root, findings)
    beside = ".json" if layout.kinds.keys() & {LABELME, COCO} else ""
    photographs = find_photographs(layout.images, data_root, findings, beside)
    known = read_annotations(layout, photographs, folder, findings)
    listed = read_tags(data_root / "tags.csv", photographs, known.labels, findings)
    tags = _join(known.tags, listed)
    findings.warn(
        "Images without annotations are read as showing none of the classes",
        [key for key, named in known.tags.items() if not named and key not in listed],
        "If nobody has looked at them yet, list them in tags.csv with an empty cell.",
    )
    masks = dict(known.masks)
    empty = {key for key in known.sizes if key not in masks and tags.get(key) == ()}
    train, val, named = read_splits(layout, photographs, masks, empty, known.parts, findings)
    for key in empty.intersection(val):  # where nothing is, all is background
        assert known.classes is not None
        masks[key] = folder / MASKS / f"{key}.png"
        write_mask(masks[key], np.zeros(known.sizes[key], np.uint8), known.classes)
    splits = {name: "strong" if name in masks else "weak" for name in train}
    splits |= dict.fromkeys(val, "val")
    entries = [
        Entry(
            name,
            path,
            masks.get(name),
            splits[name],
            tags.get(name),
            known.sources.get(name, ""),
            known.proxies.get(name),
        )
        for name, path in photographs.paths.items()
        if name in splits
    ]
    used = {entry.id for entry in entries}
    left_out = [name for name in photographs.paths if name not in used]
    return Found(known, entries, left_out, named)


def _join(drawn: Tags, listed: Tags) -> dict[str, tuple[int, ...]]:
    """Tags of both sources; an empty cell in tags.csv says that nothing annotated means nothing."""
    joined = {}
    for key in drawn.keys() | listed.keys():
        tags = {*(drawn.get(key) or ()), *(listed.get(key) or ())}
        if tags or listed.get(key, ()) is not None:
            joined[key] = tuple(sorted(tags))
    return joined


def files_of(root: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of change of every file in and below a folder."""
    found = {path: path.stat(follow_symlinks=path.exists()) for path in walk(root)}
    return {path: (state.st_size, state.st_mtime_ns) for path, state in found.items()}


def refuse_changes(
    before: Mapping[Path, tuple[int, int]], after: Mapping[Path, tuple[int, int]], root: Path
) -> None:
    """Refuse a folder that was changed while it was read: half of it would be of each state.

    Raises:
        UserError: naming the first files.
    """
    changed = [path for path, _ in before.items() ^ after.items()]
    if changed:
        names = name_some(sorted({path.relative_to(root).as_posix() for path in changed}))
        raise UserError(f"{root} was changed while it was read: {names}; run the same again")


def look(
    found: Found,
    folder: Path,
    data_root: Path,
    findings: Findings,
    longest_side: int | None = None,
) -> Iterator[tuple[Row, Counts | None]]:
    """Read all images and masks; yield the rows, each with its mask's pixels by class index.

    With a `longest_side` the rows are of copies in `folder`, scaled to that many pixels.

    Problems: what `inspect_all` finds.
    """
    known = found.annotations
    plain = MaskReader(known.classes)
    readers = known.reader or plain, known.proxy_reader or plain
    return inspect_all(
        found.entries, known.classes, folder, data_root, findings, readers, longest_side
    )
