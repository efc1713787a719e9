"""Faults of every kind, counted: `make torture`, or `python -m tests.torture kills --kills 5`.

Renews the parts it ran in tests/torture/latest.json, and the table in docs/reliability.md.
"""

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from docs.between_marks import put_between
from pipeline.base.atomic import whole_file
from pipeline.base.record import commit, device
from tests.torture.faults import faults, may_mount
from tests.torture.fuzz import fuzz_all
from tests.torture.kills import kills
from tests.torture.project import Tally

LATEST = Path("tests/torture/latest.json")
PAGE = Path("docs/reliability.md")
BEGIN, END = "<!-- table: make torture -->\n", "<!-- end of table -->\n"
HEAD = (
    "| fault | tried | survived | lost | dvc.lock cut | commit | machine |\n" + 7 * "|---" + "|\n"
)
PARTS = ("kills", "faults", "fuzz")

Names = Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(PARTS)}.")]


def main(
    names: Names = None,
    kills_: Annotated[int, typer.Option("--kills", min=1, help="How often to kill a run.")] = 25,
    seconds: Annotated[float, typer.Option(help="Of fuzzing, over all readers.")] = 3600.0,
    seed: Annotated[int, typer.Option(help="Of the moments of the kills.")] = 0,
) -> None:
    """Run all parts or some; exit with 1 if anything was lost."""
    at = commit()  # before the results of this very run change the tree
    parts: dict[str, Callable[[], list[Tally]]] = {
        "kills": lambda: kills(kills_, seed, lambda tallies: write("kills", tallies, at)),
        "faults": faults,
        "fuzz": lambda: fuzz_all(seconds),
    }
    unknown = sorted(set(names or ()) - set(parts))
    if unknown:
        raise typer.BadParameter(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    if "faults" in (names or PARTS) and not may_mount():
        sys.exit("mounting is not allowed here: try `unshare --map-root-user --mount make torture`")
    lost = 0
    for name in names or PARTS:
        tallies = parts[name]()
        lost += sum(len(tally.lost) for tally in tallies)
        write(name, tallies, at)
    raise typer.Exit(bool(lost))


def write(part: str, tallies: list[Tally], at: str | None) -> None:
    """Renew one part's entries and the page's table."""
    old = json.loads(LATEST.read_text("utf-8")) if LATEST.exists() else []
    where = {"commit": at, "machine": f"{platform.machine()}, {device()}"}
    new = [{"part": part, **asdict(tally), **where} for tally in tallies]
    kept = [entry for entry in old if entry["part"] != part]
    entries = sorted(kept + new, key=lambda entry: PARTS.index(entry["part"]))
    with whole_file(LATEST) as file:
        file.write_text(json.dumps(entries, indent=1) + "\n", "utf-8")
    put_between(PAGE, BEGIN, END, HEAD + "".join(line(entry) for entry in entries))


def line(entry: dict[str, Any]) -> str:
    """One kind of fault."""
    lost = len(entry["lost"])
    cells = [entry["name"], entry["tried"], entry["tried"] - lost, lost, entry["cut"]]
    cells += [entry["commit"], entry["machine"]]
    return f"| {' | '.join(map(str, cells))} |\n"


if __name__ == "__main__":
    typer.run(main)
