"""What a variant's evaluation leaves behind: numbers by hand, empty cells, plain files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.manifest import make_classes
from pipeline.data.tables import write_csv
from pipeline.evaluate.results import PER_CLASS, per_class_rows, write_results
from pipeline.scoring.metrics import Counts, summarise
from pipeline.settings.paths import RESULTS, result_file

CLASSES = make_classes(["background", "cat", "dog, big"])
FIRST = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0]])  # no dog anywhere
SECOND = np.array([[8, 0, 0, 0], [0, 3, 0, 1], [0, 0, 0, 0]])


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_metrics_are_means_over_the_seeds(workspace: Path) -> None:
    metrics = write_results("shapes", "dual", CLASSES, [3, 8], [FIRST, SECOND])
    assert json.loads(result_file("shapes", "metrics", "dual").read_text()) == metrics
    one, two = (600 / 9 + 50) / 2, (100 + 75) / 2
    assert metrics["miou"] == round((one + two) / 2, 2)
    assert metrics["miou_sd"] == round(abs(one - two) / 2**0.5, 2)
    assert metrics["pixel_accuracy"] == round((75 + 1100 / 12) / 2, 2)
    assert list(metrics)[:2] == ["miou", "miou_sd"]
    assert not any(np.isnan(value) for value in metrics.values())


def test_every_seed_has_its_row(workspace: Path) -> None:
    write_results("shapes", "dual", CLASSES, [3, 8], [FIRST, SECOND])
    rows = table(result_file("shapes", "seeds", "dual"))
    assert rows[0] == ["seed", "miou", "pixel_accuracy", "class_accuracy", "weighted_iou"]
    assert [row[0] for row in rows[1:]] == ["3", "8"]
    assert float(rows[1][1]) == pytest.approx((600 / 9 + 50) / 2, abs=1e-4)


def test_per_class_rows() -> None:
    rows = per_class_rows(CLASSES, [FIRST, SECOND])
    assert [row[0] for row in rows] == list(CLASSES.names)
    assert all(len(row) == len(PER_CLASS) for row in rows)
    cat = rows[1]
    assert [float(cell) for cell in cat[1:4]] == pytest.approx([62.5, 17.68, 75.0], abs=0.01)
    assert cat[4] == "4"
    assert rows[2][1:] == ["", "", "", "0"]


def test_one_seed_has_no_deviation(workspace: Path) -> None:
    assert write_results("shapes", "dual", CLASSES, [0], [FIRST])["miou_sd"] == 0.0
    assert table(result_file("shapes", "per_class", "dual"))[1][2] == "0.00"


def test_confusion_is_the_sum(workspace: Path) -> None:
    write_results("shapes", "dual", CLASSES, [0, 1], [FIRST, SECOND])
    rows = table(result_file("shapes", "confusion", "dual"))
    assert rows[0] == ["truth", "background", "cat", "dog, big", "none"]
    total: Counts = np.array([[int(cell) for cell in row[1:]] for row in rows[1:]])
    assert np.array_equal(total, FIRST + SECOND)


def test_folds_are_pooled_and_repetitions_averaged(workspace: Path) -> None:
    """Seeds 0, 1 and 5, 2 of two folds: two repetitions, each summed before it is scored."""
    third = np.array([[5, 1, 1, 0], [0, 2, 0, 0], [0, 0, 4, 0]])
    fourth = np.array([[3, 0, 0, 0], [2, 2, 0, 0], [0, 1, 3, 0]])
    confusions = [FIRST, SECOND, third, fourth]
    metrics = write_results("shapes", "dual", CLASSES, [0, 1, 5, 2], confusions, fold_sizes=(4, 3))
    whole = [FIRST + SECOND, fourth + third]  # 0 and 2 hold out fold 0, 1 and 5 fold 1
    scores = [summarise(confusion)["miou"] for confusion in (FIRST + SECOND, third + fourth)]
    assert metrics["miou"] == round(np.mean(scores), 2)
    assert metrics["miou_sd"] == round(np.std(scores, ddof=1), 2)
    rows = table(result_file("shapes", "seeds", "dual"))
    assert rows[0][-3:] == ["fold", "images", "pooled"]
    assert [(row[0], *row[-3:-1]) for row in rows[1:]] == [
        *(("0", "0", "4"), ("1", "1", "3"), ("5", "1", "3"), ("2", "0", "4"))
    ]
    assert [float(row[-1]) for row in rows[1:]] == pytest.approx(
        [scores[0], scores[0], scores[1], scores[1]], abs=1e-4
    )
    for row, confusion in zip(rows[1:], confusions, strict=True):
        assert float(row[1]) == pytest.approx(summarise(confusion)["miou"], abs=1e-4)
    pixels = [int(row[-1]) for row in table(result_file("shapes", "per_class", "dual"))[1:]]
    assert pixels == whole[0].sum(axis=1).tolist()


def test_files_are_the_same_on_every_platform(workspace: Path) -> None:
    write_results("shapes", "dual", CLASSES, [0], [FIRST])
    files = sorted(path for path in RESULTS.rglob("*") if path.is_file())
    assert [path.as_posix() for path in files] == [
        *("results/shapes/confusion/dual.csv", "results/shapes/metrics/dual.json"),
        *("results/shapes/per_class/dual.csv", "results/shapes/seeds/dual.csv"),
    ]
    for path in files:
        content = path.read_bytes()
        assert b"\r" not in content
        assert content.endswith(b"\n")


def test_a_table_is_replaced_whole(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["x"], [[1], [2]])

    def broken() -> list[int]:
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_csv(tmp_path / "a.csv", ["x"], (broken() for _ in range(1)))
    assert (tmp_path / "a.csv").read_bytes() == b"x\n1\n2\n"
