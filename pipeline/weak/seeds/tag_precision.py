"""How well the classification network knows the tags: average precision of each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.images import tag_vector
from pipeline.data.manifest import Manifest
from pipeline.data.tables import write_csv


def average_precision(scores_N: NDArray[np.float32], present_N: NDArray[np.bool_]) -> float:
    """Mean precision at each image that holds the class, going down the scores; in percent.

    NaN where no image holds it.

    >>> round(average_precision(np.float32([4, 3, 2, 1]), np.array([True, False, True, False])), 1)
    83.3
    """
    if not present_N.any():
        return float("nan")
    found_N = present_N[np.argsort(-scores_N, kind="stable")]
    precision_N = np.cumsum(found_N) / np.arange(1, len(found_N) + 1)
    return 100.0 * float(precision_N[found_N].mean())


def write_tag_precision(path: Path, manifest: Manifest, scores_NC: NDArray[np.float32]) -> None:
    """Write a row for each object class: images that hold it, and its average precision.

    Args:
        path: of the table.
        manifest: the data set.
        scores_NC: of the object classes, for each tagged image in manifest order.
    """
    names = manifest.classes.names
    rows = manifest.tagged()
    present_NC = np.stack([tag_vector(row.known_tags, len(names))[1:] for row in rows])
    found = [
        average_precision(scores_N, present_N)
        for scores_N, present_N in zip(scores_NC.T, present_NC.T, strict=True)
    ]
    counts: Sequence[int] = present_NC.sum(axis=0).tolist()
    lines = [
        [name, count, "" if np.isnan(value) else f"{value:.2f}"]
        for name, count, value in zip(names[1:], counts, found, strict=True)
    ]
    write_csv(path, ["class", "images", "average_precision"], lines)
