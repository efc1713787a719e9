"""The sentences and differences say what the numbers say."""

import numpy as np
import pytest

from pipeline.data.manifest import ClassList
from pipeline.data.plan import make_plan
from pipeline.report.collect import ClassScore, Outcome, Quality
from pipeline.report.differences import difference, interval, to_strong
from pipeline.report.tables import (
    class_lines,
    finding,
    label_counts,
    quality_classes,
)


def outcome(name: str, scores: list[float], ious: list[float | None] | None = None) -> Outcome:
    metrics = {"miou": float(np.mean(scores)), "miou_sd": 0.5}
    classes = [ClassScore(iou, 0.0, 10) for iou in ious or []]
    return Outcome(name, "", metrics, dict(enumerate(scores)), classes, np.zeros((2, 3), np.int64))


def test_differences_are_paired_by_seed() -> None:
    pairs = to_strong([outcome("strong", [50.0, 60.0]), outcome("dual", [53.0, 59.0])])
    assert [pair.name for pair in pairs] == ["dual"]
    assert pairs[0].by_seed == {0: 3.0, 1: -1.0}
    assert (pairs[0].mean, pairs[0].wins) == (1.0, 1)
    assert to_strong([outcome("dual", [53.0])]) == []


def test_interval_against_a_published_table() -> None:
    """Student's t at 97.5 %: 12.706 for one degree of freedom, 4.303 for two, 2.776 for four."""
    assert interval([3.0]) is None
    for values, t in (([1.0, 3.0], 12.706), ([1.0, 2.0, 6.0], 4.303), ([1, 2, 3, 4, 9], 2.776)):
        low, high = interval(values) or (0.0, 0.0)
        reach = t * np.std(values, ddof=1) / np.sqrt(len(values))
        assert low == pytest.approx(np.mean(values) - reach, abs=2e-3 * reach)
        assert high == pytest.approx(np.mean(values) + reach, abs=2e-3 * reach)


@pytest.mark.parametrize(
    ("first", "word"),
    [
        ([51.0, 51.1, 51.2], "more"),
        ([49.0, 48.9, 48.8], "less"),
        ([51.0, 49.5, 52.0], "within noise"),
        ([51.0], "one training: above"),
        ([50.0], "one training: equal"),
        ([49.9], "one training: below"),
    ],
)
def test_a_verdict_needs_the_whole_interval(first: list[float], word: str) -> None:
    base = dict.fromkeys(range(3), 50.0)
    assert difference("a", dict(enumerate(first)), base).verdict("more", "less") == word


def test_finding_over_seeds() -> None:
    text = finding([outcome("strong", [50.0, 60.0]), outcome("dual", [53.0, 59.0])])
    assert text == (
        "dual reaches 56.00 ± 0.50 % mIoU, strong 55.00 ± 0.50 %: a difference of +1.00 points "
        "(95 % interval −24.41 to +26.41, paired over 2 seeds; above strong with 1 of them)."
    )


def test_finding_of_one_seed_claims_little() -> None:
    text = finding([outcome("strong", [50.0]), outcome("dual", [48.0])])
    assert "a difference of −2.00 points. With one training per variant" in text
    assert "±" not in text


@pytest.mark.parametrize(
    ("variant", "counts"),
    [
        ("weak", (0, 5)),
        ("mixed", (2, 3)),
        ("strong", (2, 0)),
        ("dual", (2, 3)),
        ("full", (5, 0)),
        ("dual_full", (5, 0)),
        ("mixed_x3", (2, 3)),
    ],
)
def test_label_counts(variant: str, counts: tuple[int, int]) -> None:
    assert label_counts(make_plan(variant, 3, ["a", "b"], ["c", "d", "e"])) == counts


def test_best_of_a_class(classes: ClassList) -> None:
    empty: list[float | None] = [None] * (len(classes) - 3)
    first = outcome("strong", [1.0], [80.0, 41.26, 0.0, *empty])
    second = outcome("dual", [1.0], [79.0, 41.34, 0.0, *empty])
    lines = class_lines(classes, [first, second])
    assert lines[0].best == {0}
    assert lines[1].best == {0, 1}  # equal as printed
    assert lines[2].best == lines[3].best == frozenset()
    assert lines[0].share == pytest.approx(100 / len(classes))


def test_classes_without_truth_are_left_out() -> None:
    quality = Quality(12, {"proxy_miou": 1.0}, ["a"], [("cat", (1.0,)), ("dog", (None,))])
    assert [name for name, _ in quality_classes(quality)] == ["cat"]
