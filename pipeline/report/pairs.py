"""Differences between two networks, seed by seed, and how far chance explains them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from pipeline.metrics import mean_and_sd
from pipeline.report.collect import Outcome
from pipeline.report.names import DSRG_ROW

BASE = "strong"  # what the other variants are held against, as in the paper
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Pairing:
    """One network minus another in points of mIoU, by the seed both were trained from."""

    name: str
    by_seed: Mapping[int, float]
    paired: bool = True  # False: one of them was trained once, its own noise is not known

    @property
    def mean(self) -> float:
        """Mean difference."""
        return mean_and_sd(list(self.by_seed.values()))[0]

    @property
    def wins(self) -> int:
        """Seeds with which the first is ahead."""
        return sum(value > 0 for value in self.by_seed.values())

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean difference; None where one was trained once."""
        return interval(list(self.by_seed.values())) if self.paired else None

    def verdict(self, above: str, below: str) -> str:
        """`above` or `below` where the interval lies on one side of 0, else "within noise".

        Without an interval it says on which side the difference lies, and that this is of one
        training.
        """
        bounds = self.interval
        if bounds is None:
            sides = ("below", "equal", "above")
            return f"one training: {sides[1 + (self.mean > 0) - (self.mean < 0)]}"
        return above if bounds[0] > 0 else below if bounds[1] < 0 else "within noise"


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's interval of a mean, the values taken as independent draws of one normal law.

    Args:
        values: one a seed.

    Returns:
        lower and upper bound at 95 %; None for fewer than two values.
    """
    if len(values) < 2:
        return None
    mean, deviation = mean_and_sd(values)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * deviation
    return mean - reach / len(values) ** 0.5, mean + reach / len(values) ** 0.5


def pair(name: str, first: Mapping[int, float], second: Mapping[int, float]) -> Pairing:
    """`first` minus `second`, seed by seed; a network trained once stands for every seed.

    >>> pair("dual", {0: 72.0, 1: 74.0}, {7: 70.0}).by_seed
    {0: 2.0, 1: 4.0}
    """
    seeds = first if len(first) >= len(second) else second

    def score(by_seed: Mapping[int, float], seed: int) -> float:
        return by_seed[seed] if seed in by_seed else next(iter(by_seed.values()))

    apart = {seed: score(first, seed) - score(second, seed) for seed in seeds}
    return Pairing(name, apart, paired=len(first) == len(second))


def pair_up(by_seed: Mapping[str, Mapping[int, float]]) -> list[Pairing]:
    """Everything else against `strong`; empty where `strong` is not there."""
    base = by_seed.get(BASE)
    if base is None:
        return []
    return [pair(name, values, base) for name, values in by_seed.items() if name != BASE]


def pairings(outcomes: Sequence[Outcome]) -> list[Pairing]:
    """`pair_up` for whole outcomes."""
    return pair_up({outcome.name: outcome.by_seed for outcome in outcomes})


def trained_per_seed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that were trained once a seed: all but DSRG."""
    return [outcome for outcome in outcomes if outcome.name != DSRG_ROW]
