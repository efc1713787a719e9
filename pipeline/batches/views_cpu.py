"""Views on a CPU: laying parts into canvases and normalising, in single passes compiled by numba.

The rules are those of the torch code in `pipeline.batches.augment`, which is held against this in
the tests. Loops count in unsigned integers: numba looks whether signed ones are negative, and
loops that ask cannot use vector units.
Shape legend: h w part, H W canvas, N rows, P pixels of a row; 3w, 3W and 3P bytes of RGB.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
SpanInts = tuple[int, int, int, int]  # start, taken, place, shown


@numba.njit(cache=True)
def lay_image(
    part_h3w: Bytes,
    left: int,
    top: int,
    flip: bool,
    colour_3: tuple[int, int, int],
    canvas_H3W: Bytes,
) -> None:
    """Write a part into the canvas at (left, top), mirrored or not, and a colour around it."""
    h, width = part_h3w.shape
    padding_3W = np.empty_like(canvas_H3W[0])
    for i in range(len(padding_3W)):
        padding_3W[i] = colour_3[i % 3]
    for y in range(len(canvas_H3W)):
        inside = top <= y < top + h
        if not inside or width < len(padding_3W):
            copy(padding_3W, canvas_H3W[y])
        if inside:
            target = canvas_H3W[y, 3 * left : 3 * left + width]
            if flip:
                copy_mirrored(part_h3w[y - top], target)
            else:
                copy(part_h3w[y - top], target)


@numba.njit(cache=True)
def lay_mask(
    mask_HW: Bytes, x_4: SpanInts, y_4: SpanInts, flip: bool, padding: int, canvas_HW: Bytes
) -> None:
    """Resample a window of a mask to the nearest pixels, into the canvas with padding around it.

    Args:
        mask_HW: indices of the whole image.
        x_4: start and length of the window's columns, place and length of those it becomes.
        y_4: the same of its rows.
        flip: whether the window is mirrored.
        padding: what the canvas holds outside of it.
        canvas_HW: what is written.
    """
    x_start, x_taken, left, w = x_4
    y_start, y_taken, top, h = y_4
    columns_w, rows_h = nearest(x_taken, w), nearest(y_taken, h)
    if flip:
        columns_w = columns_w[::-1].copy()
    for y in range(len(canvas_HW)):
        row = y - top
        if not 0 <= row < h:
            canvas_HW[y] = padding
        elif row > 0 and rows_h[row] == rows_h[row - 1]:
            copy(canvas_HW[y - 1], canvas_HW[y])
        else:
            canvas_HW[y, :left] = padding
            canvas_HW[y, left + w :] = padding
            source = mask_HW[y_start + rows_h[row], x_start : x_start + x_taken]
            gather(source, columns_w, canvas_HW[y, left : left + w])


@numba.njit(cache=True)
def nearest(taken: int, shown: int) -> NDArray[np.uint32]:
    """Index of the pixel nearest to each of `shown` pixels, as torch's "nearest-exact" has it."""
    scale = np.float32(taken) / np.float32(shown)
    index = np.empty(shown, dtype=np.uint32)
    for i in range(shown):
        index[i] = min(int(np.float32((i + 0.5) * scale)), taken - 1)
    return index


@numba.njit(cache=True)
def copy(source: Bytes, target: Bytes) -> None:
    """Copy bytes; numba's own assignment of slices is several times slower."""
    for i in range(np.uint64(len(source))):
        target[i] = source[i]


@numba.njit(cache=True)
def copy_mirrored(source_3P: Bytes, target_3P: Bytes) -> None:
    """Copy RGB pixels in reverse order."""
    pixel, green, blue = np.uint64(3), np.uint64(1), np.uint64(2)
    size = np.uint64(len(source_3P))
    for i in range(np.uint64(0), size, pixel):
        j = size - pixel - i
        target_3P[j] = source_3P[i]
        target_3P[j + green] = source_3P[i + green]
        target_3P[j + blue] = source_3P[i + blue]


@numba.njit(cache=True)
def gather(source: Bytes, index: NDArray[np.uint32], target: Bytes) -> None:
    """Write source[index], without NumPy's check of each index."""
    for i in range(np.uint64(len(target))):
        target[i] = source[index[i]]


@numba.njit(cache=True, fastmath={"contract"})
def normalise_rows(
    bytes_N3P: Bytes, offset_3P: Floats, gain_3P: Floats, normal_N3P: Floats
) -> None:
    """Write offset + gain * bytes, rounded once where the processor can, as torch does it."""
    for row in range(len(bytes_N3P)):
        source, target = bytes_N3P[row], normal_N3P[row]
        for i in range(np.uint64(len(source))):
            target[i] = offset_3P[i] + gain_3P[i] * np.float32(source[i])
