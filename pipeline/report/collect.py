"""What the page shows, gathered from the folders of the other stages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.manifest import ClassList
from pipeline.params import Params
from pipeline.paths import DSRG, PROXY, RECORDS, RESULTS, SEEDS, model_dir
from pipeline.report.names import DSRG_ROW, scored_names, stage_of, stages_behind, title_of
from pipeline.report.sources import Curve, curve, number, read_counts, read_json, read_table, stale

METRICS = ("miou", "miou_sd", "pixel_accuracy", "class_accuracy", "weighted_iou")
EARLY_STAGES = ("download", "seeds", "dsrg", "proxy", "split")


@dataclass(frozen=True)
class Source:
    """A file that measured numbers were read from, and what they were measured with."""

    path: Path
    details: str


@dataclass(frozen=True)
class ClassScore:
    """One class of one network; None where the class is neither in the truth nor predicted."""

    iou: float | None
    sd: float | None
    pixels: int


@dataclass(frozen=True)
class Outcome:
    """All that is known of one row of Table 1: scores in percent, confusion as counts (C, C+1)."""

    name: str
    title: str
    metrics: Mapping[str, float | None]
    by_seed: Mapping[int, float]
    per_class: Sequence[ClassScore]
    confusion: NDArray[np.int64]
    details: str = ""  # data set, seeds, commits and devices

    @property
    def miou(self) -> float:
        """Mean IoU, mean over the seeds."""
        return self.metrics["miou"] or 0.0

    @property
    def sd(self) -> float | None:
        """Deviation of the mIoU over the seeds; None where it was trained once."""
        return self.metrics["miou_sd"] if len(self.by_seed) > 1 else None

    def source(self, file: str = "metrics.json") -> Source:
        """Where its numbers come from."""
        return Source(RESULTS / self.name / file, self.details)


@dataclass(frozen=True)
class Training:
    """A variant's curves over its seeds; `best` is each seed's highest val mIoU on the way."""

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


@dataclass(frozen=True)
class Record:
    """What one stage ran on; `values` is empty where the stage left no record here."""

    stage: str
    values: Mapping[str, Any]


def read_scores(params: Params, name: str) -> tuple[dict[str, float | None], dict[int, float]]:
    """One network's metrics.json, and the mIoU of each seed from its seeds.csv.

    Raises:
        UserError: a file is missing, or was made for other seeds than params.yaml has.
    """
    folder, stage = RESULTS / name, stage_of(name)
    values = read_json(folder / "metrics.json", stage)
    metrics = {key: number(str(values.get(key))) for key in METRICS}
    table = read_table(folder / "seeds.csv", stage, ("seed", "miou"))
    by_seed = {int(row["seed"]): number(row["miou"]) or 0.0 for row in table}
    if list(by_seed) != ([params.seed] if name == DSRG_ROW else params.seeds):
        raise stale(folder / "seeds.csv", "was made for other seeds than params.yaml has", stage)
    return metrics, by_seed


def read_outcome(params: Params, classes: ClassList, name: str) -> Outcome:
    """Everything in results/<name>.

    Raises:
        UserError: a file is missing, or was made for other seeds or classes.
    """
    folder, stage = RESULTS / name, stage_of(name)
    metrics, by_seed = read_scores(params, name)
    table = read_table(folder / "per_class.csv", stage, ("class", "iou", "iou_sd", "pixels"))
    if [row["class"] for row in table] != list(classes.names):
        raise stale(folder / "per_class.csv", "has other classes than the data set", stage)
    scores = [ClassScore(number(r["iou"]), number(r["iou_sd"]), int(r["pixels"])) for r in table]
    confusion = read_counts(folder / "confusion.csv", stage)
    if confusion.shape != (len(classes), len(classes) + 1):
        raise stale(folder / "confusion.csv", "has other classes than the data set", stage)
    details = measured_with(params, stages_behind(params, name), by_seed)
    return Outcome(name, title_of(name), metrics, by_seed, scores, confusion, details)


def measured_with(params: Params, stages: Sequence[str], seeds: Iterable[int]) -> str:
    """Data set, seeds, commits and devices behind a number, in one line."""
    records = [read_record(stage).values for stage in stages]
    named = ", ".join(str(seed) for seed in seeds)
    commits = unique(record.get("commit") for record in records)
    devices = unique(record.get("device") for record in records)
    parts = [params.dataset, f"seed{'s' if ',' in named else ''} {named}"]
    parts += [f"commit {', '.join(commits)}"] if commits else []
    return "; ".join([*parts, ", ".join(devices)] if devices else parts)


def unique(values: Iterable[object]) -> list[str]:
    """Values that are known, once each, in the order they come."""
    return list(dict.fromkeys(str(value) for value in values if value))


def read_lambdas(name: str) -> Curve:
    """Mean IoU of an average by lambda; the band is one deviation to both sides.

    Raises:
        UserError: lambda.csv is missing.
    """
    columns = ("lambda", "miou", "miou_sd")
    rows = read_table(RESULTS / name / "lambda.csv", stage_of(name), columns)
    values = np.array([[float(row[column]) for column in columns] for row in rows])
    share, mean, sd = (tuple(column.tolist()) for column in values.T)
    low, high = (tuple(m + sign * s for m, s in zip(mean, sd, strict=True)) for sign in (-1, 1))
    return Curve(share, mean, low, high)


def read_training(params: Params, name: str) -> Training:
    """The curves of a variant, one history.csv a seed.

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
    columns = ("seeding", "boundary", "seeded", "grown")
    growth = read_table(DSRG / "history.csv", "dsrg", ("step", *columns))
    curves = {column: curve([growth], column) for column in columns}
    return {"tag_accuracy": curve([tags], "tag_accuracy"), **curves}


def read_quality(folder: Path = PROXY) -> Quality | None:
    """Quality of the proxies, or None where there were no true masks to hold them against.

    Raises:
        UserError: quality.json is there and quality.csv is not.
    """
    if not (folder / "quality.json").exists():
        return None
    values = read_json(folder / "quality.json", "proxy")
    images = int(values.pop("images", 0))
    numbers = {key: number(str(value)) for key, value in values.items()}
    totals = {key: value for key, value in numbers.items() if value is not None}
    if not images or not totals:
        return None
    table = read_table(folder / "quality.csv", "proxy", ("class",))
    columns = [name for name in table[0] if name != "class"] if table else []
    rows = [(row["class"], tuple(number(row[name]) for name in columns)) for row in table]
    return Quality(images, totals, columns, rows)


def read_records(params: Params) -> list[Record]:
    """The record of every stage of this run, in the order the stages run."""
    stages = list(EARLY_STAGES)
    for name in params.variants:
        stages += stages_behind(params, name)
    others = [name for name in scored_names(params) if name not in params.variants]
    return [read_record(stage) for stage in [*stages, *map(stage_of, others)]]


def read_record(stage: str) -> Record:
    """What a stage ran on; a stage that DVC took from its cache may have left none."""
    path = RECORDS / f"{stage.replace(' ', '-')}.json"
    return Record(stage, read_json(path, stage) if path.exists() else {})
