"""Reads other stages' files; the error for a missing or stale file names it and its stage."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.errors import UserError, need


def stale(path: Path, problem: str, stage: str) -> UserError:
    """The error for a file that no longer fits the others."""
    return UserError(f"{path} {problem}: run `python -m stages.{stage}` again")


def read_json(path: Path, stage: str) -> dict[str, Any]:
    """An object from a JSON file.

    Raises:
        UserError: the file is missing or no JSON object.
    """
    try:
        values = json.loads(need(path, stage).read_text(encoding="utf-8"))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise stale(path, "is no JSON object", stage)
    return values


def read_table(path: Path, stage: str, columns: Iterable[str] = ()) -> list[dict[str, str]]:
    """Rows of a CSV file.

    Args:
        path: the file.
        stage: the stage that writes it, with its arguments.
        columns: names the header must hold.

    Raises:
        UserError: the file is missing, or a column is.
    """
    with need(path, stage).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        header = reader.fieldnames or ()
        missing = [name for name in columns if name not in header]
        if missing:
            raise stale(path, f"has no column {missing[0]!r}", stage)
        return list(reader)


def read_counts(path: Path, stage: str) -> NDArray[np.int64]:
    """A CSV matrix of counts without its header and first column, read by position.

    Raises:
        UserError: the file is missing or no such matrix.
    """
    with need(path, stage).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    try:
        return np.array([row[1:] for row in rows], dtype=np.int64)
    except ValueError:
        raise stale(path, "is no matrix of counts", stage) from None


def number(cell: str | None) -> float | None:
    """A cell's number; None if it is empty or not finite.

    >>> number("1.5"), number(""), number("nan")
    (1.5, None, None)
    """
    try:
        value = float(cell or "nan")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class Curve:
    """Values by step: mean, lowest and highest over the runs."""

    steps: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def curve(histories: Iterable[list[dict[str, str]]], column: str) -> Curve:
    """Pool one column of several runs' history.csv by step; empty cells are left out."""
    values: dict[int, list[float]] = {}
    for rows in histories:
        for row in rows:
            value = number(row.get(column))
            if value is not None:
                values.setdefault(int(row["step"]), []).append(value)
    steps = tuple(sorted(values))
    return Curve(
        steps,
        tuple(float(np.mean(values[step])) for step in steps),
        tuple(min(values[step]) for step in steps),
        tuple(max(values[step]) for step in steps),
    )
