"""Training curves as CSV, one row a logged step."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.atomic import whole_file


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
