"""Growing on a CPU: one flood from the seeds of each image, compiled by numba.

The rules are those of `pipeline.weak.dsrg.growing.grow`, which is held against this in the tests.
Shape legend: B batch, C classes, h w grid.
"""

import numba
import numpy as np
from numpy.typing import NDArray

UNSEEDED = np.uint8(255)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@numba.njit(cache=True)
def grow_batch(
    seeds_Bhw: Bytes, posterior_BChw: Floats, tags_BC: NDArray[np.bool_], thetas_2: Floats
) -> Bytes:
    """Grown seeds of a batch, one image after the other: a batch takes less than threads to start.

    Args:
        seeds_Bhw: class index of each seed, 255 elsewhere.
        posterior_BChw: CRF-refined probabilities.
        tags_BC: which classes an image holds, background on.
        thetas_2: thresholds of the background and of object classes.
    """
    grown_Bhw = seeds_Bhw.copy()
    for b in range(len(seeds_Bhw)):
        candidate = candidates(seeds_Bhw[b], posterior_BChw[b], np.nonzero(tags_BC[b])[0], thetas_2)
        flood(seeds_Bhw[b], candidate, grown_Bhw[b])
    return grown_Bhw


@numba.njit(cache=True)
def candidates(
    seeds_hw: Bytes, posterior_Chw: Floats, tags_T: NDArray[np.int64], thetas_2: Floats
) -> Bytes:
    """Where a pixel passes its class, elsewhere its seed; a frame of 255 around, (h+2, w+2)."""
    h, w = seeds_hw.shape
    candidate = np.full((h + 2, w + 2), UNSEEDED)
    for y in range(h):
        for x in range(w):
            best = tags_T[0]
            for tag in tags_T[1:]:
                # Strictly greater: of equal classes the first counts, as argmax has it.
                if posterior_Chw[tag, y, x] > posterior_Chw[best, y, x]:
                    best = tag
            passes = posterior_Chw[best, y, x] > thetas_2[min(best, 1)]
            candidate[y + 1, x + 1] = best if passes else seeds_hw[y, x]
    return candidate


@numba.njit(cache=True)
def flood(seeds_hw: Bytes, candidate: Bytes, grown_hw: Bytes) -> None:
    """Follow equal candidates from the uncontradicted seeds; `candidate` is used up."""
    h, w = seeds_hw.shape
    rows, columns = np.empty(h * w, dtype=np.int32), np.empty(h * w, dtype=np.int32)
    labels = np.empty(h * w, dtype=np.uint8)
    count = 0  # pixels waiting in the three lists
    for y in range(h):
        for x in range(w):
            seed = seeds_hw[y, x]
            # A seed whose pixel passes another class starts nothing.
            if seed != UNSEEDED and candidate[y + 1, x + 1] == seed:
                rows[count], columns[count], labels[count] = y, x, seed
                candidate[y + 1, x + 1] = UNSEEDED  # visited
                count += 1
    while count:
        count -= 1
        y, x, label = rows[count], columns[count], labels[count]
        # Seeds are static: one of another class connects, and keeps its label.
        if grown_hw[y, x] == UNSEEDED:
            grown_hw[y, x] = label
        for row in range(y, y + 3):  # of the frame: y - 1 to y + 1
            for column in range(x, x + 3):
                if candidate[row, column] == label:
                    candidate[row, column] = UNSEEDED
                    rows[count], columns[count], labels[count] = row - 1, column - 1, label
                    count += 1
