"""How mIoU grows with the masks: the scores of `swseg curve`, and what they say."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from pipeline.base.digests import digest
from pipeline.data.manifest import Manifest
from pipeline.report.differences import BASE, Difference, difference
from pipeline.report.drawing import dashes, drawing, tone_of
from pipeline.report.scored_networks import subject
from pipeline.scoring.metrics import mean_and_sd
from pipeline.settings.params import Params
from pipeline.settings.paths import RESULTS

KEYS = {  # of params.yaml: what a point depends on
    *("backbone", "timm", "backbone_weights", "neck_n", "cam", "dsrg", "proxy", "train"),
    *("engine", "extras", "evaluate", "seed"),
}
HEADER = ("data", "masks", "tagged", "draw", "network", "miou")


class Point(NamedTuple):
    """One training: on so many masks and so many other photographs with tags, in one draw."""

    masks: int
    tagged: int
    draw: int
    network: str
    miou: float


class Step(NamedTuple):
    """All draws at one number of masks: means, and the difference to `strong`."""

    masks: int
    strong: float
    other: float
    gap: Difference


def curve_file(dataset: str) -> Path:
    """Where the points lie."""
    return RESULTS / dataset / "curve.csv"


def data_of(params: Params, manifest: Manifest) -> str:
    """What tells points of this data set and these params from others: the start of a SHA-256."""
    values = params.model_dump(mode="json", include=KEYS)
    parts = [digest(manifest.folder / "manifest.csv"), subject(params.variants), values]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def read_rows(dataset: str, data: str) -> tuple[list[tuple[str, ...]], list[Point]]:
    """The rows of other data or params as they stand, and the points of these."""
    path = curve_file(dataset)
    if not path.exists():
        return [], []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    others = [tuple(row[key] for key in HEADER) for row in rows if row["data"] != data]
    own = [
        Point(
            int(row["masks"]),
            int(row["tagged"]),
            int(row["draw"]),
            row["network"],
            float(row["miou"]),
        )
        for row in rows
        if row["data"] == data
    ]
    return others, own


def read_points(params: Params, manifest: Manifest) -> list[Point]:
    """The points that belong to the run as it is now."""
    return read_rows(params.dataset, data_of(params, manifest))[1]


def steps(points: Sequence[Point]) -> list[Step]:
    """The numbers of masks at which both networks were trained, on all tags, in each draw."""
    found = []
    for masks in sorted({point.masks for point in points}):
        here = [point for point in points if point.masks == masks]
        most = max(point.tagged for point in here)
        strong = {p.draw: p.miou for p in here if p.network == BASE}
        other = {p.draw: p.miou for p in here if p.network != BASE and p.tagged == most}
        draws = sorted(strong.keys() & other.keys())
        if draws:
            name = next(p.network for p in here if p.network != BASE)
            own = [{draw: each[draw] for draw in draws} for each in (strong, other)]
            low, high = (mean_and_sd(list(each.values()))[0] for each in own)
            found.append(Step(masks, low, high, difference(name, own[1], own[0])))
    return found


def words(points: Sequence[Point]) -> list[str]:
    """What the curve says, a sentence each."""
    found = steps(points)
    if not found:
        return []
    last, name = found[-1], found[-1].gap.name
    said = []
    half = max((s for s in found if s.masks <= last.masks / 2), key=lambda s: s.masks, default=None)
    if half:
        said.append(
            f"From {half.masks} to {last.masks} masks {name} gained "
            f"{last.other - half.other:.1f} points, {BASE} {last.strong - half.strong:.1f}."
        )
    fewer = [p for p in points if p.masks == last.masks and p.network == name]
    least = min(p.tagged for p in fewer)
    if least < max(p.tagged for p in fewer):
        mean = mean_and_sd([p.miou for p in fewer if p.tagged == least])[0]
        said.append(
            f"With {least} of the photographs that have tags alone it is {mean:.1f} % instead of "
            f"{last.other:.1f} %: that is what more tags are worth here."
        )
    return [*said, where_tags_pay(found)]


def where_tags_pay(found: Sequence[Step]) -> str:
    """At which numbers of masks the tags help, by the 95 % intervals over the draws."""
    if any(step.gap.interval is None for step in found):
        return "With one draw of the masks it cannot be told from chance where the tags help."
    pays = [step.masks for step in found if (step.gap.interval or (0, 0))[0] > 0]
    if not pays:
        return "At no number of masks do the tags help by more than chance."
    after = [step.masks for step in found if step.masks > pays[-1]]
    if not after:
        return f"The tags help up to all {pays[-1]} masks."
    return f"The tags help up to {pays[-1]} masks; from {after[0]} on by no more than chance."


def curve_chart(points: Sequence[Point]) -> Markup:
    """MIoU over masks: the mean of the draws as a line, each draw as a dot."""
    found = steps(points)
    name = found[0].gap.name
    lines = {BASE: [s.strong for s in found], name: [s.other for s in found]}
    numbers = [step.masks for step in found]
    looks = dashes(lines)
    alt = "mIoU in percent by the number of masks: " + ", ".join(
        f"{who} {values[0]:.1f} at {numbers[0]} and {values[-1]:.1f} at {numbers[-1]}"
        for who, values in lines.items()
    )
    with drawing(480, 280, "curve", alt) as made:
        axes = made.axes
        for who, values in lines.items():
            axes.plot(
                numbers, values, ls=looks[who], marker="o", ms=4, color=tone_of(who), label=who
            )
        for step in found:
            for who in lines:
                dots = [p.miou for p in points if (p.masks, p.network) == (step.masks, who)]
                axes.plot([step.masks] * len(dots), dots, ".", color=tone_of(who), alpha=0.5)
        axes.set_xscale("log")
        axes.set_xticks(numbers, [str(number) for number in numbers])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("masks")
        axes.set_ylabel("mIoU on val (%)")
        made.figure.legend(loc="outside upper left", ncols=2, handlelength=2.2, fontsize=11)
    return made.svg
