"""Files for `dvc plots show` and, across experiments, `dvc plots diff`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.manifest import ClassList
from pipeline.data.tables import write_csv
from pipeline.report.collect import Outcome, Training
from pipeline.report.pictures import Grid

SAMPLES = 100  # rows for each class; DVC's template counts rows


def write_plots(
    folder: Path,
    classes: ClassList,
    trainings: Sequence[Training],
    outcomes: Sequence[Outcome],
    grids: Mapping[str, Grid],
) -> None:
    """Write loss/, val_miou/ and confusion/<network>.csv and pictures/<rank>.png.

    Args:
        folder: report/plots.
        classes: names for the confusion.
        trainings: curves of the variants.
        outcomes: all networks that were scored.
        grids: picture grids by kind.
    """
    scores = {outcome.name: outcome.miou for outcome in outcomes}
    for training in trainings:
        last = (
            training.loss.steps[-1:],
            (scores[training.name],),
        )  # if val was not scored
        val = training.val_miou
        points = {
            "loss": (training.loss.steps, training.loss.mean),
            "val_miou": (val.steps, val.mean) if val.steps else last,
        }
        for column, (steps, values) in points.items():
            rows = zip(steps, (f"{value:.6g}" for value in values), strict=True)
            write_csv(folder / column / f"{training.name}.csv", ["step", column], rows)
    names = (*classes.names, "none")
    for outcome in outcomes:
        pairs = [(names[t], names[p]) for t, p in sampled_pairs(outcome.confusion)]
        write_csv(folder / "confusion" / f"{outcome.name}.csv", ["true", "predicted"], pairs)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for kind, grid in grids.items():
        for number, strip in enumerate(grid.strips, start=1):
            strip.joined().save(folder / "pictures" / f"{kind}-{number}.png")


def sampled_pairs(confusion: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs of truth and prediction, a hundred for each true class, in proportion to its pixels.

    DVC's template for confusion matrices counts the rows of a file, so its cells are percentages.
    Shares are rounded by largest remainder, so that they sum to a hundred.
    """
    pairs = []
    for truth, counts in enumerate(confusion):
        if not counts.sum():
            continue
        exact = SAMPLES * counts / counts.sum()
        whole = np.floor(exact).astype(int)
        rest = np.argsort(whole - exact, kind="stable")[: SAMPLES - whole.sum()]
        whole[rest] += 1
        pairs += [(truth, int(p)) for p in np.repeat(np.arange(len(whole)), whole)]
    return pairs
