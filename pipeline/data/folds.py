"""Folds: parts of the masked images that are held out in turn, each scored by other trainings."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.data.manifest import Row
from pipeline.data.plan import Plan


def repetitions(seeds: Sequence[int], folds: int) -> list[list[int]]:
    """Groups of training seeds that score every image once.

    Without folds every training does so alone.

    Args:
        seeds: of the trainings; with folds they hold out every fold equally often.
        folds: how many there are; 0: none.

    >>> repetitions([0, 1, 2, 3], 2), repetitions([4, 7], 0)
    ([[0, 1], [2, 3]], [[4], [7]])
    """
    by_fold: dict[int, list[int]] = {}
    for seed in seeds:
        by_fold.setdefault(seed % max(1, folds), []).append(seed)
    return [sorted(group, key=seeds.index) for group in zip(*by_fold.values(), strict=True)]


def describe_folds(sizes: Sequence[int]) -> str:
    """Number and size of folds in words.

    >>> describe_folds([6, 6, 6]), describe_folds([4, 3])
    ('3 folds, 6 images each', '2 folds, 3 to 4 images each')
    """
    least, most = min(sizes), max(sizes)
    each = str(most) if least == most else f"{least} to {most}"
    return f"{len(sizes)} folds, {each} images each"


def without(plan: Plan, held_out: Iterable[Row]) -> Plan:
    """A plan whose strong list lacks the images that a training must not see.

    Args:
        plan: a variant's; its strong list has the images of all folds.
        held_out: the rows of one of them (`Manifest.held_out`).
    """
    ids = {row.id for row in held_out}
    return replace(plan, strong=tuple(name for name in plan.strong if name not in ids))
