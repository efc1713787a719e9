"""Which photographs are for training and which for validation: two lists, or a random draw."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.reading.image_names import nfc
from pipeline.datasets.reading.problems import Problems
from pipeline.datasets.reading.text_files import read_ids


def read_splits(
    folder: Path,
    images: Mapping[str, Path],
    masks: Container[str],
    share: float,
    seed: int,
    problems: Problems,
) -> tuple[list[str], list[str]]:
    """Stems of the training and of the validation images.

    Problems: a list has unknown stems, the lists overlap, or a val image has no mask.
    """
    train, val = (_read_list(folder / f"{name}.txt", images, problems) for name in ("train", "val"))
    pool = list(images) if train is None else train
    if val is None:
        val = draw_val([name for name in pool if name in masks], share, seed)
    else:
        in_train = set(train or ())
        problems.add(
            f"{folder}: train.txt and val.txt share images; list each once",
            [name for name in val if name in in_train],
        )
    problems.add(
        f"{folder / 'val.txt'} lists images without masks; add the masks or remove the "
        "images from the list",
        [n for n in val if n not in masks],
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


def _read_list(path: Path, images: Mapping[str, Path], problems: Problems) -> list[str] | None:
    """The known stems of a list file; None if there is no file."""
    if not path.exists():
        return None
    ids: list[str] = []
    with problems.gathered():
        ids = read_ids(path)
    stems = {nfc(stem): stem for stem in images}
    if images:
        problems.add(
            f"{path} lists images that are not in images/; correct or remove the names",
            [name for name in ids if nfc(name) not in stems],
        )
    return [stems[nfc(name)] for name in ids if nfc(name) in stems]
