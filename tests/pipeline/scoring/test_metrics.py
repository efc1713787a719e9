"""Scores against a double loop, torchmetrics and hand-made numbers."""

import math
import warnings

import numpy as np
import pytest
import torch

from pipeline.data.images import Bytes
from pipeline.data.manifest import IGNORE
from pipeline.scoring.metrics import (
    Counts,
    class_accuracy,
    class_iou,
    confusion_matrix,
    image_iou,
    mean_and_sd,
    summarise,
)

CLASSES = 6


def random_pair(seed: int = 0, absent: tuple[int, ...] = ()) -> tuple[Bytes, Bytes]:
    """Truth and prediction with more agreement than chance, some pixels ignored."""
    rng = np.random.default_rng(seed)
    kinds = [c for c in range(CLASSES) if c not in absent]
    truth = rng.choice(kinds, (3, 17, 11)).astype(np.uint8)
    right = rng.random(truth.shape) < 0.6
    prediction = np.where(right, truth, rng.choice(kinds, truth.shape)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.2] = IGNORE
    return truth, prediction


def tensors(*masks: Bytes) -> list[torch.Tensor]:
    return [torch.from_numpy(mask).long() for mask in masks]


def slow_confusion(truth: Bytes, prediction: Bytes) -> Counts:
    counts = np.zeros((CLASSES, CLASSES + 1), dtype=np.int64)
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t != IGNORE:
            counts[t, CLASSES if p == IGNORE else p] += 1
    return counts


def slow_iou(truth: Bytes, prediction: Bytes) -> list[float]:
    """Sets of pixels, class by class."""
    t, p = truth.ravel().tolist(), prediction.ravel().tolist()
    counted = [i for i, label in enumerate(t) if label != IGNORE]
    values = []
    for c in range(CLASSES):
        a = {i for i in counted if t[i] == c}
        b = {i for i in counted if p[i] == c}
        values.append(100 * len(a & b) / len(a | b) if a | b else float("nan"))
    return values


@pytest.mark.parametrize("seed", range(3))
def test_confusion_matrix_matches_a_double_loop(seed: int) -> None:
    truth, prediction = random_pair(seed)
    prediction[0, :2] = IGNORE  # as in seeds: no label given
    counts = confusion_matrix(truth, prediction, CLASSES)
    np.testing.assert_array_equal(counts, slow_confusion(truth, prediction))
    assert counts.sum() == int((truth != IGNORE).sum())
    assert counts[:, CLASSES].sum() > 0


@pytest.mark.parametrize("index", [CLASSES, 254])
def test_a_truth_past_the_classes_is_named(index: int) -> None:
    truth, prediction = random_pair()
    truth[1, 3, 5] = index
    with pytest.raises(ValueError, match=f"class {index}, but there are only 6 classes"):
        confusion_matrix(truth, prediction, CLASSES)


def test_indices_that_are_no_bytes_are_refused() -> None:
    """As bytes, 256 would be class 0, and -1 ignored."""
    with pytest.raises(TypeError, match="left_shift"):
        confusion_matrix(np.array([0, 256, -1]), np.uint8([0, 0, 0]), 2)  # type: ignore[arg-type]


def test_masks_of_two_shapes_are_refused() -> None:
    for shapes in ((40, 39), ((3, 4), (4, 3))):
        with pytest.raises(ValueError, match="broadcast"):
            confusion_matrix(*(np.zeros(shape, np.uint8) for shape in shapes), 2)


def test_predictions_past_the_classes_are_wrong() -> None:
    truth, prediction = np.uint8([0, 1, 1, IGNORE]), np.uint8([2, 254, 1, 7])
    assert confusion_matrix(truth, prediction, 2).tolist() == [[0, 0, 1], [0, 1, 1]]


def test_255_classes_do_not_run_into_the_ignored_index() -> None:
    counts = confusion_matrix(np.uint8([0, 254, 255]), np.uint8([254, 254, 254]), 255)
    assert counts.shape == (255, 256)
    assert int(counts[0, 254]) == int(counts[254, 254]) == 1
    assert int(counts.sum()) == 2


