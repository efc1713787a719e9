"""Run the benchmarks, print the table, update their rows in benchmarks/latest.json.

python -m benchmarks            # all that take minutes
python -m benchmarks crf steps  # some
python -m benchmarks coco_size  # takes an hour, so only by its name
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.timing import Row
from pipeline.base.atomic import whole_file
from pipeline.base.record import commit, device

DEFAULT = (
    *("growing", "crf", "loading", "steps", "training", "lite0"),
    *("starting", "predicting", "scale"),
)
MODULES = (*DEFAULT, "coco_size")
LATEST = Path("benchmarks/latest.json")

Names = Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(MODULES)}.")]


def main(names: Names = None) -> None:
    """Time our parts and their peers in turns; all but the long ones where no name is given."""
    unknown = sorted(set(names or ()) - set(MODULES))
    if unknown:
        raise typer.BadParameter(f"no benchmark {unknown[0]!r}; there are {', '.join(MODULES)}")
    measured: dict[str, list[Row]] = {}
    for name in names or DEFAULT:
        typer.echo(f"{name} …", err=True)
        try:
            measured[name] = list(import_module(f"benchmarks.{name}").rows())
        except ImportError as error:
            typer.echo(f"{name} skipped: {error}; install the `bench` extra", err=True)
    Console(width=150).print(as_table([row for rows in measured.values() for row in rows]))
    with whole_file(LATEST) as part:
        part.write_text(json.dumps(merged(measured), indent=2) + "\n", "utf-8")


def merged(measured: dict[str, list[Row]]) -> list[dict[str, Any]]:
    """The entries of latest.json, with new ones for the modules just measured."""
    old = json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.exists() else []
    # A module that was renamed or removed leaves no rows behind.
    kept = [e for e in old if e["module"] in MODULES and e["module"] not in measured]
    where = {"commit": commit(), "device": device()}
    new = [
        {"module": name, **row.as_dict(), **where}
        for name, rows in measured.items()
        for row in rows
    ]
    return sorted(kept + new, key=lambda entry: MODULES.index(entry["module"]))


def verdict(row: Row) -> str:
    """Whether the aim is met; "" if there is none."""
    if not row.target:
        return ""
    return "met" if row.met else "MISSED"


def as_table(rows: list[Row]) -> Table:
    """One line for each comparison; a miss is marked."""
    table = Table(box=None)
    numbers = ("ours", "peer", "limit", "ratio")
    for column in ("what", "against", "ours", "peer", "limit", "unit", "ratio", "aim", "", "note"):
        table.add_column(column, justify="right" if column in numbers else "left")
    for row in rows:
        table.add_row(
            row.name,
            row.peer_name,
            f"{row.ours:.3g}",
            f"{row.peer:.3g}",
            f"{row.limit:.3g}" if row.limit else "",
            row.unit,
            f"{row.ratio:.2f}x",
            f"{row.target:.2f}x" if row.target else "-",
            verdict(row),
            row.note,
        )
    return table


if __name__ == "__main__":
    typer.run(main)
