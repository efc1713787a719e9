"""What a variant's evaluation leaves behind: numbers by hand, empty cells, plain files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.manifest import make_classes
from pipeline.metrics import Counts
from pipeline.results import PER_CLASS, per_class_rows, write_csv, write_results

CLASSES = make_classes(["background", "cat", "dog, big"])
FIRST = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0]])  # no dog anywhere
SECOND = np.array([[8, 0, 0, 0], [0, 3, 0, 1], [0, 0, 0, 0]])


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_metrics_are_means_over_the_seeds(tmp_path: Path) -> None:
    metrics = write_results(tmp_path, CLASSES, [3, 8], [FIRST, SECOND])
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    one, two = (600 / 9 + 50) / 2, (100 + 75) / 2
    assert metrics["miou"] == round((one + two) / 2, 2)
    assert metrics["miou_sd"] == round(abs(one - two) / 2**0.5, 2)
    assert metrics["pixel_accuracy"] == round((75 + 1100 / 12) / 2, 2)
    assert list(metrics)[:2] == ["miou", "miou_sd"]
    assert not any(np.isnan(value) for value in metrics.values())


def test_every_seed_has_its_row(tmp_path: Path) -> None:
    write_results(tmp_path, CLASSES, [3, 8], [FIRST, SECOND])
    rows = table(tmp_path / "seeds.csv")
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


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    assert write_results(tmp_path, CLASSES, [0], [FIRST])["miou_sd"] == 0.0
    assert table(tmp_path / "per_class.csv")[1][2] == "0.00"


def test_confusion_is_the_sum(tmp_path: Path) -> None:
    write_results(tmp_path, CLASSES, [0, 1], [FIRST, SECOND])
    rows = table(tmp_path / "confusion.csv")
    assert rows[0] == ["truth", "background", "cat", "dog, big", "none"]
    total: Counts = np.array([[int(cell) for cell in row[1:]] for row in rows[1:]])
    assert np.array_equal(total, FIRST + SECOND)


def test_files_are_the_same_on_every_platform(tmp_path: Path) -> None:
    write_results(tmp_path, CLASSES, [0], [FIRST])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["confusion.csv", "metrics.json", "per_class.csv", "seeds.csv"]
    for path in tmp_path.iterdir():
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
