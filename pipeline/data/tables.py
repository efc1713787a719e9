"""Small tables as CSV."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.base.atomic import whole_file


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a small table whole, with plain line ends on every platform."""
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
