"""Which photographs are for training and which for validation: lists, names of files, or a draw."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.folder.find_files import Photographs
from pipeline.datasets.folder.layout import Layout, split_of_folders
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.text_files import read_ids


def read_splits(
    layout: Layout,
    photographs: Photographs,
    masks: Container[str],
    empty: Container[str],
    parts: Mapping[str, str],
    share: float,
    seed: int,
    findings: Findings,
) -> tuple[list[str], list[str]]:
    """Ids of the training and of the validation images.

    They are those of splits/train.txt and val.txt. Without these, they are what the names of files
    of annotations (`parts`), or of the folders of photographs, say, if they name both; images for
    testing are neither. Without such names, a share of the masked images is drawn. Images that are
    known to be `empty` may validate as well as those with masks.

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
            return train, [key for key, part in named.items() if part == "val" and key in truth]
    pool = list(photographs.paths) if train is None else train
    if val is None:
        val = draw_val([name for name in pool if name in masks], share, seed)
    else:
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
    return [name for name in pool if name not in held_out], val


def draw_val(masked: Sequence[str], share: float, seed: int) -> list[str]:
    """Draw a share of the masked images, at least one of them; the order does not matter."""
    if not masked:
        return []
    count = max(1, round(share * len(masked)))
    chosen = np.random.default_rng(seed).choice(len(masked), size=count, replace=False)
    return [name for number, name in enumerate(sorted(masked)) if number in chosen]


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
