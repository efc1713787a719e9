"""What a report on photographs of one's own says in words: do the tags help, and what is next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.manifest import Manifest
from pipeline.data.plan import Plan
from pipeline.report.collect import ClassScore, Outcome
from pipeline.report.differences import BASE, Difference, to_strong
from pipeline.report.scored_networks import subject
from pipeline.report.tables import between
from pipeline.settings.paths import PACKAGES

FEW = 50  # scored photographs; with fewer, a score says little (docs/data.md)
WEAKEST = 3  # classes to draw next


@dataclass(frozen=True)
class Help:
    """Whether the tags help: the answer, the numbers behind it, the network to use.

    Attributes:
        answer: one sentence; empty where there is nothing to compare.
        gap: the report's subject minus `strong`.
        interval: its 95 % interval in points; None where there is none.
        use: name of the better network, or of the only one.
    """

    answer: str
    gap: Difference | None
    interval: tuple[float, float] | None
    use: str

    @property
    def model(self) -> Path:
        """Its file."""
        return PACKAGES / self.use / "model.safetensors"


@dataclass(frozen=True)
class OwnClass:
    """A class, how well it is found, and how many images show it: masks to train on, tags, val."""

    name: str
    colour: str
    score: ClassScore
    masks: int
    tags: int
    scored: int


def do_tags_help(outcomes: Sequence[Outcome]) -> Help:
    """The network that also learns from tags against the one that learns from masks alone."""
    about = subject([outcome.name for outcome in outcomes])
    gap = next((gap for gap in to_strong(outcomes) if gap.name == about), None)
    if gap is None:
        return Help("", None, None, about)
    bounds = gap.interval or gap.over_images
    better = about if gap.mean > 0 else BASE
    if bounds is None:
        return Help("That cannot be told from these scores.", gap, None, better)
    points = f"{abs(gap.mean):.1f} points of mIoU (95 % interval {between(bounds)})"
    if bounds[0] > 0:
        answer = f"Yes: with them the network is better by {points}."
    elif bounds[1] < 0:
        answer = f"No: with them the network is worse by {points}."
    else:
        more = "better" if gap.mean > 0 else "worse"
        answer = f"That cannot be told from chance: {more} by {points}."
    return Help(answer, gap, bounds, better)


def weakest_first(manifest: Manifest, plan: Plan, about: Outcome) -> list[OwnClass]:
    """Every object class, those that the network finds worst first; unknown scores last.

    Args:
        manifest: the data set.
        plan: who has a mask to train on.
        about: the network.
    """
    strong, classes = set(plan.strong), manifest.classes
    train = manifest.train()

    def row(index: int) -> OwnClass:
        shown = [row for row in train if index in (row.tags or ())]  # some have none
        masks = sum(row.id in strong for row in shown)
        scored = sum(index in row.known_tags for row in manifest.scored())
        return OwnClass(
            classes.names[index],
            "rgb({} {} {})".format(*classes.colours[index]),
            about.per_class[index],
            masks,
            len(shown) - masks,
            scored,
        )

    rows = [row(index) for index in range(1, len(classes))]
    return sorted(rows, key=lambda row: (row.score.iou is None, row.score.iou or 0.0))
