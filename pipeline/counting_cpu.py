"""Counting pairs of bytes on a CPU, eight pixels at a time where they agree; compiled by numba.

`pipeline.metrics.count_runs` has the same rules in NumPy and is held against this in the tests.
Shape legend: N pixels, C classes.
"""

import numba
import numpy as np
from numpy.typing import NDArray

IGNORED = 255
EACH_BYTE = np.uint64(0x0101010101010101)

Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]


def count_pairs(truth_N: Bytes, prediction_N: Bytes, classes: int) -> Counts:
    """Count pixels by (truth, prediction); truths of 255 nowhere.

    Args:
        truth_N: class indices.
        prediction_N: class indices.
        classes: number of classes C.

    Returns:
        array with shape (C + 1, C + 1); the last row and column are of indices that are no class.
    """
    whole = len(truth_N) // 8 * 8
    words = truth_N[:whole].view(np.uint64), prediction_N[:whole].view(np.uint64)
    table = np.zeros((classes + 2, classes + 1), dtype=np.int64)
    count_words(truth_N, prediction_N, *words, table)
    return table[:-1]


@numba.njit(cache=True)
def count_words(
    truth_N: Bytes,
    prediction_N: Bytes,
    truth_words: NDArray[np.uint64],
    prediction_words: NDArray[np.uint64],
    table: Counts,
) -> None:
    """Add every pixel to `table`, (C + 2, C + 1); words are the same bytes, eight in each.

    Most words of masks repeat the last one that was of one pair: they only make its run longer.
    """
    truth_word = prediction_word = np.uint64(0)
    run = 0
    for w in range(len(truth_words)):
        if truth_words[w] == truth_word and prediction_words[w] == prediction_word:
            run += 8
            continue
        truth, prediction = np.uint64(truth_N[8 * w]), np.uint64(prediction_N[8 * w])
        plain = truth_words[w] == EACH_BYTE * truth
        if plain and prediction_words[w] == EACH_BYTE * prediction:
            add(table, np.uint8(truth_word), np.uint8(prediction_word), run)
            truth_word, prediction_word, run = truth_words[w], prediction_words[w], 8
        else:
            for n in range(8 * w, 8 * w + 8):
                add(table, truth_N[n], prediction_N[n], 1)
    add(table, np.uint8(truth_word), np.uint8(prediction_word), run)
    for n in range(8 * len(truth_words), len(truth_N)):
        add(table, truth_N[n], prediction_N[n], 1)


@numba.njit(cache=True, inline="always")
def add(table: Counts, truth: np.uint8, prediction: np.uint8, pixels: int) -> None:
    """Add pixels of one pair; the row past the last is of 255 and looked at by nobody."""
    classes = table.shape[1] - 1
    row = truth if truth < classes else classes + (truth == IGNORED)
    table[row, min(prediction, classes)] += pixels
