"""Scores from one confusion matrix over the whole set, as VOC defines them.

Rows are the truth, columns the prediction; pixels that are 255 in the truth are left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.data.images import Bytes
from pipeline.data.manifest import IGNORE

Counts = NDArray[np.int64]
PerClass = NDArray[np.float64]


def confusion_matrix(truth: Bytes, prediction: Bytes, classes: int) -> Counts:
    """Count pixels by (truth, prediction).

    Args:
        truth: array of any shape, 0..classes-1 or 255.
        prediction: array of the same shape; whatever is no class, such as 255 (no label given),
            counts as wrong, in an extra last column.
        classes: number of classes C, at most 255.

    Returns:
        array with shape (C, C + 1); the last column is "no prediction".

    Raises:
        ValueError: the truth holds an index that is neither a class nor 255, or the shapes differ.

    >>> confusion_matrix(np.uint8([0, 1, 255]), np.uint8([0, 0, 1]), 2).tolist()
    [[1, 0, 0], [1, 0, 0]]
    """
    # Each pair of bytes is a number of 16 bits: counting those needs no mask and no division.
    pair = np.left_shift(truth, 8, dtype=np.uint16) | prediction
    pairs = np.bincount(pair.ravel(), minlength=256 * 256).reshape(256, 256)
    unknown = pairs[classes:IGNORE].any(axis=1)
    if unknown.any():
        index = classes + int(unknown.argmax())
        raise ValueError(f"the truth holds class {index}, but there are only {classes} classes")
    known, none = np.split(pairs[:classes], [classes], axis=1)
    return np.column_stack([known, none.sum(axis=1)])


def class_iou(confusion: Counts) -> PerClass:
    """Intersection over union of each class in percent; NaN for a class that is nowhere.

    >>> class_iou(np.array([[8, 2], [0, 10]])).round(1).tolist()
    [80.0, 83.3]
    """
    classes = len(confusion)
    hits = np.diagonal(confusion).astype(float)
    union = confusion.sum(axis=1) + confusion[:, :classes].sum(axis=0) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        iou: PerClass = np.where(union > 0, 100.0 * hits / union, np.nan)
    return iou


def class_accuracy(confusion: Counts) -> PerClass:
    """Share of each class's pixels that are right, in percent; NaN if it has none."""
    hits = np.diagonal(confusion).astype(float)
    pixels = confusion.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy: PerClass = np.where(pixels > 0, 100.0 * hits / pixels, np.nan)
    return accuracy


def summarise(confusion: Counts) -> dict[str, float]:
    """Mean IoU, pixel accuracy, class accuracy and frequency-weighted IoU, all in percent.

    Means are over the classes that occur: as usual, a class that is neither in the truth nor
    predicted is left out.
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


def image_iou(truth: Bytes, prediction: Bytes, classes: int) -> float:
    """Mean IoU within one image in percent, over the classes in its truth or its prediction.

    0 if there is none, because every true pixel is 255.
    """
    return mean_present(class_iou(confusion_matrix(truth, prediction, classes)))


def mean_present(iou: PerClass) -> float:
    """The mean over the classes that occur, whose IoU is not NaN; 0 if none does."""
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else 0.0


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; the deviation of one value is 0."""
    array = np.asarray(values, dtype=float)
    return float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else 0.0
