"""How sure a difference between two networks is, as far as the choice of scored images goes.

Images are drawn again with replacement, the same ones for both networks, and both are scored anew
on each such set: the paired percentile bootstrap (Efron and Tibshirani 1993). The mIoU is of counts
that are summed over images, so a set is drawn as how often it has each image, and the sums of all
sets are one matrix product; `scipy.stats.bootstrap` would gather every image of every set.

Shape legend: N images, R sets of images, C classes.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipeline.scoring.metrics import Counts

RESAMPLES = 2000
CONFIDENCE = 0.95

Floats = NDArray[np.float64]


def image_counts(confusions: Iterable[Counts]) -> Counts:
    """What a mean IoU needs of each image's confusion matrix: pixels hit and of the union.

    Args:
        confusions: one (C, C+1) for each image.

    Returns:
        counts (N, 2, C).
    """
    counts = []
    for confusion in confusions:
        hits_C = np.diagonal(confusion)
        union_C = confusion.sum(axis=1) + confusion[:, : len(confusion)].sum(axis=0) - hits_C
        counts.append(np.stack([hits_C, union_C]))
    return np.stack(counts)


def pooled_miou(sums_R2C: Floats) -> Floats:
    """Mean IoU in percent (R,) of summed counts, over the classes that occur in each sum.

    >>> pooled_miou(np.array([[[8.0, 10.0], [10.0, 12.0]], [[5.0, 0.0], [10.0, 0.0]]])).round(1)
    array([81.7, 50. ])
    """
    hits_RC, union_RC = sums_R2C[:, 0], sums_R2C[:, 1]
    occurs_RC = union_RC > 0
    iou_RC = np.divide(100.0 * hits_RC, union_RC, where=occurs_RC, out=np.zeros_like(hits_RC))
    miou_R: Floats = iou_RC.sum(axis=1) / np.maximum(1, occurs_RC.sum(axis=1))
    return miou_R


def interval_over_images(
    first_N2C: Counts, second_N2C: Counts, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """95 % interval of the difference in mIoU of two networks, over the choice of images.

    Args:
        first_N2C: `image_counts` of one network.
        second_N2C: of the other one, on the same images.
        resamples: how many sets of images are drawn.

    Returns:
        lower and upper bound in points, the same whenever it is computed; None for fewer than two
        images.
    """
    images = len(first_N2C)
    if images < 2:
        return None
    times_RN = draw_sets(images, resamples)
    apart_R = _scores(times_RN, first_N2C) - _scores(times_RN, second_N2C)
    low, high = np.percentile(apart_R, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return float(low), float(high)


def draw_sets(images: int, resamples: int) -> Floats:
    """How often each set has each image (R, N), drawn with replacement and a fixed seed."""
    rng = np.random.default_rng(0)
    return rng.multinomial(images, np.full(images, 1 / images), size=resamples).astype(float)


def _scores(times_RN: Floats, counts_N2C: Counts) -> Floats:
    """The mIoU of each set of images (R,)."""
    sums_RD = times_RN @ counts_N2C.reshape(len(counts_N2C), -1).astype(float)
    return pooled_miou(sums_RD.reshape(len(times_RN), 2, -1))
