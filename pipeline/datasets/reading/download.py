"""Stage download: bring any kind of data set into the one form that later stages read."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.base.atomic import whole_folder
from pipeline.base.errors import UserError
from pipeline.data.manifest import SPLITS, ClassList, Manifest, Row, write_manifest
from pipeline.datasets.reading.findings import DataError
from pipeline.settings.params import Params
from pipeline.settings.paths import OUTPUTS, resolve_user_path
from pipeline.settings.registry import DATASETS

Prepare = Callable[[Path, Path, Params], tuple[list[Row], ClassList]]


def download(params: Params, folder: Path) -> dict[str, int]:
    """Prepare the data set `params.dataset` and write its manifest.

    Args:
        params: all parameters; each data set reads its own block of `params.download`.
        folder: appears complete or not at all, with manifest.csv, classes.csv and the files the
            data set had to make.

    Returns:
        Number of images in each split, in the order of `SPLITS`; then of those that were
        converted, such as "turned by EXIF".

    Raises:
        UserError: the data set cannot be downloaded, or its files are inconsistent. If the message
            cannot list every case, `<folder>.problems.txt` does.
    """
    data_root = resolve_user_path(params.data_root)
    refuse_outputs(data_root, folder)
    prepare = find_prepare(params.dataset)
    listing = folder.with_name(f"{folder.name}.problems.txt")
    listing.unlink(missing_ok=True)
    try:
        with whole_folder(folder) as part:
            rows, classes = prepare(part, data_root, params)
            manifest = Manifest(tuple(rows), classes, part, data_root)
            write_manifest(part, [row if row.md5 else mark(row, manifest) for row in rows], classes)
    except DataError as error:
        if error.whole == str(error):
            raise
        listing.write_text(f"{error.whole}\n", "utf-8", errors="backslashreplace")
        raise UserError(f"{error}\n{listing} lists them all") from None
    splits = Counter(row.split for row in rows)
    care = Counter(kind for row in rows for kind in row.care)
    return {split: splits[split] for split in SPLITS} | dict(sorted(care.items()))


def refuse_outputs(data_root: Path, folder: Path) -> None:
    """Refuse a `data_root` inside a folder that stages replace: the user's files would be lost.

    Raises:
        UserError: `data_root` lies in the data set's `folder` or in an output of another stage.
    """
    for output in (folder, *OUTPUTS):
        if data_root.is_relative_to(resolve_user_path(output)):
            raise UserError(
                f"data_root: {data_root} is inside {output}, which stages replace: move "
                "your files elsewhere, such as to data/raw, before you run anything"
            )


def mark(row: Row, manifest: Manifest) -> Row:
    """The row with the md5 of its files; a change in one of them changes the manifest.

    The readers of real data sets do the same while they look at the files.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in (row.image, row.mask, row.truth, row.proxy):
        if name:
            digest.update(manifest.path(name).read_bytes())
    return replace(row, md5=digest.hexdigest())


def find_prepare(dataset: str) -> Prepare:
    """The `prepare` of one kind of data set; imports only the libraries which that kind needs."""
    prepare: Prepare = DATASETS.load(dataset).prepare
    return prepare
