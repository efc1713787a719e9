"""Which photographs train and which validate: splits/train.txt and val.txt, or a draw."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.common import read_ids
from pipeline.datasets.names import composed
from pipeline.datasets.problems import Problems


def read_splits(
    folder: Path,
    images: Mapping[str, Path],
    masks: Container[str],
    share: float,
    seed: int,
    problems: Problems,
) -> tuple[list[str], list[str]]:
    """Stems of the training and of the validation images.

    A problem is: a list has unknown stems, the lists overlap, or a val image has no mask.
    """
    train, val = (_read_list(folder / f"{name}.txt", images, problems) for name in ("train", "val"))
    pool = list(images) if train is None else train
    if val is None:
        val = draw_val([name for name in pool if name in masks], share, seed)
    else:
        taught = set(train or ())
        problems.add(
            f"{folder} train.txt and val.txt share; list each once",
            [name for name in val if name in taught],
        )
    problems.add(
        f"{folder / 'val.txt'} lists images without a mask; draw it, or take them out",
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
    """Stems of a list file that are known, None where there is none."""
    if not path.exists():
        return None
    ids: list[str] = []
    with problems.gathered():
        ids = read_ids(path)
    stems = {composed(stem): stem for stem in images}
    if images:
        problems.add(
            f"{path} lists images that are not in images/; mend the names, or take them out",
            [name for name in ids if composed(name) not in stems],
        )
    return [stems[composed(name)] for name in ids if composed(name) in stems]
