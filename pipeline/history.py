"""What a training logs: rows of a step and named values, kept as CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.atomic import whole_file

MEASURED = "val_"  # names of what is measured now and then begin so


def log(rows: list[dict[str, float]], step: int, **values: float) -> None:
    """Add values of one step, if any; several calls for one step share a row."""
    if not values:
        return
    if not rows or rows[-1]["step"] != step:
        rows.append({"step": step})
    rows[-1].update(values)


def has(rows: Sequence[dict[str, float]], step: int, name: str) -> bool:
    """Whether the last row is of this step and holds this value."""
    return bool(rows) and rows[-1]["step"] == step and name in rows[-1]


def last_values(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The last value of every name."""
    values: dict[str, float] = {}
    for row in rows:
        values.update(row)
    return values


def means_and_last(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each name but the step its mean over the rows; of what is measured the last value.

    >>> means_and_last([{"step": 1, "loss": 3.0, "val_miou": 5.0}, {"step": 2, "loss": 1.0}])
    {'loss': 2.0, 'val_miou': 5.0}
    """
    values = {}
    for name in last_values(rows):
        those = [row[name] for row in rows if name in row]
        values[name] = those[-1] if name.startswith(MEASURED) else sum(those) / len(those)
    values.pop("step", None)
    return values


def write_history(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write rows that share their keys; steps as integers, the rest with six digits."""
    keys: list[str] = []
    for row in rows:
        keys += [key for key in row if key not in keys]
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(keys)
        for row in rows:
            writer.writerow([_cell(row.get(key)) for key in keys])


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
