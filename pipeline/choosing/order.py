"""The order in which photographs are to be drawn: several rules, of which one is the default.

docs/results/next/study.py compares them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import numpy as np
from scipy.stats import rankdata

from pipeline.choosing.signals import Signals
from pipeline.data.randomness import rng

ALIKE = 0.9  # cosine of two photographs' features, less their mean over all: near-duplicates


class Rule(StrEnum):
    """How to choose."""

    RANDOM = "random"
    BALANCED = "balanced"
    DOUBT = "doubt"
    BOTH = "both"

    @property
    def by_doubt(self) -> bool:
        """Whether it needs signals."""
        return self in (Rule.DOUBT, Rule.BOTH)


def choose(
    rule: Rule,
    tags: Mapping[str, Sequence[int]],
    drawn: Mapping[int, int],
    signals: Mapping[str, Signals],
    count: int,
    seed: int,
) -> list[str]:
    """The ids of photographs to draw, the first first.

    `random` draws evenly. `balanced` draws, again and again, a photograph with the class that has
    the fewest masks so far, whatever else it shows. `doubt` takes those that the networks doubt
    most, and none that is nearly the same as one that was taken. `both` takes the most doubtful
    photograph with the class that has the fewest masks.

    Args:
        rule: which of them.
        tags: object classes of each candidate, by id.
        drawn: masks that show a class, by class.
        signals: of each candidate; `random` and `balanced` need none.
        count: how many, if there are as many.
        seed: of what is drawn.
    """
    if not tags or count < 1:
        return []
    keys = sorted(tags)
    order = [keys[place] for place in rng(seed, 7).permutation(len(keys))]
    if rule is Rule.RANDOM:
        return order[:count]
    if rule.by_doubt:
        doubts = doubt_of(signals)
        order.sort(key=lambda key: -doubts[key])
    allowed = new_to(signals) if rule.by_doubt else lambda key, chosen: True
    counts = Counter(drawn)
    chosen: list[str] = []
    while order and len(chosen) < count:
        wanted = order
        if rule is not Rule.DOUBT:
            left = {tag for key in order for tag in tags[key]}
            rarest = min(left, key=lambda tag: (counts[tag], tag), default=None)
            wanted = [key for key in order if rarest in tags[key]] or order
        taken = next((key for key in wanted if allowed(key, chosen)), wanted[0])
        order.remove(taken)
        chosen.append(taken)
        counts.update(tags[taken])
    return chosen


def doubt_of(signals: Mapping[str, Signals]) -> dict[str, float]:
    """How much the networks doubt each photograph: its mean rank by the three signals, 0 to 1."""
    keys = sorted(signals)
    found_N3 = np.array(
        [(one.entropy, one.disagreement, one.misfit) for one in map(signals.__getitem__, keys)]
    )
    ranks_N3 = (rankdata(found_N3, axis=0) - 1) / max(1, len(keys) - 1)
    return dict(zip(keys, ranks_N3.mean(axis=1).tolist(), strict=True))


def new_to(signals: Mapping[str, Signals]) -> Callable[[str, Sequence[str]], bool]:
    """Whether a photograph is no near-duplicate of any that was chosen."""
    keys = sorted(signals)
    features_NK = np.array([signals[key].features_K for key in keys])
    features_NK = features_NK - features_NK.mean(axis=0)
    features_NK /= np.maximum(1e-12, np.linalg.norm(features_NK, axis=1, keepdims=True))
    of = dict(zip(keys, features_NK, strict=True))

    def is_new(key: str, chosen: Sequence[str]) -> bool:
        return all(float(of[key] @ of[other]) < ALIKE for other in chosen)

    return is_new
