"""The files a variant's evaluation leaves behind."""

import json
from collections.abc import Sequence

import numpy as np

from pipeline.base.atomic import whole_file
from pipeline.data.manifest import ClassList
from pipeline.data.tables import write_csv
from pipeline.scoring.metrics import Counts, class_accuracy, class_iou, mean_and_sd, summarise
from pipeline.settings.paths import result_file


def write_results(
    name: str, classes: ClassList, seeds: Sequence[int], confusions: Sequence[Counts]
) -> dict[str, float]:
    """Write results/{metrics,seeds,per_class,confusion}/<name>.

    Args:
        name: of the network: a variant, dsrg, or ensemble_<variant>.
        classes: names for the rows.
        seeds: training seeds, one network each.
        confusions: their confusion matrices (C, C+1), in the same order.

    Returns:
        the content of results/metrics/<name>.json: percent, means over the seeds, `miou_sd` the
        deviation of the mIoU.
    """
    scores = [summarise(confusion) for confusion in confusions]
    metrics: dict[str, float] = {}
    for key in scores[0]:
        mean, deviation = mean_and_sd([score[key] for score in scores])
        metrics[key] = round(mean, 2)
        if key == "miou":
            metrics["miou_sd"] = round(deviation, 2)
    with whole_file(result_file("metrics", name)) as part:
        part.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8", newline="\n")
    write_csv(
        result_file("seeds", name),
        ["seed", *scores[0]],
        (
            [s, *(f"{v:.4f}" for v in score.values())]
            for s, score in zip(seeds, scores, strict=True)
        ),
    )
    write_csv(result_file("per_class", name), PER_CLASS, per_class_rows(classes, confusions))
    total = np.sum(confusions, axis=0)
    header = ["truth", *classes.names, "none"]
    rows = ([truth, *map(int, row)] for truth, row in zip(classes.names, total, strict=True))
    write_csv(result_file("confusion", name), header, rows)
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
