"""The paper's numbers, which the report shows beside its own.

One CSV for each table, as printed; `note` says where in the paper a number is, and what is unclear.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Ablation:
    """One row of Table 1 or one number of the text: mIoU in percent on VOC val.

    Attributes:
        variant: this project's name; `dsrg` is the network that makes the proxies, `ensemble`
            Eq. 4, and `mixed_xK` any `mixed_x2`, `mixed_x3`, …: the paper does not say which.
        backbone: the paper's name of it.
        strong_branch: what it is trained on, in the paper's words; the only branch of a single one.
        weak_branch: the same; empty if there is one branch.
        miou: the score.
        note: where in the paper, and what the text adds.
    """

    variant: str
    backbone: str
    strong_branch: str
    weak_branch: str
    miou: float
    note: str


@dataclass(frozen=True)
class Method:
    """One row of Table 2, or of later results beside it: mIoU in percent on VOC.

    Attributes:
        group: its supervision, or that it is not in the paper's table.
        method: its name.
        backbone: its backbone.
        val: score on val, or None.
        test: score on test, from the evaluation server, or None.
        reference: who, where and when; for rows that are not in the paper also the source of the
            number.
        note: remarks on the number.
    """

    group: str
    method: str
    backbone: str
    val: float | None
    test: float | None
    reference: str
    note: str


@dataclass(frozen=True)
class CocoClass:
    """One row of Table 3: IoU in percent on COCO val.

    Attributes:
        category: COCO's super-category; empty in the row of the means.
        name: the class, or `mean IoU`.
        strong: column (a), single branch, 20k strong images.
        mixed: column (b), single branch, the 98k weak ones as well. (So §4.5; the caption can be
            read as the weak ones alone.)
        dual: column (c), dual branch.
    """

    category: str
    name: str
    strong: float
    mixed: float
    dual: float


def read_table1() -> list[Ablation]:
    """Table 1 in its order, then numbers from the text: oversampling and two networks."""
    return [
        Ablation(
            row["variant"],
            row["backbone"],
            row["strong_branch"],
            row["weak_branch"],
            float(row["miou"]),
            row["note"],
        )
        for row in _rows("table1.csv")
    ]


def read_table2() -> list[Method]:
    """Table 2 in its order, then further methods with the same supervision."""
    return [
        Method(
            row["group"],
            row["method"],
            row["backbone"],
            _score(row["val"]),
            _score(row["test"]),
            row["reference"],
            row["note"],
        )
        for row in _rows("table2.csv")
    ]


def read_table3() -> list[CocoClass]:
    """Table 3: 81 classes, background and then COCO's order; the last row is the printed mean."""
    return [
        CocoClass(
            row["category"],
            row["class"],
            float(row["strong"]),
            float(row["mixed"]),
            float(row["dual"]),
        )
        for row in _rows("table3.csv")
    ]


def _rows(name: str) -> list[dict[str, str]]:
    """Rows of one of the files beside this module."""
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _score(cell: str) -> float | None:
    """A score, None for an empty cell."""
    return float(cell) if cell else None
