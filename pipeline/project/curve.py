"""The budget curve: `strong` and `dual` on more and more of the masks, in several nested draws."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.base.errors import UserError
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import made_by
from pipeline.data.randomness import rng
from pipeline.data.tables import write_csv
from pipeline.project.trial import score
from pipeline.report.curve import HEADER, Point, curve_file, data_of, read_rows
from pipeline.report.differences import BASE
from pipeline.report.scored_networks import subject
from pipeline.settings.params import Params
from pipeline.settings.paths import DATA
from pipeline.settings.variants import find_variant
from pipeline.train.train import total_steps

FOLDER = DATA / "curve"
BUDGETS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Training(NamedTuple):
    """One training of the curve: its point but for the score, its lists and its length."""

    masks: int
    draw: int
    network: str
    strong: list[str]
    weak: list[str]
    steps: int


def run_curve(
    params: Params, manifest: Manifest, budgets: Sequence[int], draws: int, folder: Path = FOLDER
) -> Iterator[Point]:
    """Train and score what has no point yet; each is in results/ before it is yielded.

    Args:
        params: of the finished run in the current folder.
        manifest: its data set.
        budgets: numbers of masks; empty: 10, 20, 50, 100 and so on, up to all.
        draws: of the masks; in each the few are among the many.
        folder: where trainings happen.

    Raises:
        UserError: a training failed; or the proxies are made by networks that saw all masks.
    """
    refuse_taught(params, manifest)
    data = data_of(params, manifest)
    others, made = read_rows(params.dataset, data)
    known = {point[:4] for point in made}
    for training in trainings(params, manifest, budgets, draws):
        masks, draw, network, strong, weak, steps = training
        if (masks, len(weak), draw, network) in known:
            continue
        miou = score(params, folder, network, (strong, weak), draw, steps)
        made.append(Point(masks, len(weak), draw, network, round(miou, 4)))
        rows = [*others, *((data, *map(str, point)) for point in made)]
        write_csv(curve_file(params.dataset), HEADER, rows)
        yield made[-1]


def trainings(
    params: Params, manifest: Manifest, budgets: Sequence[int], draws: int
) -> Iterator[Training]:
    """All of them, draw by draw; at the most masks also one with half of the tagged images."""
    rows = manifest.train()
    ids = [row.id for row in rows if row.split == "strong"]
    most = min(params.split.strong or len(ids), len(ids))
    wanted = sorted(set(budgets)) or [*(n for n in BUDGETS if n < most), most]
    if wanted[-1] > most or wanted[0] < 1:
        raise UserError(f"--masks: give numbers from 1 to {most}, the masks to train on")
    about = subject(params.variants)
    made = set(made_by(generator_of(params)))
    steps, _ = total_steps(params, len(rows) - most)
    for draw in range(draws):
        order = [ids[place] for place in rng(params.seed, 5, draw).permutation(len(ids))]
        for masks in wanted:
            strong = sorted(order[:masks])
            weak = [row.id for row in rows if row.id in made and row.id not in strong]
            yield Training(masks, draw, BASE, strong, weak, steps)
            yield Training(masks, draw, about, strong, weak, steps)
        places = rng(params.seed, 13, draw).permutation(len(weak))[: len(weak) // 2]
        half = [weak[place] for place in sorted(places)]
        yield Training(masks, draw, about, strong, half, steps)


def generator_of(params: Params) -> str:
    """Who makes the proxies of the network that learns from tags."""
    found = find_variant(subject(params.variants))
    assert found is not None
    return found.generator or params.proxy.generators[0]


def refuse_taught(params: Params, manifest: Manifest) -> None:
    """Refuse what makes few masks profit from many, and folds, in which draws score other images.

    Raises:
        UserError: naming what to change.
    """
    if manifest.fold_sizes:
        raise UserError("the curve scores the same photographs each time; leave folds out for it")
    if generator_of(params) == "self" or subject(params.variants) == BASE:
        raise UserError(
            "the curve compares strong with a network that learns from tags: it needs variants "
            "such as [strong, dual], with proxies of the generator dsrg or files: those of self "
            "come from all masks"
        )
