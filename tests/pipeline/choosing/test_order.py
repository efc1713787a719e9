"""Which photographs each rule takes."""

from collections import Counter

import numpy as np
import pytest

from pipeline.choosing.order import Rule, choose, doubt_of, new_to
from pipeline.choosing.signals import Signals

TAGS = {
    "a": (1,), "b": (1,), "c": (1,), "d": (1, 2), "e": (2,), "f": (3,), "g": (), "h": (1,),
}  # fmt: skip


def signals(entropy: float, features: tuple[float, ...] = (1, 0), **others: float) -> Signals:
    values = {"disagreement": 0.0, "misfit": 0.0, **others}
    vector = np.array(features, np.float32)
    mask = np.zeros((2, 2), np.uint8)
    return Signals(entropy, values["disagreement"], values["misfit"], (), 4, vector, mask)


SIGNALS = {
    key: signals(place / 10, features=tuple(float(place == other) for other in range(8)))
    for place, key in enumerate(TAGS)
}


@pytest.mark.parametrize("seed", range(5))
def test_balanced_takes_the_class_with_the_fewest_masks(seed: int) -> None:
    chosen = choose(Rule.BALANCED, TAGS, {1: 3, 2: 1, 3: 0}, {}, 3, seed)
    assert chosen[0] == "f"  # 3 has none, then one; 2 has one, too, and goes before it
    assert chosen[1] in ("d", "e")
    counts = Counter({1: 3, 2: 1, 3: 0})
    for place, key in enumerate(chosen):
        left = {tag for other in TAGS.keys() - set(chosen[:place]) for tag in TAGS[other]}
        assert min(left, key=lambda tag: (counts[tag], tag)) in TAGS[key]
        counts.update(TAGS[key])


def test_all_are_taken_once_and_those_that_show_nothing_last() -> None:
    for rule in Rule:
        chosen = choose(rule, TAGS, {}, SIGNALS, 99, 0)
        assert sorted(chosen) == sorted(TAGS)
        assert rule in (Rule.RANDOM, Rule.DOUBT) or chosen[-1] == "g"


def test_another_seed_is_another_draw() -> None:
    draws = {tuple(choose(Rule.RANDOM, TAGS, {}, {}, 4, seed)) for seed in range(20)}
    assert len(draws) > 10
    assert choose(Rule.RANDOM, TAGS, {}, {}, 4, 3) == choose(Rule.RANDOM, TAGS, {}, {}, 4, 3)


def test_doubt_takes_the_most_doubtful() -> None:
    assert choose(Rule.DOUBT, TAGS, {}, SIGNALS, 3, 0) == ["h", "g", "f"]
    assert choose(Rule.BOTH, TAGS, {3: 9}, SIGNALS, 3, 0) == ["h", "e", "d"]


def test_doubt_is_the_mean_rank_of_the_signals() -> None:
    known = {
        "a": signals(0.1, disagreement=0.3, misfit=0.0),
        "b": signals(0.2, disagreement=0.3, misfit=0.0),
        "c": signals(0.3, disagreement=0.1, misfit=2.0),
    }
    assert doubt_of(known) == pytest.approx(
        {"a": (0 + 0.75 + 0.25) / 3, "b": (0.5 + 0.75 + 0.25) / 3, "c": (1 + 0 + 1) / 3}
    )


def test_near_duplicates_do_not_fill_the_list() -> None:
    same = (1.0, 0.01, 0.0)
    known = {
        "a": signals(0.9, same), "b": signals(0.8, same), "c": signals(0.7, (0.0, 1.0, 0.0)),
        "d": signals(0.1, (0.0, 0.0, 1.0)),
    }  # fmt: skip
    is_new = new_to(known)
    assert is_new("b", [])
    assert not is_new("b", ["a"])
    tags = dict.fromkeys(known, (1,))
    assert choose(Rule.DOUBT, tags, {}, known, 2, 0) == ["a", "c"]
    assert choose(Rule.DOUBT, tags, {}, known, 4, 0) == ["a", "c", "d", "b"]
