"""Does it matter which photographs are drawn next? One row of scores.csv a training.

    python -m docs.results.next.study shapes

Run it in a clone in which `dvc repro` was run. From so many random masks (a starting set) `strong`
and `dual` are trained; then, by each rule, so many more masks are chosen and `dual` is trained
anew, all with the run's proxies. Rows that are there are not trained again.
"""

import csv
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pipeline.choosing.choosing import look_at
from pipeline.choosing.order import Rule, choose
from pipeline.data.manifest import Manifest, open_manifest
from pipeline.data.randomness import rng
from pipeline.model.package import MODEL
from pipeline.model.predict import Model, load_model
from pipeline.project.trial import score
from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params
from pipeline.settings.paths import DATA, PACKAGES, PARAMS
from pipeline.settings.registry import ROOT
from pipeline.train.train import total_steps

SCORES = Path(__file__).with_name("scores.csv")
COLUMNS = ("data", "masks", "added", "set", "rule", "miou")
START = "start"  # the row of a starting set, before anything is added
BUDGETS = (20, 60)
ADDED = 20
SPECKS = 0.0005
MAIN, OTHER = "dual", "strong"


class Start(NamedTuple):
    """A starting set: so many masks, drawn with a number."""

    masks: int
    number: int


def main(
    data: Annotated[str, typer.Argument(help="The data set's name in the table.")],
    sets: Annotated[int, typer.Option(help="Starting sets of each size.")] = 6,
    scores: Annotated[Path, typer.Option(help="Where rows are appended.")] = SCORES,
    part: Annotated[int, typer.Option(help="Which part this clone trains, from 0 on.")] = 0,
    parts: Annotated[int, typer.Option(help="Of how many.")] = 1,
) -> None:
    """Train and score what has no row yet."""
    params = load_params(PARAMS)
    manifest = open_manifest(params)
    for start in list(starts(sets))[part::parts]:
        known = {row[4] for row in read_rows(scores) if row[:4] == key(data, start)}
        if {START, *Rule} - known:
            for rule, miou in run(params, manifest, start, known):
                append(scores, [*key(data, start), rule, f"{miou:.4f}"])


def starts(sets: int) -> Iterator[Start]:
    """The starting sets in the order in which they are trained."""
    for number in range(sets):
        for masks in BUDGETS:
            yield Start(masks, number)


def run(
    params: Params, manifest: Manifest, start: Start, known: set[str]
) -> Iterator[tuple[str, float]]:
    """The scores of a starting set and of what each rule adds to it, but for the known ones."""
    rows = {row.id: row for row in manifest.train() if row.mask and row.tags is not None}
    ids, folder = list(rows), DATA / "next"
    steps, _ = total_steps(params, len(manifest.train()) - start.masks)
    drawn = [ids[place] for place in rng(start.number, 11).permutation(len(ids))[: start.masks]]

    def trained(variant: str, strong: Sequence[str]) -> float:
        chosen = set(strong)
        every = [row.id for row in manifest.train()]
        lists = [i for i in every if i in chosen], [i for i in every if i not in chosen]
        return score(params, folder, variant, lists, params.seeds[0], steps)

    networks = []
    for variant in (MAIN, OTHER):
        miou = trained(variant, drawn)
        networks.append(packaged(folder, variant))
        if variant == MAIN and START not in known:
            yield START, miou
    rest = {name: row.known_tags for name, row in rows.items() if name not in drawn}
    counts = Counter(tag for name in drawn for tag in rows[name].known_tags)
    candidates = [rows[name] for name in rest]
    looked = look_at(manifest, candidates, (networks[0], networks[1]), SPECKS)
    for rule in Rule:
        if rule not in known:
            more = choose(rule, rest, counts, looked, ADDED, start.number)
            yield rule.value, trained(MAIN, [*drawn, *more])


def packaged(folder: Path, variant: str) -> Model:
    """The network that was trained last in the folder."""
    command = [sys.executable, "-m", "stages.package", variant]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=folder, env=environment)
    return load_model(folder / PACKAGES / variant / MODEL)


def key(data: str, start: Start) -> list[str]:
    """The first columns of its rows."""
    return [data, str(start.masks), str(ADDED), str(start.number)]


def read_rows(scores: Path) -> list[list[str]]:
    """The rows that are there."""
    if not scores.exists():
        return []
    with scores.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def append(scores: Path, row: Sequence[str]) -> None:
    """Write a row."""
    new = not scores.exists()
    with scores.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow(row)


if __name__ == "__main__":
    typer.run(main)
