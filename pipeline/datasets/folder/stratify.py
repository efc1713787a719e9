"""Draws images into parts so that every class is in every part, as far as there are images of it.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011): the rarest class is
dealt out first, each of its images to the part that lacks most of that class. Such draws are made
until no class misses a part that it has an image for and all sizes are right, or the best of many
is taken: the greedy rule alone may waste the second image of a rare class.

Shape legend: N images, C classes, P parts.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 50
ROUNDING = 1e-6  # shares are no whole numbers; what differs by less is equal

Has = NDArray[np.bool_]
Room = NDArray[np.float64]
Parts = NDArray[np.int64]


def draw_val(objects: Mapping[str, Sequence[int]], share: float, seed: int) -> set[str]:
    """Draw about a share of the images, at least one; every class of two images is in both parts.

    Args:
        objects: the classes in each image's mask, by id; their order does not matter.
        share: of the images that are drawn. More are where the classes need them.
        seed: of the draw.

    Returns:
        the ids that were drawn.

    >>> drawn = draw_val({"a": [1], "b": [1], "c": [2], "d": [2]}, 0.25, seed=0)
    >>> len(drawn & {"a", "b"}), len(drawn & {"c", "d"})
    (1, 1)
    """
    if not objects:
        return set()
    has_NC = _table(objects)
    count = min(max(1, round(share * len(objects))), len(objects))
    images_P = np.array([count, len(objects) - count], float)
    # A class of one image cannot be in both parts. It is dealt as if it had none of the class, and
    # draws that leave it in training are better.
    lone_C = has_NC.sum(axis=0) == 1
    shared_NC, lone_NC = has_NC[:, ~lone_C], has_NC[:, lone_C]
    counts_C = shared_NC.sum(axis=0)
    val_C = np.maximum(1, share * counts_C)
    parts_N = _best_draw(shared_NC, images_P, np.array([val_C, counts_C - val_C]), seed, lone_NC)
    return {key for key, part in zip(sorted(objects), parts_N, strict=True) if part == 0}


def draw_folds(objects: Mapping[str, Sequence[int]], folds: int, seed: int) -> dict[str, int]:
    """Draw every image into one of several folds of about one size; none is empty.

    Args:
        objects: the classes in each image's mask, by id; their order does not matter.
        folds: how many, at most one an image.
        seed: of the draw.

    Returns:
        the fold of each image, from 0.

    >>> sorted(draw_folds({"a": [1], "b": [2], "c": [1], "d": [2]}, 2, 0).values())
    [0, 0, 1, 1]
    """
    has_NC = _table(objects)
    images_P = np.full(folds, len(objects) / folds)
    classes_PC = np.tile(has_NC.sum(axis=0) / folds, (folds, 1))
    parts_N = _best_draw(has_NC, images_P, classes_PC, seed, has_NC[:, :0])
    return dict(zip(sorted(objects), map(int, parts_N), strict=True))


def _table(objects: Mapping[str, Sequence[int]]) -> Has:
    """Which image has which class (N, C), images by name."""
    classes = sorted({index for found in objects.values() for index in found})
    rows = [[index in objects[key] for index in classes] for key in sorted(objects)]
    return np.array(rows, dtype=bool).reshape(len(objects), len(classes))


def _best_draw(has_NC: Has, images_P: Room, classes_PC: Room, seed: int, lone_NC: Has) -> Parts:
    """The part of each image by the first draw without fault, or the best one of many.

    `lone_NC` are classes whose images are better not in part 0.
    """
    rng, parts = np.random.default_rng(seed), len(images_P)

    def faults(parts_N: Parts) -> tuple[int, int, int]:
        off_P = np.abs(np.bincount(parts_N, minlength=parts) - images_P)
        wasted = int(lone_NC[parts_N == 0].sum())
        return missing(has_NC, parts_N, parts), wasted, int(np.floor(off_P + ROUNDING).sum())

    best = deal(has_NC, images_P, classes_PC, rng)
    for _ in range(DRAWS - 1):
        if not any(faults(best)):
            break
        best = min(best, deal(has_NC, images_P, classes_PC, rng), key=faults)
    return best


def missing(has_NC: Has, parts_N: Parts, parts: int) -> int:
    """How many parts classes are not in although they have an image for them, over all classes.

    >>> missing(np.array([[True], [True], [True]]), np.array([0, 0, 0]), 2)
    1
    """
    held_PC = np.array([has_NC[parts_N == part].any(axis=0) for part in range(parts)])
    possible_C = np.minimum(has_NC.sum(axis=0), parts)
    return int((possible_C - held_PC.sum(axis=0)).sum())


def deal(has_NC: Has, images_P: Room, classes_PC: Room, rng: np.random.Generator) -> Parts:
    """One draw by iterative stratification.

    Args:
        has_NC: which image has which class.
        images_P: how many images each part should get.
        classes_PC: how many of each class.
        rng: decides where the rule does not.

    Returns:
        the part of each image (N,).
    """
    images_P, classes_PC = images_P.copy(), classes_PC.copy()
    parts_N = np.full(len(has_NC), -1)
    while (left_N := parts_N < 0).any():
        counts_C = has_NC[left_N].sum(axis=0)
        if counts_C.any():
            rarest = int(np.argmin(np.where(counts_C > 0, counts_C, len(has_NC) + 1)))
            dealt, wanted_P = np.flatnonzero(left_N & has_NC[:, rarest]), classes_PC[:, rarest]
        else:  # images of background alone
            dealt, wanted_P = np.flatnonzero(left_N), images_P
        for image in rng.permutation(dealt):
            part = _neediest(wanted_P, images_P, rng)
            parts_N[image] = part
            images_P[part] -= 1
            classes_PC[part, has_NC[image]] -= 1
    return parts_N


def _neediest(wanted_P: Room, images_P: Room, rng: np.random.Generator) -> int:
    """The part that lacks most of a class; of equal ones, that which lacks most images."""
    places = np.flatnonzero(wanted_P > wanted_P.max() - ROUNDING)
    most = images_P[places].max()
    places = places[images_P[places] > most - ROUNDING]
    return int(places[rng.integers(len(places))])
