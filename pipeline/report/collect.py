"""Reads what the page shows from the folders of the other stages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.folds import repetitions
from pipeline.data.manifest import ClassList
from pipeline.report.scored_networks import DSRG_ROW, stage_of, title_of
from pipeline.report.sources import Curve, curve, number, read_counts, read_json, read_table, stale
from pipeline.scoring.metrics import Counts, mean_and_sd
from pipeline.settings.params import Params
from pipeline.settings.paths import DSRG, PREDICTIONS, SEEDS, model_dir, proxy_dir, result_file

METRICS = ("miou", "miou_sd", "pixel_accuracy", "class_accuracy", "weighted_iou")


@dataclass(frozen=True)
class Source:
    """A file with measured numbers, and what they were measured with."""

    path: Path
    details: str


@dataclass(frozen=True)
class ClassScore:
    """A class of a network; None if the class is neither in the truth nor predicted."""

    iou: float | None
    sd: float | None
    pixels: int


@dataclass(frozen=True)
class Outcome:
    """All that is known of one row of Table 1: scores in percent, confusion as counts (C, C+1).

    Attributes:
        by_seed: mIoU of each training seed or, with folds, of each repetition of all folds by its
            first seed.
        dataset: its name in params.yaml.
        details: data set and seeds.
        by_fold: with folds, mIoU of each training seed on the fold it was trained without.
        images: `bootstrap.image_counts` of its predictions, where the interval is over images.
    """

    name: str
    title: str
    metrics: Mapping[str, float | None]
    by_seed: Mapping[int, float]
    per_class: Sequence[ClassScore]
    confusion: NDArray[np.int64]
    dataset: str = ""
    details: str = ""
    by_fold: Mapping[int, float] = field(default_factory=dict)
    images: Counts | None = None

    @property
    def each(self) -> Mapping[int, float]:
        """Mean IoU of each training seed, on the images that it is scored on."""
        return self.by_fold or self.by_seed

    @property
    def last(self) -> float:
        """Mean of these."""
        return mean_and_sd(list(self.by_fold.values()))[0] if self.by_fold else self.miou

    @property
    def predictions(self) -> Source:
        """Where its predictions are."""
        return Source(PREDICTIONS / self.name, self.details)

    @property
    def miou(self) -> float:
        """Mean IoU, mean over the seeds."""
        return self.metrics["miou"] or 0.0

    @property
    def sd(self) -> float | None:
        """Deviation of the mIoU over the seeds; None if it was trained once."""
        return self.metrics["miou_sd"] if len(self.by_seed) > 1 else None

    def source(self, kind: str = "metrics") -> Source:
        """Where its numbers come from: its file of one kind in results/."""
        return Source(result_file(self.dataset, kind, self.name), self.details)


@dataclass(frozen=True)
class Training:
    """A variant's curves over its seeds; `best` is each seed's highest val mIoU during training."""

    name: str
    loss: Curve
    val_miou: Curve
    best: tuple[float, ...]


@dataclass(frozen=True)
class Quality:
    """How good the proxies are against true masks: totals by name, rows by class."""

    images: int
    totals: Mapping[str, float]
    columns: Sequence[str]
    classes: Sequence[tuple[str, tuple[float | None, ...]]]


def read_scores(params: Params, name: str) -> tuple[dict[str, float | None], dict[int, float]]:
    """One network's means, and the mIoU of each seed or, with folds, of each repetition.

    Raises:
        UserError: a file is missing, or was made for other seeds than params.yaml has.
    """
    values = read_json(result_file(params.dataset, "metrics", name), stage_of(name))
    metrics = {key: number(str(values.get(key))) for key in METRICS}
    return metrics, read_seed_scores(params, name)[0]


def read_seed_scores(params: Params, name: str) -> tuple[dict[int, float], dict[int, float]]:
    """`by_seed` and `by_fold` of an `Outcome`.

    Raises:
        UserError: as `read_scores`.
    """
    stage, path = stage_of(name), result_file(params.dataset, "seeds", name)
    rows = {int(row["seed"]): row for row in read_table(path, stage, ("seed", "miou"))}
    if list(rows) != ([params.seed] if name == DSRG_ROW else params.seeds):
        raise stale(path, "was made for other seeds than params.yaml has", stage)
    own = {seed: number(row["miou"]) or 0.0 for seed, row in rows.items()}
    folds = len({row["fold"] for row in rows.values() if "fold" in row})
    if not folds:
        return own, {}
    firsts = [group[0] for group in repetitions(list(rows), folds)]
    return {seed: number(rows[seed]["pooled"]) or 0.0 for seed in firsts}, own


def read_outcome(params: Params, classes: ClassList, name: str) -> Outcome:
    """Everything that was scored of one network.

    Raises:
        UserError: a file is missing, or was made for other seeds or classes.
    """
    stage, per_class = stage_of(name), result_file(params.dataset, "per_class", name)
    (metrics, by_seed), (_, by_fold) = read_scores(params, name), read_seed_scores(params, name)
    table = read_table(per_class, stage, ("class", "iou", "iou_sd", "pixels"))
    if [row["class"] for row in table] != list(classes.names):
        raise stale(per_class, "has other classes than the data set", stage)
    scores = [ClassScore(number(r["iou"]), number(r["iou_sd"]), int(r["pixels"])) for r in table]
    counts = result_file(params.dataset, "confusion", name)
    confusion = read_counts(counts, stage)
    if confusion.shape != (len(classes), len(classes) + 1):
        raise stale(counts, "has other classes than the data set", stage)
    details = measured_with(params, by_fold or by_seed)
    return Outcome(
        name,
        title_of(name),
        metrics,
        by_seed,
        scores,
        confusion,
        params.dataset,
        details,
        by_fold,
    )


def measured_with(params: Params, seeds: Iterable[int]) -> str:
    """Data set and seeds behind a number, in one line."""
    named = ", ".join(str(seed) for seed in seeds)
    return f"{params.dataset}; seed{'s' if ',' in named else ''} {named}"


def unique(values: Iterable[object]) -> list[str]:
    """The known values, each once, in their order."""
    return list(dict.fromkeys(str(value) for value in values if value))


def read_lambdas(params: Params, name: str) -> tuple[Curve, float]:
    """Mean IoU of an average by lambda, and of the two networks' maximum, the file's last row.

    The curve's band is one deviation on each side.

    Raises:
        UserError: its file is missing.
    """
    columns = ("lambda", "miou", "miou_sd")
    *rows, maximum = read_table(
        result_file(params.dataset, "lambda", name), stage_of(name), columns
    )
    values = np.array([[float(row[column]) for column in columns] for row in rows])
    share, mean, sd = (tuple(column.tolist()) for column in values.T)
    low, high = (tuple(m + sign * s for m, s in zip(mean, sd, strict=True)) for sign in (-1, 1))
    return Curve(share, mean, low, high), float(maximum["miou"])


def read_training(params: Params, name: str) -> Training:
    """The curves of a variant, one history.csv for each seed.

    Raises:
        UserError: a file is missing.
    """
    histories = [
        read_table(model_dir(name, seed) / "history.csv", f"train {name} {seed}", ("step",))
        for seed in params.seeds
    ]
    scores = [curve([rows], "val_miou").mean for rows in histories]
    best = tuple(max(values) for values in scores if values)
    return Training(name, curve(histories, "loss"), curve(histories, "val_miou"), best)


def read_weak_curves() -> dict[str, Curve]:
    """The curves of the classifier and of the DSRG network, by column.

    Raises:
        UserError: a file is missing.
    """
    tags = read_table(SEEDS / "history.csv", "seeds", ("step", "tag_accuracy"))
    columns = ("seeding", "boundary", "seeded", "grown", "checked", "checked_grown", "right")
    growth = read_table(DSRG / "history.csv", "dsrg", ("step", *columns))
    curves = {column: curve([growth], column) for column in columns[:4]}
    for name, part in (("precision", "checked_grown"), ("recall", "checked")):
        curves[name] = curve([_shares(growth, "right", part)], "share")
    return {"tag_accuracy": curve([tags], "tag_accuracy"), **curves}


def read_tag_precision() -> list[tuple[str, int, float | None]]:
    """Each object class, the images that are tagged with it, and the classifier's precision.

    Raises:
        UserError: the file is missing.
    """
    rows = read_table(SEEDS / "tags.csv", "seeds", ("class", "images", "average_precision"))
    return [(r["class"], int(r["images"]), number(r["average_precision"])) for r in rows]


def _shares(rows: list[dict[str, str]], column: str, of: str) -> list[dict[str, str]]:
    """By step, one column in percent of another; steps where that is 0 are left out."""
    return [
        {"step": row["step"], "share": str(100 * float(row[column]) / float(row[of]))}
        for row in rows
        if float(row[of])
    ]


def read_quality(generator: str) -> Quality | None:
    """Quality of a generator's proxies, or None without true masks to compare them with.

    Raises:
        UserError: quality.json is there and quality.csv is not.
    """
    folder, stage = proxy_dir(generator), f"proxy {generator}"
    if not (folder / "quality.json").exists():
        return None
    values = read_json(folder / "quality.json", stage)
    images = int(values.pop("images", 0))
    numbers = {key: number(str(value)) for key, value in values.items()}
    totals = {key: value for key, value in numbers.items() if value is not None}
    if not images or not totals:
        return None
    table = read_table(folder / "quality.csv", stage, ("class",))
    columns = [name for name in table[0] if name != "class"] if table else []
    rows = [(row["class"], tuple(number(row[name]) for name in columns)) for row in table]
    return Quality(images, totals, columns, rows)
