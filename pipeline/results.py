"""The files a variant's evaluation leaves behind."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pipeline.atomic import whole_file
from pipeline.manifest import ClassList
from pipeline.metrics import Counts, class_accuracy, class_iou, mean_and_sd, summarise


def write_results(
    folder: Path, classes: ClassList, seeds: Sequence[int], confusions: Sequence[Counts]
) -> dict[str, float]:
    """Write metrics.json, seeds.csv, per_class.csv and confusion.csv.

    Args:
        folder: results/<variant>.
        classes: names for the rows.
        seeds: training seeds, one network each.
        confusions: their confusion matrices (C, C+1), in the same order.

    Returns:
        the content of metrics.json: percent, means over the seeds, `miou_sd` their deviation.
    """
    scores = [summarise(confusion) for confusion in confusions]
    metrics: dict[str, float] = {}
    for key in scores[0]:
        mean, deviation = mean_and_sd([score[key] for score in scores])
        metrics[key] = round(mean, 2)
        if key == "miou":
            metrics["miou_sd"] = round(deviation, 2)
    with whole_file(folder / "metrics.json") as part:
        part.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8", newline="\n")
    write_csv(
        folder / "seeds.csv",
        ["seed", *scores[0]],
        (
            [s, *(f"{v:.4f}" for v in score.values())]
            for s, score in zip(seeds, scores, strict=True)
        ),
    )
    write_csv(folder / "per_class.csv", PER_CLASS, per_class_rows(classes, confusions))
    total = np.sum(confusions, axis=0)
    header = ["truth", *classes.names, "none"]
    rows = ([name, *map(int, row)] for name, row in zip(classes.names, total, strict=True))
    write_csv(folder / "confusion.csv", header, rows)
    return metrics


PER_CLASS = ["class", "iou", "iou_sd", "accuracy", "pixels"]


def per_class_rows(classes: ClassList, confusions: Sequence[Counts]) -> list[list[str]]:
    """Rows of per_class.csv; empty cells where a class is neither in the truth nor predicted."""
    ious = np.array([class_iou(confusion) for confusion in confusions])
    accuracies = np.array([class_accuracy(confusion) for confusion in confusions])
    rows = []
    for index, name in enumerate(classes.names):
        iou, deviation = mean_and_sd(list(ious[:, index]))
        accuracy, _ = mean_and_sd(list(accuracies[:, index]))
        pixels = int(confusions[0][index].sum())
        cells = ["" if np.isnan(v) else f"{v:.2f}" for v in (iou, deviation, accuracy)]
        rows.append([name, *cells, str(pixels)])
    return rows


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a small table whole, with plain line ends on every platform."""
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