@pytest.mark.parametrize("absent", [(), (2,), (0, 5)])
def test_iou_matches_sets_and_torchmetrics(absent: tuple[int, ...]) -> None:
    torchmetrics = pytest.importorskip("torchmetrics.classification")
    truth, prediction = random_pair(1, absent)
    counts = confusion_matrix(truth, prediction, CLASSES)
    assert class_iou(counts).tolist() == pytest.approx(slow_iou(truth, prediction), nan_ok=True)
    theirs = torchmetrics.MulticlassJaccardIndex(CLASSES, ignore_index=IGNORE, average="none")
    per_class = 100 * theirs(*tensors(prediction, truth))
    present = [c for c in range(CLASSES) if c not in absent]
    assert class_iou(counts)[present].tolist() == pytest.approx(per_class[present].tolist())
    assert summarise(counts)["miou"] == pytest.approx(float(per_class[present].mean()))


def test_accuracies_match_torchmetrics() -> None:
    torchmetrics = pytest.importorskip("torchmetrics.classification")
    truth, prediction = random_pair(2)
    scores = summarise(confusion_matrix(truth, prediction, CLASSES))
    for key, average in (("pixel_accuracy", "micro"), ("class_accuracy", "macro")):
        theirs = torchmetrics.MulticlassAccuracy(CLASSES, average=average, ignore_index=IGNORE)
        assert scores[key] == pytest.approx(100 * float(theirs(*tensors(prediction, truth))))
    theirs = torchmetrics.MulticlassJaccardIndex(CLASSES, average="weighted", ignore_index=IGNORE)
    assert scores["weighted_iou"] == pytest.approx(100 * float(theirs(*tensors(prediction, truth))))


def test_known_scores() -> None:
    counts = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0]])
    assert class_iou(counts).tolist() == pytest.approx([600 / 9, 50.0, np.nan], nan_ok=True)
    assert class_accuracy(counts).tolist() == pytest.approx([75.0, 75.0, np.nan], nan_ok=True)
    assert summarise(counts) == pytest.approx(
        {
            "miou": (600 / 9 + 50) / 2,
            "pixel_accuracy": 75.0,
            "class_accuracy": 75.0,
            "weighted_iou": (600 / 9 * 8 + 50 * 4) / 12,
        }
    )


def test_a_class_only_predicted_scores_zero_and_one_nowhere_is_left_out() -> None:
    counts = np.array([[6, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert class_iou(counts).tolist() == pytest.approx([75.0, 0.0, np.nan], nan_ok=True)
    scores = summarise(counts)
    assert scores["miou"] == pytest.approx(37.5)
    assert scores["class_accuracy"] == pytest.approx(75.0)  # of the classes in the truth


def test_no_prediction_is_wrong_and_belongs_to_no_other_class() -> None:
    counts = np.array([[3, 0, 1], [0, 2, 2]])
    assert class_iou(counts).tolist() == pytest.approx([75.0, 50.0])
    assert summarise(counts)["pixel_accuracy"] == pytest.approx(62.5)


def test_matrices_add_up_over_images() -> None:
    truth, prediction = random_pair(3)
    parts = [confusion_matrix(t, p, CLASSES) for t, p in zip(truth, prediction, strict=True)]
    whole = confusion_matrix(truth, prediction, CLASSES)
    np.testing.assert_array_equal(sum(parts[1:], parts[0]), whole)


@pytest.mark.parametrize("shape", [(0,), (1,), (5, 0), (3, 1)])
def test_few_pixels_or_none(shape: tuple[int, ...]) -> None:
    counts = confusion_matrix(np.ones(shape, np.uint8), np.zeros(shape, np.uint8), CLASSES)
    assert counts.sum() == counts[1, 0] == math.prod(shape)


def test_nothing_to_score() -> None:
    nothing = confusion_matrix(np.full(4, IGNORE, np.uint8), np.zeros(4, np.uint8), 3)
    assert int(nothing.sum()) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        scores = summarise(nothing)
    assert np.isnan(scores["miou"])
    assert scores["pixel_accuracy"] == 0.0


def test_mean_and_sd() -> None:
    assert mean_and_sd([70.0]) == (70.0, 0.0)
    mean, deviation = mean_and_sd([1.0, 2.0, 4.0])
    assert mean == pytest.approx(7 / 3)
    assert deviation == pytest.approx(((16 + 1 + 25) / 9 / 2) ** 0.5)
    assert np.isnan(mean_and_sd([1.0, float("nan")])).all()


def test_iou_within_an_image() -> None:
    truth = np.uint8([[0, 1], [255, 1]])
    assert image_iou(truth, np.uint8([[0, 1], [5, 1]]), 6) == 100.0
    # background 1 of 2, class 1 one of two; the others are nowhere and do not count
    assert image_iou(truth, np.uint8([[0, 0], [0, 1]]), 6) == 50.0
    assert image_iou(np.full((2, 2), 255, np.uint8), truth, 6) == 0.0
