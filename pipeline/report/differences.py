"""Differences between two networks, seed by seed, and their confidence intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scipy import stats

from pipeline.report.bootstrap import CONFIDENCE, interval_over_images
from pipeline.report.collect import Outcome, Source
from pipeline.report.scored_networks import DSRG_ROW
from pipeline.scoring.metrics import mean_and_sd

BASE = "strong"  # what the other variants are compared with, as in the paper


@dataclass(frozen=True)
class Difference:
    """One network minus another in points of mIoU, by training seed.

    Attributes:
        paired: False where one of them was trained once, so its noise is unknown.
        over_images: where both were trained once, the 95 % interval over the choice of images.
        behind: the predictions it is computed from.
    """

    name: str
    by_seed: Mapping[int, float]
    paired: bool = True
    over_images: tuple[float, float] | None = None
    behind: tuple[Source, ...] = ()

    @property
    def mean(self) -> float:
        """Mean difference."""
        return mean_and_sd(list(self.by_seed.values()))[0]

    @property
    def wins(self) -> int:
        """Number of seeds with which the first is ahead."""
        return sum(value > 0 for value in self.by_seed.values())

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean difference; None where one was trained once."""
        return interval(list(self.by_seed.values())) if self.paired else None

    def verdict(self, above: str, below: str) -> str:
        """`above` or `below` where the interval lies on one side of 0, else "within noise".

        Without an interval it says which side is higher, and that this is of one training.
        """
        bounds = self.interval
        if bounds is None:
            sides = ("below", "equal", "above")
            return f"one training: {sides[1 + (self.mean > 0) - (self.mean < 0)]}"
        return above if bounds[0] > 0 else below if bounds[1] < 0 else "within noise"


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's interval of a mean, for independent values of one normal distribution.

    Args:
        values: one for each seed.

    Returns:
        lower and upper bound at 95 %; None for fewer than two values.
    """
    if len(values) < 2:
        return None
    mean, deviation = mean_and_sd(values)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * deviation
    return mean - reach / len(values) ** 0.5, mean + reach / len(values) ** 0.5


def difference(name: str, first: Mapping[int, float], second: Mapping[int, float]) -> Difference:
    """`first` minus `second`, seed by seed; a network trained once counts for every seed.

    >>> difference("dual", {0: 72.0, 1: 74.0}, {7: 70.0}).by_seed
    {0: 2.0, 1: 4.0}
    """
    seeds = first if len(first) >= len(second) else second

    def score(by_seed: Mapping[int, float], seed: int) -> float:
        return by_seed[seed] if seed in by_seed else next(iter(by_seed.values()))

    apart = {seed: score(first, seed) - score(second, seed) for seed in seeds}
    return Difference(name, apart, paired=len(first) == len(second))


def between_outcomes(name: str, first: Outcome, second: Outcome) -> Difference:
    """The difference of two networks, over images where both were trained once."""
    gap = difference(name, first.by_seed, second.by_seed)
    if len(gap.by_seed) > 1 or first.images is None or second.images is None:
        return gap
    bounds = interval_over_images(first.images, second.images)
    return replace(gap, over_images=bounds, behind=(first.predictions, second.predictions))


def scores_to_strong(by_seed: Mapping[str, Mapping[int, float]]) -> list[Difference]:
    """Every other network minus `strong`; empty where `strong` was not run."""
    base = by_seed.get(BASE)
    if base is None:
        return []
    return [difference(name, values, base) for name, values in by_seed.items() if name != BASE]


def to_strong(outcomes: Sequence[Outcome]) -> list[Difference]:
    """The same, of outcomes."""
    base = next((outcome for outcome in outcomes if outcome.name == BASE), None)
    if base is None:
        return []
    others = (outcome for outcome in outcomes if outcome.name != BASE)
    return [between_outcomes(outcome.name, outcome, base) for outcome in others]


def trained_per_seed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The networks that were trained once for each seed: all but DSRG."""
    return [outcome for outcome in outcomes if outcome.name != DSRG_ROW]
