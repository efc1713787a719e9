"""Scores against a double loop, torchmetrics and hand-made numbers."""

import math
import sys
import warnings

import numpy as np
import pytest
import torch

from pipeline import metrics
from pipeline.manifest import IGNORE
from pipeline.metrics import (
    Counts,
    class_accuracy,
    class_iou,
    compiled_counting,
    confusion_matrix,
    image_iou,
    mean_and_sd,
    summarise,
)

CLASSES = 6


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs on the compiled pass and on what stands in for it without numba."""
    if request.param == "numpy":
        monkeypatch.setattr(metrics, "compiled_counting", lambda: None)


def random_pair(seed: int = 0, absent: tuple[int, ...] = ()) -> tuple[torch.Tensor, torch.Tensor]:
    """Truth and prediction with more agreement than chance, some pixels ignored."""
    rng = np.random.default_rng(seed)
    kinds = [c for c in range(CLASSES) if c not in absent]
    truth = rng.choice(kinds, (3, 17, 11)).astype(np.uint8)
    right = rng.random(truth.shape) < 0.6
    prediction = np.where(right, truth, rng.choice(kinds, truth.shape)).astype(np.int64)
    truth[rng.random(truth.shape) < 0.2] = IGNORE
    return torch.from_numpy(truth), torch.from_numpy(prediction)


def slow_confusion(truth: torch.Tensor, prediction: torch.Tensor) -> Counts:
    counts = np.zeros((CLASSES, CLASSES + 1), dtype=np.int64)
    for t, p in zip(truth.flatten().tolist(), prediction.flatten().tolist(), strict=True):
        if t != IGNORE:
            counts[t, CLASSES if p == IGNORE else p] += 1
    return counts


def slow_iou(truth: torch.Tensor, prediction: torch.Tensor) -> list[float]:
    """Sets of pixels, class by class."""
    t, p = truth.flatten().tolist(), prediction.flatten().tolist()
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


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16, torch.int64])
def test_any_integer_type(dtype: torch.dtype) -> None:
    truth, prediction = random_pair()
    prediction[0, :2] = IGNORE
    counts = confusion_matrix(truth.to(dtype), prediction.to(dtype), CLASSES)
    np.testing.assert_array_equal(counts, slow_confusion(truth, prediction))


@pytest.mark.parametrize("index", [CLASSES, 254])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_a_truth_past_the_classes_is_named(index: int, dtype: torch.dtype) -> None:
    truth, prediction = random_pair()
    truth[1, 3, 5] = index
    with pytest.raises(ValueError, match=f"class index {index}, but there are only 6 classes"):
        confusion_matrix(truth.to(dtype), prediction, CLASSES)


@pytest.mark.parametrize("index", [-1, 256, 256 + IGNORE, 2**40])
def test_no_index_wraps_into_a_byte(index: int) -> None:
    """256 is not class 0, nor -1 ignored: neither fits into a byte."""
    truth, prediction = torch.tensor([0, 1, 1]), torch.tensor([0, index, 1])
    assert confusion_matrix(truth, prediction, 2).tolist() == [[1, 0, 0], [0, 1, 1]]
    with pytest.raises(ValueError, match=f"class index {index}, but"):
        confusion_matrix(prediction, truth, 2)


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"truth \(40,\), but prediction \(39,\)"):
        confusion_matrix(torch.zeros(40), torch.zeros(39), 2)


def test_predictions_past_the_classes_are_wrong() -> None:
    truth = torch.tensor([0, 1, 1, IGNORE], dtype=torch.uint8)
    prediction = torch.tensor([2, 254, 1, 7], dtype=torch.uint8)
    assert confusion_matrix(truth, prediction, 2).tolist() == [[0, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize("start", range(3))
def test_words_of_eight_that_start_and_end_anywhere(start: int) -> None:
    generator = np.random.default_rng(start)
    pair = generator.integers(0, CLASSES, (2, 300)).repeat(generator.integers(1, 40, 300), axis=1)
    truth, prediction = torch.from_numpy(pair.astype(np.uint8))
    truth[truth == 5] = IGNORE
    for length in range(40):
        part = slice(start, len(truth) - length)
        counts = confusion_matrix(truth[part], prediction[part], CLASSES)
        np.testing.assert_array_equal(counts, slow_confusion(truth[part], prediction[part]))


def test_without_numba_numpy_counts_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.counting_cpu", None)
    with pytest.warns(UserWarning, match="numba is not installed"):
        assert compiled_counting.__wrapped__() is None


def test_255_classes_do_not_run_into_the_ignored_index() -> None:
    truth = torch.tensor([0, 254, 255], dtype=torch.uint8)
    counts = confusion_matrix(truth, torch.tensor([254, 254, 254]), 255)
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
    per_class = 100 * theirs(prediction, truth.long())
    present = [c for c in range(CLASSES) if c not in absent]
    assert class_iou(counts)[present].tolist() == pytest.approx(per_class[present].tolist())
    assert summarise(counts)["miou"] == pytest.approx(float(per_class[present].mean()))


def test_accuracies_match_torchmetrics() -> None:
    torchmetrics = pytest.importorskip("torchmetrics.classification")
    truth, prediction = random_pair(2)
    scores = summarise(confusion_matrix(truth, prediction, CLASSES))
    for key, average in (("pixel_accuracy", "micro"), ("class_accuracy", "macro")):
        theirs = torchmetrics.MulticlassAccuracy(CLASSES, average=average, ignore_index=IGNORE)
        assert scores[key] == pytest.approx(100 * float(theirs(prediction, truth.long())))
    theirs = torchmetrics.MulticlassJaccardIndex(CLASSES, average="weighted", ignore_index=IGNORE)
    assert scores["weighted_iou"] == pytest.approx(100 * float(theirs(prediction, truth.long())))


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
    counts = confusion_matrix(torch.ones(shape, dtype=torch.uint8), torch.zeros(shape), CLASSES)
    assert counts.sum() == counts[1, 0] == math.prod(shape)


def test_runs_are_not_joined_across_regions() -> None:
    truth = torch.tensor([1, 1, 1, 2, 2, 1, 1, IGNORE, IGNORE, 0, 0])
    prediction = torch.tensor([1, 1, 2, 2, 2, 2, 1, 1, 1, IGNORE, 0])
    counts = confusion_matrix(truth, prediction, CLASSES)
    np.testing.assert_array_equal(counts, slow_confusion(truth, prediction))


def test_nothing_to_score() -> None:
    nothing = confusion_matrix(torch.full((4,), IGNORE), torch.zeros(4, dtype=torch.int64), 3)
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
    truth = torch.tensor([[0, 1], [255, 1]], dtype=torch.uint8)
    assert image_iou(truth, torch.tensor([[0, 1], [5, 1]], dtype=torch.uint8), 6) == 100.0
    # background 1 of 2, class 1 one of two; the others are nowhere and do not count
    assert image_iou(truth, torch.tensor([[0, 0], [0, 1]], dtype=torch.uint8), 6) == 50.0
    assert image_iou(torch.full((2, 2), 255), truth, 6) == 0.0
