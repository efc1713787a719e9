"""Train and score networks on animals6 over budgets of masks: one row of scores.csv a training.

    python -m docs.results.animals6.study path/to/animals6

Run it in a clone of its own: it writes params.yaml, and `dvc repro` does the rest. Rows that are
there are not trained again. Each seed has a draw of the masks of its own. Two cores train twice as
much in two clones, `--part 0 --parts 2` and `--part 1 --parts 2`, with `--scores` of one file.
"""

import csv
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from benchmarks.changed_params import changed_params, write_params
from docs.results.animals6.data_set import CLASSES
from pipeline.settings.paths import result_file

RECIPE = Path("recipes/folder-cpu.yaml")
SCORES = Path(__file__).with_name("scores.csv")
COLUMNS = ("network", "generator", "strong", "seed", "miou", "background", *CLASSES)

# Chosen on masks of official training images, the rates on 87 that were held back
# (docs/results/animals6.md).
CHOSEN: dict[str, object] = {
    "cam.optimiser.epochs": 6,
    "cam.optimiser.batch_size": 16,
    "dsrg.optimiser.epochs": 4,
    "dsrg.optimiser.batch_size": 10,
    "train.iterations": 1500,
    "train.learning_rate_backbone": 1e-4,
}
BOTH = ("strong", "dual")
SELF = "dual.self"  # with proxies of a network trained on the masks alone
BUDGETS = {30: 5, 120: 5, 437: 3}  # masks: seeds
AT_MOST_MASKS = ("mixed", "full")
HALF_BATCH = "strong_half_batch"  # as many strong images a step as in dual
HALF_BATCH_AT = 120


class Training(NamedTuple):
    """One row of scores.csv."""

    network: str
    masks: int
    seed: int

    @property
    def variant(self) -> str:
        """Its name in params.yaml."""
        return "strong" if self.network == HALF_BATCH else self.network

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The first columns of its row."""
        network, _, generator = self.network.partition(".")
        made_by = generator or ("dsrg" if network in ("dual", "mixed") else "")
        return network, made_by, str(self.masks), str(self.seed)

    def changes(self, data: Path) -> dict[str, object]:
        """What differs from the recipe, as `dvc exp run -S` takes it."""
        alone = self.network in (HALF_BATCH, SELF)
        batch = {"train.batch_size": 4} if self.network == HALF_BATCH else {}
        return {
            **CHOSEN,
            **batch,
            "data_root": str(data.resolve()),
            "variants": [self.variant] if alone else [*BOTH, *AT_MOST_MASKS],
            "proxy.generators": ["self" if self.network == SELF else "dsrg"],
            "split.strong": self.masks,
            "split.draw": self.seed,
            "seeds": [self.seed],
        }


def trainings() -> Iterator[list[Training]]:
    """All of them, those of one draw of the masks together; what is compared first, first."""
    draws = [
        (masks, seed)
        for seed in range(max(BUDGETS.values()))
        for masks, seeds in BUDGETS.items()
        if seed < seeds
    ]
    for masks, seed in draws:
        further = AT_MOST_MASKS if masks == max(BUDGETS) else ()
        yield [Training(network, masks, seed) for network in (*BOTH, *further)]
    for masks, seed in draws:
        yield [Training(SELF, masks, seed)]
    for seed in range(BUDGETS[HALF_BATCH_AT]):
        yield [Training(HALF_BATCH, HALF_BATCH_AT, seed)]


def done(scores: Path) -> set[tuple[str, ...]]:
    """The first columns of the rows that are there."""
    if not scores.exists():
        return set()
    with scores.open(encoding="utf-8", newline="") as file:
        return {tuple(row[:4]) for row in csv.reader(file)}


def append(scores: Path, training: Training) -> None:
    """Write the row of a training that was scored."""
    with result_file("folder", "seeds", training.variant).open(encoding="utf-8") as file:
        (score,) = csv.DictReader(file)
    with result_file("folder", "per_class", training.variant).open(encoding="utf-8") as file:
        ious = {row["class"]: row["iou"] for row in csv.DictReader(file)}
    assert score["seed"] == str(training.seed)
    new = not scores.exists()
    with scores.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow([*training.key, score["miou"], *(ious[name] for name in COLUMNS[5:])])


def main(
    data: Annotated[Path, typer.Argument(help="What data_set.py built.")],
    scores: Annotated[Path, typer.Option(help="Where rows are appended.")] = SCORES,
    part: Annotated[int, typer.Option(help="Which part this clone trains, from 0 on.")] = 0,
    parts: Annotated[int, typer.Option(help="Of how many.")] = 1,
) -> None:
    """Train and score what has no row yet."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} if parts > 1 else None
    for draw in list(trainings())[part::parts]:
        for training in draw:
            if training.key in done(scores):
                continue
            write_params(changed_params(RECIPE, training.changes(data)), Path("params.yaml"))
            command = ["dvc", "repro", f"evaluate@{training.variant}"]
            subprocess.run(command, check=True, env=environment)
            append(scores, training)


if __name__ == "__main__":
    typer.run(main)
