"""A run against a list: what is told, what is refused, and the rule for another machine."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.verify.compare import compare, read_allowed
from pipeline.verify.listing import Listing
from tests.settings import ROOT

SPREAD = ROOT / "results/spread.csv"
LIST = Listing(
    {"processor": "A", "threads": "2"},
    {"neck_n": 0, "train.crop": 48},
    {"dsrg": {"0": 54.0}, "dual": {"0": 72.0, "1": 71.0}},
    {
        "data/seeds/seeds.npy": "a",
        **{f"data/proxy/masks/{n}.png": "b" for n in range(6)},
        "data/predictions/dual/x/1.png": "c",
        "results/shapes/seeds/dual.csv": "d",
        "results/shapes/seeds/dsrg.csv": "e",
    },
)
ELSEWHERE = {"processor": "B", "threads": "2"}


def changed(**digests: str | None) -> dict[str, str]:
    """The list's digests with others; None takes a file away."""
    found = {**LIST.digests, **digests}
    return {path: digits for path, digits in found.items() if digits is not None}


def test_the_same_files_are_identical_on_any_machine() -> None:
    for machine in (LIST.machine, ELSEWHERE):
        verdict = compare(LIST, replace(LIST, machine=machine), {})
        assert (verdict.lines, verdict.passes) == (["identical: 10 files"], True)


def test_files_that_differ_are_counted_by_kind_and_the_first_named() -> None:
    masks = {f"data/proxy/masks/{n}.png": "other" for n in (1, 2, 3, 4)}
    here = replace(
        LIST,
        digests=changed(**masks, **{"data/seeds/seeds.npy": None, "data/proxy/masks/7.png": "f"}),
    )
    verdict = compare(LIST, here, {})
    assert not verdict.passes
    assert verdict.lines == [
        "seeds: 1 of 1 differ: data/seeds/seeds.npy (missing)",
        "proxies: 5 of 7 differ: data/proxy/masks/1.png, data/proxy/masks/2.png, "
        "data/proxy/masks/3.png, 2 more",
        "predictions: identical",
        "scores: identical",
        "FAILS: on this kind of machine every byte must be the same",
    ]


@pytest.mark.parametrize(
    ("allowed", "here", "passes"),
    [
        ({"dual": 1.0}, {"0": 72.9, "1": 70.1}, True),
        ({"dual": 1.0}, {"0": 73.1, "1": 71.0}, False),
        ({"dual": 1.0}, {"0": 72.0, "1": 69.9}, False),  # every seed has to pass
        ({}, {"0": 72.0, "1": 71.0}, False),  # nothing is known, so nothing is shown
    ],
)
def test_elsewhere_scores_decide(
    allowed: dict[str, float], here: dict[str, float], passes: bool
) -> None:
    other = changed(**{"results/shapes/seeds/dual.csv": "other"})
    miou = {"dsrg": {"0": 1.0}, "dual": here}  # how far DSRG's seeds lie apart is never known
    verdict = compare(LIST, replace(LIST, machine=ELSEWHERE, miou=miou, digests=other), allowed)
    assert verdict.passes == passes
    assert verdict.lines[-1] == ("passes" if passes else "FAILS")
    assert "processor: B; in the list A" in verdict.lines
    assert not any(line.startswith("threads") for line in verdict.lines)


def test_networks_of_one_alone_are_told_and_not_compared() -> None:
    digests = {path: d for path, d in LIST.digests.items() if "dsrg" not in path}
    here = replace(
        LIST,
        miou={"dual": LIST.miou["dual"], "weak": {"0": 1.0}},
        digests={**digests, "results/shapes/seeds/weak.csv": "f"},
    )
    verdict = compare(LIST, here, {})
    assert verdict.passes
    assert verdict.lines == [
        "not in the list: weak",
        "only in the list: dsrg",
        "identical: 9 files",
    ]


def test_other_params_are_refused() -> None:
    here = replace(LIST, params={"neck_n": 1, "seed": 3})
    with pytest.raises(
        UserError,
        match=r"neck_n is 1 and was 0, train\.crop is None and was 48, seed is 3 and was None;",
    ):
        compare(LIST, here, {})


def test_what_is_allowed_is_the_spread_of_two_draws() -> None:
    """As many of such differences lie within as the rule says, for any mean and deviation."""
    generator = np.random.default_rng(0)
    draws = generator.normal(50.0, 2.0, (20_000, 5))
    sd = draws[:, :3].std(axis=1, ddof=1)
    factor = read_allowed(SPREAD, "shapes")["dual"] / 0.90
    within = np.abs(draws[:, 3] - draws[:, 4]) <= factor * sd
    assert within.mean() == pytest.approx(0.95, abs=0.005)


def test_the_spread_is_that_of_the_documented_run() -> None:
    with (ROOT / "docs/results/shapes/scores.csv").open(encoding="utf-8", newline="") as file:
        documented = {row["network"]: (row["mIoU"], row["sd"]) for row in csv.DictReader(file)}
    lines = SPREAD.read_text("utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [row["network"] for row in rows] == ["weak", "mixed", "strong", "dual"]
    for row in rows:
        assert (row["mean"], row["sd"]) == documented[row["network"]]
        assert (row["dataset"], row["seeds"]) == ("shapes", "3")


def test_another_data_set_has_no_spread() -> None:
    assert read_allowed(SPREAD, "voc") == {}
