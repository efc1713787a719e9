"""Stage download: bring a data set of any kind into the one form all later stages read."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.atomic import whole_folder
from pipeline.manifest import SPLITS, ClassList, Manifest, Row, write_manifest
from pipeline.params import Params
from pipeline.paths import resolve_user_path
from pipeline.progress import track

Prepare = Callable[[Path, Path, Params], tuple[list[Row], ClassList]]


def download(params: Params, folder: Path) -> dict[str, int]:
    """Prepare the data set `params.dataset` and write its manifest.

    Args:
        params: all parameters; each data set reads its own block of `params.download`.
        folder: appears whole or not at all, with manifest.csv, classes.csv and the files the
            data set had to make.

    Returns:
        Number of images in each split, in the order of `SPLITS`.

    Raises:
        UserError: the data set cannot be downloaded, or its files do not fit together.
    """
    data_root = resolve_user_path(params.data_root)
    prepare = find_prepare(params.dataset)
    with whole_folder(folder) as part:
        rows, classes = prepare(part, data_root, params)
        manifest = Manifest(tuple(rows), classes, part, data_root)
        marked = [mark(row, manifest) for row in track(rows, "download: hash")]
        write_manifest(part, marked, classes)
    counts = Counter(row.split for row in rows)
    return {split: counts[split] for split in SPLITS}


def mark(row: Row, manifest: Manifest) -> Row:
    """The row with the md5 of its image and mask; a change in either changes the manifest."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in (row.image, row.mask):
        if name:
            digest.update(manifest.path(name).read_bytes())
    return replace(row, md5=digest.hexdigest())


def find_prepare(dataset: str) -> Prepare:
    """The `prepare` of one kind of data set.

    Imported only here, so that nobody needs the libraries of a kind of data set they do not use.
    """
    if dataset == "voc":
        from pipeline.datasets.voc import prepare
    elif dataset == "coco":
        from pipeline.datasets.coco import prepare
    elif dataset == "folder":
        from pipeline.datasets.folder import prepare
    else:
        from pipeline.datasets.rendered import prepare
    return prepare
