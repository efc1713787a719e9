"""The stratified draw: what it promises of classes and sizes, and the paper's rule said slowly."""

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from pipeline.datasets.folder.stratify import deal, draw_folds, draw_val, missing

Objects = dict[str, tuple[int, ...]]


def some_objects(seed: int, images: int, classes: int) -> Objects:
    """Images with some of the classes, few of them or many."""
    rng = np.random.default_rng(seed)
    has_NC = rng.random((images, classes)) < rng.choice([0.1, 0.3, 0.5])
    return {f"i{n}": tuple(map(int, np.flatnonzero(row))) for n, row in enumerate(has_NC)}


def missed(objects: Objects, part_of: dict[str, int], parts: int) -> int:
    """How many parts classes are not in although they have an image for them."""
    total = 0
    for index in {index for found in objects.values() for index in found}:
        holders = [key for key in objects if index in objects[key]]
        total += min(len(holders), parts) - len({part_of[key] for key in holders})
    return total


def val_parts(objects: Objects, val: set[str]) -> dict[str, int]:
    return {key: int(key in val) for key in objects}


@pytest.mark.parametrize("seed", range(40))
def test_no_val_draw_of_the_size_misses_fewer_classes(seed: int) -> None:
    """All ways to choose the same number of images: none leaves fewer classes without a part."""
    objects = some_objects(seed, images=9, classes=5)
    val = draw_val(objects, 0.3, seed)
    assert 0 < len(val) < 9
    ways = (
        dict(zip(objects, way, strict=True)) for way in product((0, 1), repeat=9) if sum(way) > 0
    )
    least = min(missed(objects, way, 2) for way in ways if sum(way.values()) == len(val))
    assert missed(objects, val_parts(objects, val), 2) == least


@pytest.mark.parametrize("seed", range(40))
def test_folds_are_of_one_size_and_spread_every_class(seed: int) -> None:
    objects = some_objects(seed, images=30, classes=8)
    fold = draw_folds(objects, 5, seed)
    assert fold.keys() == objects.keys()
    sizes = Counter(fold.values())
    assert sorted(sizes) == list(range(5))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    assert missed(objects, fold, 5) <= 1
    # Closer to an equal share of each class than the average of plain draws.
    rng = np.random.default_rng(seed)
    plain = [dict(zip(fold, rng.permutation([*fold.values()]), strict=True)) for _ in range(50)]
    assert unevenness(objects, fold) < np.mean([unevenness(objects, other) for other in plain])


def unevenness(objects: Objects, fold: dict[str, int]) -> float:
    """How far the folds are from an equal share of each class, in images."""
    total = 0.0
    for index in range(8):
        held = Counter(fold[key] for key in objects if index in objects[key])
        total += sum(abs(held[n] - held.total() / 5) for n in range(5))
    return total


def test_as_many_folds_as_images_have_one_each() -> None:
    objects = some_objects(1, images=7, classes=3)
    assert sorted(draw_folds(objects, 7, 0).values()) == list(range(7))


@pytest.mark.parametrize("seed", range(10))
def test_a_draw_follows_from_the_seed_and_not_from_the_order(seed: int) -> None:
    objects = some_objects(seed, images=25, classes=6)
    turned = dict(reversed(objects.items()))
    assert draw_val(objects, 0.2, seed) == draw_val(turned, 0.2, seed)
    assert draw_folds(objects, 4, seed) == draw_folds(turned, 4, seed)


def test_seeds_draw_differently() -> None:
    objects = some_objects(0, images=25, classes=6)
    assert len({tuple(sorted(draw_val(objects, 0.2, seed))) for seed in range(8)}) > 1
    assert len({tuple(draw_folds(objects, 5, seed).values()) for seed in range(8)}) > 1


def test_the_share_is_kept_where_classes_are_many_images() -> None:
    objects = some_objects(3, images=200, classes=6)
    val = draw_val(objects, 0.25, 0)
    assert abs(len(val) - 50) <= 2
    for index in range(6):
        holders = {key for key in objects if index in objects[key]}
        assert abs(len(holders & val) - len(holders) / 4) <= 2


def test_every_class_of_two_is_on_both_sides() -> None:
    """More than the share is drawn where eight classes of two images each need it."""
    objects = {f"{index}{letter}": (index,) for index in range(8) for letter in "ab"}
    val = draw_val(objects, 0.2, 0)
    assert sorted(key[0] for key in val) == [*"01234567"]


def test_a_class_of_one_image_is_trained_on() -> None:
    objects = {"lone": (9,), **{f"m{n}": (1,) for n in range(9)}}
    assert all("lone" not in draw_val(objects, 0.2, seed) for seed in range(20))


def test_images_of_background_alone_are_drawn_as_well() -> None:
    objects: Objects = {f"m{n}": () for n in range(10)}
    assert len(draw_val(objects, 0.2, 0)) == 2
    assert sorted(Counter(draw_folds(objects, 5, 0).values()).values()) == [2] * 5
    assert draw_val({}, 0.2, 0) == set()


class First:
    """In place of a generator: leaves images as they are and takes the first of equal parts."""

    def permutation(self, images: np.ndarray) -> np.ndarray:
        return images

    def integers(self, count: int) -> int:
        return 0


def dealt_slowly(
    has: list[list[int]], images: list[Fraction], classes: list[list[Fraction]]
) -> list[int]:
    """Algorithm 1 of Sechidis et al. (2011), with fractions and the first of equal choices."""
    parts, left = dict[int, int](), set(range(len(has)))
    while left:
        counts = {c: sum(c in has[i] for i in left) for c in range(len(classes[0]))}
        label = min((c for c in counts if counts[c]), key=lambda c: (counts[c], c), default=None)
        for image in sorted(i for i in left if label is None or label in has[i]):
            need = images if label is None else [wanted[label] for wanted in classes]
            part = max(range(len(images)), key=lambda p: (need[p], images[p], -p))
            parts[image] = part
            images[part] -= 1
            for c in has[image]:
                classes[part][c] -= 1
            left.remove(image)
    return [parts[i] for i in range(len(has))]


@pytest.mark.parametrize("seed", range(20))
def test_one_draw_is_the_papers_rule(seed: int) -> None:
    objects = list(some_objects(seed, images=20, classes=5).values())
    has_NC = np.array([[c in found for c in range(5)] for found in objects])
    counts_C = has_NC.sum(axis=0)
    shares = [Fraction(1, 5), Fraction(3, 10), Fraction(1, 2)]
    fractions = [[share * int(count) for count in counts_C] for share in shares]
    slow = dealt_slowly([list(found) for found in objects], [20 * s for s in shares], fractions)
    shares_P = np.array([0.2, 0.3, 0.5])
    fast = deal(has_NC, 20 * shares_P, shares_P[:, None] * counts_C, First())  # type: ignore[arg-type]
    assert fast.tolist() == slow


def test_what_is_missing_is_counted() -> None:
    has_NC = np.array([[1, 0], [1, 1], [0, 1], [0, 1]], dtype=bool)
    assert missing(has_NC, np.array([0, 1, 0, 1]), 2) == 0
    assert missing(has_NC, np.array([0, 1, 1, 1]), 2) == 1
    assert missing(has_NC, np.array([0, 0, 0, 0]), 3) == 1 + 2
