"""The budget curve: `strong` and `dual` on more and more of the masks, in several nested draws."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.base.errors import UserError
from pipeline.data.manifest import Manifest
from pipeline.data.randomness import rng
from pipeline.data.tables import write_csv
from pipeline.project.trial import score
from pipeline.report.curve import HEADER, Point, curve_file, data_of, read_points
from pipeline.report.differences import BASE
from pipeline.report.scored_networks import subject
from pipeline.settings.params import Params
from pipeline.settings.paths import DATA

FOLDER = DATA / "curve"
BUDGETS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Training(NamedTuple):
    """One training of the curve: its point but for the score, and its lists."""

    masks: int
    draw: int
    network: str
    strong: list[str]
    weak: list[str]


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
    refuse_taught(params)
    made = read_points(params.dataset, manifest)
    known = {point[:4] for point in made}
    for training in trainings(params, manifest, budgets, draws):
        masks, draw, network, strong, weak = training
        if (masks, len(weak), draw, network) in known:
            continue
        miou = score(params, folder, network, (strong, weak), draw)
        made.append(Point(masks, len(weak), draw, network, round(miou, 4)))
        rows = [(data_of(manifest), *point) for point in made]
        write_csv(curve_file(params.dataset), HEADER, rows)
        yield made[-1]


def trainings(
    params: Params, manifest: Manifest, budgets: Sequence[int], draws: int
) -> Iterator[Training]:
    """All of them, draw by draw; at the most masks also one with half of the tagged images."""
    rows = manifest.train()
    ids = [row.id for row in rows if row.split == "strong"]
    wanted = sorted(set(budgets)) or [*(n for n in BUDGETS if n < len(ids)), len(ids)]
    if wanted[-1] > len(ids) or wanted[0] < 1:
        raise UserError(f"--masks: give numbers from 1 to {len(ids)}, the masks to train on")
    about = subject(params.variants)
    for draw in range(draws):
        order = [ids[place] for place in rng(params.seed, 5, draw).permutation(len(ids))]
        for masks in wanted:
            strong = sorted(order[:masks])
            weak = [row.id for row in rows if row.id not in strong]
            yield Training(masks, draw, BASE, strong, weak)
            yield Training(masks, draw, about, strong, weak)
        places = rng(params.seed, 13, draw).permutation(len(weak))[: len(weak) // 2]
        yield Training(masks, draw, about, strong, [weak[place] for place in sorted(places)])


def refuse_taught(params: Params) -> None:
    """Refuse proxies of a network that was trained on all masks: few masks would profit from many.

    Raises:
        UserError: naming the generator.
    """
    generator = params.proxy.generators[0]
    if generator == "self" or subject(params.variants) == BASE:
        raise UserError(
            "the curve compares strong with a network that learns from tags: it needs variants "
            "such as [strong, dual], and the generator dsrg or files first in proxy.generators"
        )
