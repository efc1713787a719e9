"""Which photographs are for training and which for validation, by lists or by names of files."""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.datasets.folder.find_files import Photographs
from pipeline.datasets.folder.layout import Layout, split_of_folders
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.text_files import read_ids


class Parts(NamedTuple):
    """Ids of the training and of the validation images.

    `named` is what says which images validate, in the words of a message; empty: nothing does, so
    they are still to be drawn from those in training that have a mask.
    """

    train: list[str]
    val: list[str]
    named: str = ""


def read_splits(
    layout: Layout,
    photographs: Photographs,
    masks: Container[str],
    empty: Container[str],
    parts: Mapping[str, str],
    findings: Findings,
) -> Parts:
    """Which images train and which validate, as far as that is said.

    They are those of splits/train.txt and val.txt. Without these, they are what the names of files
    of annotations (`parts`), or of the folders of photographs, say, if they name both; images for
    testing are neither. Images that are known to be `empty` may validate as well as those with
    masks.

    Problems: a list has unknown names, the lists overlap, or a listed val image has no mask.
    """
    truth = {key for key in photographs.paths if key in masks or key in empty}
    folder = layout.root / "splits"
    if not folder.is_dir():  # as in VOC
        folder = layout.root / "ImageSets" / "Segmentation"
    train, val = (
        _read_list(folder / f"{name}.txt", photographs, findings) for name in ("train", "val")
    )
    named = _named_parts(layout, photographs, parts) if train is None and val is None else {}
    if len(set(named.values())) > 1:  # one name alone may just be a name
        train = [key for key in photographs.paths if named.get(key, "train") == "train"]
        if "val" in named.values():
            chosen = [key for key, part in named.items() if part == "val" and key in truth]
            return Parts(train, chosen, "a file or folder whose name has val in it")
    pool = list(photographs.paths) if train is None else train
    if val is None:
        return Parts(pool, [])
    in_train = set(train or ())
    findings.add(
        f"{folder}: train.txt and val.txt share images; list each once",
        [name for name in val if name in in_train],
    )
    findings.add(
        f"{folder / 'val.txt'} lists images without masks; add the masks or remove the "
        "images from the list",
        [name for name in val if name not in truth],
    )
    held_out = set(val)
    return Parts([name for name in pool if name not in held_out], val, str(folder / "val.txt"))


def _named_parts(
    layout: Layout, photographs: Photographs, parts: Mapping[str, str]
) -> dict[str, str]:
    """The part of each photograph, by the name of its annotations or its folder."""
    named = {}
    for key, path in photographs.paths.items():
        part = parts.get(key) or split_of_folders(path.parent, layout.root)
        if part:
            named[key] = part
    return named


def _read_list(path: Path, photographs: Photographs, findings: Findings) -> list[str] | None:
    """The known ids of a list file; None if there is no file."""
    if not path.exists():
        return None
    names: list[str] = []
    with findings.gathered():
        names = read_ids(path)
    found = {name: photographs.find(name) for name in names}
    if photographs.paths:
        findings.add(
            f"{path} lists images that cannot be found; correct or remove the names",
            [photographs.suggest(name) for name, key in found.items() if key is None],
        )
    return list(dict.fromkeys(key for key in found.values() if key is not None))
