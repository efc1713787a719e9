"""The files a variant's evaluation leaves behind."""

import json
from collections.abc import Sequence

import numpy as np

from pipeline.base.atomic import whole_file
from pipeline.data.folds import repetitions
from pipeline.data.manifest import ClassList
from pipeline.data.tables import write_csv
from pipeline.scoring.metrics import Counts, class_accuracy, class_iou, mean_and_sd, summarise
from pipeline.settings.paths import result_file


def write_results(
    dataset: str,
    name: str,
    classes: ClassList,
    seeds: Sequence[int],
    confusions: Sequence[Counts],
    fold_sizes: Sequence[int] = (),
) -> dict[str, float]:
    """Write results/{metrics,seeds,per_class,confusion}/<name>.

    With folds a seed's row has its fold's score, the fold, its number of images, and `pooled`: the
    mIoU of the seed's repetition, over the images of all folds together. Everything else is of the
    repetitions.

    Args:
        dataset: its name in params.yaml.
        name: of the network: a variant, dsrg, or ensemble_<variant>.
        classes: names for the rows.
        seeds: training seeds, one network each.
        confusions: their confusion matrices (C, C+1), in the same order.
        fold_sizes: images of each fold, of which a seed has one (`Manifest.held_out`); empty: every
            seed is scored on all images.

    Returns:
        the content of metrics/<name>.json: percent, means over the seeds or repetitions,
        `miou_sd` the deviation of the mIoU.
    """
    whole = pooled(seeds, confusions, len(fold_sizes))
    metrics = mean_scores(whole)
    with whole_file(result_file(dataset, "metrics", name)) as part:
        part.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8", newline="\n")
    header, *each = seed_rows(seeds, confusions, fold_sizes)
    write_csv(result_file(dataset, "seeds", name), header, each)
    write_csv(result_file(dataset, "per_class", name), PER_CLASS, per_class_rows(classes, whole))
    total = np.sum(whole, axis=0)
    header = ["truth", *classes.names, "none"]
    rows = ([truth, *map(int, row)] for truth, row in zip(classes.names, total, strict=True))
    write_csv(result_file(dataset, "confusion", name), header, rows)
    return metrics


def pooled(seeds: Sequence[int], confusions: Sequence[Counts], folds: int) -> list[Counts]:
    """The confusion matrix of each repetition: the sum over its seeds.

    >>> pooled([0, 1, 2, 3], [np.array([n]) for n in (1, 2, 10, 20)], folds=2)
    [array([3]), array([30])]
    """
    by_seed = dict(zip(seeds, confusions, strict=True))
    return [
        np.sum([by_seed[seed] for seed in group], axis=0) for group in repetitions(seeds, folds)
    ]


def mean_scores(confusions: Sequence[Counts]) -> dict[str, float]:
    """Means of the scores of several confusion matrices, and the deviation of the mIoU."""
    scores = [summarise(confusion) for confusion in confusions]
    metrics: dict[str, float] = {}
    for key in scores[0]:
        mean, deviation = mean_and_sd([score[key] for score in scores])
        metrics[key] = round(mean, 2)
        if key == "miou":
            metrics["miou_sd"] = round(deviation, 2)
    return metrics


def seed_rows(
    seeds: Sequence[int], confusions: Sequence[Counts], fold_sizes: Sequence[int]
) -> list[list[str]]:
    """Header and rows of seeds.csv; arguments as in `write_results`."""
    scores = [summarise(confusion) for confusion in confusions]
    rows = [
        [str(seed), *(f"{value:.4f}" for value in score.values())]
        for seed, score in zip(seeds, scores, strict=True)
    ]
    header = ["seed", *scores[0]]
    if not fold_sizes:
        return [header, *rows]
    folds = len(fold_sizes)
    for group, whole in zip(
        repetitions(seeds, folds), pooled(seeds, confusions, folds), strict=True
    ):
        for seed in group:
            fold, miou = seed % folds, summarise(whole)["miou"]
            rows[seeds.index(seed)] += [str(fold), str(fold_sizes[fold]), f"{miou:.4f}"]
    return [[*header, "fold", "images", "pooled"], *rows]


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
