"""Scores from one confusion matrix over the whole set, as VOC defines them.

Rows are the truth, columns the prediction; pixels of 255 in the truth count nowhere.
"""

import functools
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.manifest import IGNORE

Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]
Scores = NDArray[np.float64]


def confusion_matrix(truth: Tensor, prediction: Tensor, classes: int) -> Counts:
    """Count pixels by (truth, prediction).

    Args:
        truth: integer tensor of any shape, 0..classes-1 or 255.
        prediction: integer tensor of the same shape; whatever is no class, such as 255 (no label
            given), counts as wrong through an extra last column.
        classes: number of classes C, at most 255.

    Returns:
        array with shape (C, C + 1); the last column is "no prediction".

    Raises:
        ValueError: the truth holds an index that is neither a class nor 255, or the shapes differ.

    >>> confusion_matrix(torch.tensor([0, 1, 255]), torch.tensor([0, 0, 1]), 2).tolist()
    [[1, 0, 0], [1, 0, 0]]
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"truth {tuple(truth.shape)}, but prediction {tuple(prediction.shape)}")
    count = compiled_counting() or count_runs
    counts = count(byte_row(truth), byte_row(prediction), classes)
    if counts[classes].any() or truth.dtype != torch.uint8:
        refuse_unknown(truth.long(), classes)
    known: Counts = counts[:classes]
    return known


def byte_row(mask: Tensor) -> Bytes:
    """Integers of any shape and type as one row of bytes; 255 where no byte can hold them."""
    if mask.dtype != torch.uint8:
        wide = mask.long()
        mask = torch.where((wide < 0) | (wide > IGNORE), IGNORE, wide).to(torch.uint8)
    row: Bytes = mask.reshape(-1).cpu().numpy()
    return row


def refuse_unknown(truth: Tensor, classes: int) -> None:
    """Raise ValueError where the truth is neither a class nor 255."""
    unknown = truth[((truth < 0) | (truth >= classes)) & (truth != IGNORE)]
    if unknown.numel():
        raise ValueError(
            f"the truth holds the class index {int(unknown[0])}, but there are only {classes} "
            "classes (255 is ignored)"
        )


@functools.cache
def compiled_counting() -> Callable[..., Counts] | None:
    """`counting_cpu.count_pairs`, or None where numba is not installed, which is said once."""
    try:
        from pipeline.counting_cpu import count_pairs
    except ImportError:
        warnings.warn("numba is not installed: NumPy counts pixels, slower", stacklevel=2)
        return None
    return count_pairs


def count_runs(truth_N: Bytes, prediction_N: Bytes, classes: int) -> Counts:
    """What `counting_cpu.count_pairs` does, in NumPy: runs of equal pairs are counted.

    On region-like masks that is three times faster than counting pixels, slower on noise.
    """
    pair_N = np.left_shift(truth_N, 8, dtype=np.uint16) | prediction_N
    starts_N = np.ones(len(pair_N), dtype=bool)
    np.not_equal(pair_N[1:], pair_N[:-1], out=starts_N[1:])
    first_R = np.flatnonzero(starts_N)  # R runs
    length_R = np.diff(first_R, append=len(pair_N))
    pair_R = pair_N[first_R]
    known_R = pair_R < IGNORE << 8  # the truth is the high byte
    row_R, column_R = (np.minimum(part[known_R], classes) for part in (pair_R >> 8, pair_R & 255))
    # Sums of lengths are exact: doubles hold whole numbers up to 2^53.
    counts = np.bincount(
        row_R.astype(np.int64) * (classes + 1) + column_R,
        weights=length_R[known_R],
        minlength=(classes + 1) ** 2,
    )
    return counts.astype(np.int64).reshape(classes + 1, classes + 1)


def class_iou(confusion: Counts) -> Scores:
    """Intersection over union of each class in percent; NaN where a class is nowhere.

    >>> class_iou(np.array([[8, 2], [0, 10]])).round(1).tolist()
    [80.0, 83.3]
    """
    classes = len(confusion)
    hits = np.diagonal(confusion).astype(float)
    union = confusion.sum(axis=1) + confusion[:, :classes].sum(axis=0) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        iou: Scores = np.where(union > 0, 100.0 * hits / union, np.nan)
    return iou


def class_accuracy(confusion: Counts) -> Scores:
    """Share of each class's pixels that are right, in percent; NaN where it has none."""
    hits = np.diagonal(confusion).astype(float)
    pixels = confusion.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy: Scores = np.where(pixels > 0, 100.0 * hits / pixels, np.nan)
    return accuracy


def summarise(confusion: Counts) -> dict[str, float]:
    """Mean IoU, pixel accuracy, class accuracy and frequency-weighted IoU, all in percent.

    Means are over the classes that occur; a class that is neither in the truth nor predicted is
    left out, as in the field.
    """
    iou = class_iou(confusion)
    pixels = confusion.sum(axis=1)
    total = max(int(pixels.sum()), 1)
    return {
        "miou": float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan"),
        "pixel_accuracy": 100.0 * float(np.diagonal(confusion).sum()) / total,
        "class_accuracy": float(np.nanmean(class_accuracy(confusion))),
        "weighted_iou": float(np.nansum(iou * pixels) / total),
    }


def image_iou(truth: Tensor, prediction: Tensor, classes: int) -> float:
    """Mean IoU within one image in percent, over the classes in its truth or its prediction.

    0 where there is none: every true pixel is 255.
    """
    return mean_present(class_iou(confusion_matrix(truth, prediction, classes)))


def mean_present(iou: Scores) -> float:
    """The mean over the classes that are somewhere, those whose IoU is no NaN; 0 without any."""
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else 0.0


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; the deviation of one value is 0."""
    array = np.asarray(values, dtype=float)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else 0.0
