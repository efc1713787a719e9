"""Does it matter which photographs are drawn next? One row of scores.csv a training.

    python -m docs.results.next.study shapes

Run it in a clone in which `dvc repro` was run: it writes plans into data/split and trains by
`python -m stages.train`, without DVC. From so many random masks (a starting set) `strong` and
`dual` are trained; then, by each rule, so many more masks are chosen and `dual` is trained anew,
all with the same proxies. Rows that are there are not trained again.
"""

import csv
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pipeline.choosing.choosing import look_at, read_networks
from pipeline.choosing.order import Rule, choose
from pipeline.data.manifest import Manifest, open_manifest
from pipeline.data.pairs import proxies_hash
from pipeline.data.plan import write_plans
from pipeline.data.randomness import rng
from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params
from pipeline.settings.paths import PARAMS, SPLIT, result_file
from pipeline.split.split import plan_of, start_digest

SCORES = Path(__file__).with_name("scores.csv")
COLUMNS = ("data", "masks", "added", "set", "rule", "miou")
START = "start"  # the row of a starting set, before anything is added
BUDGETS = (20, 60)
ADDED = 20
SPECKS = 0.0005
BOTH = ("strong", "dual")


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
        added = sum(row[:4] == key(data, start) for row in read_rows(scores))
        if added < 1 + len(Rule):
            run(params, manifest, data, start, scores)


def starts(sets: int) -> Iterator[Start]:
    """The starting sets in the order in which they are trained."""
    for number in range(sets):
        for masks in BUDGETS:
            yield Start(masks, number)


def run(params: Params, manifest: Manifest, data: str, start: Start, scores: Path) -> None:
    """Train and score one starting set and what each rule adds to it."""
    rows = {row.id: row for row in manifest.train() if row.mask and row.tags is not None}
    ids = list(rows)
    drawn = [ids[place] for place in rng(start.number, 11).permutation(len(ids))[: start.masks]]
    known = {row[4] for row in read_rows(scores) if row[:4] == key(data, start)}
    score = train(params, manifest, drawn, BOTH)
    if START not in known:
        append(scores, [*key(data, start), START, score])
    for name in BOTH:
        subprocess.run([sys.executable, "-m", "stages.package", name], check=True)
    rest = {name: row.known_tags for name, row in rows.items() if name not in drawn}
    counts = Counter(tag for name in drawn for tag in rows[name].known_tags)
    looked = look_at(manifest, [rows[name] for name in rest], read_networks(params), SPECKS)
    for rule in Rule:
        if rule not in known:
            more = choose(rule, rest, counts, looked, ADDED, start.number)
            score = train(params, manifest, [*drawn, *more], BOTH[1:])
            append(scores, [*key(data, start), rule.value, score])


def train(
    params: Params, manifest: Manifest, strong: Sequence[str], variants: Sequence[str]
) -> str:
    """Train on these masks, and on proxies of all other images; the mIoU of `dual`."""
    weak = [row.id for row in manifest.train() if row.id not in strong]
    lists = [row.id for row in manifest.train() if row.id in strong], weak
    plans = [plan_of(name, params, lists) for name in variants]
    start = start_digest(params)
    plans = [replace(plan, proxies=proxies_hash(plan), start=start) for plan in plans]
    shutil.rmtree(SPLIT)
    SPLIT.mkdir()
    write_plans(SPLIT, plans)
    seed = str(params.seeds[0])
    for name in variants:
        for stage in (["train", name, seed], ["evaluate", name]):
            command = [sys.executable, "-m", f"stages.{stage[0]}", *stage[1:]]
            subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with result_file(params.dataset, "seeds", "dual").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    return row["miou"]


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
