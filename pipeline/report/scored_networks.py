"""The networks that a run scores: their names, titles, rows of Table 1 and stages."""

from collections.abc import Sequence

from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params
from pipeline.settings.variants import PAPERS_LAMBDA, REPEATED, find_variant

DSRG_ROW = "dsrg"
ENSEMBLE = "ensemble_"
# The text of Fig. 6 speaks of the weak network, its numbers are those of the mixed one.
PAPERS_ENSEMBLES = (f"{ENSEMBLE}mixed", f"{ENSEMBLE}weak")


def scored_names(params: Params) -> list[str]:
    """Everything this run scores on val: DSRG itself if it ran, the variants, the averages."""
    averages = (f"{ENSEMBLE}{name}" for name in params.ensembles)
    return [*dsrg_row(params), *params.variants, *averages]


def dsrg_row(params: Params) -> list[str]:
    """The name of DSRG's own network, in a list; an empty one where no generator needs it."""
    return [DSRG_ROW] if needed_by(params)["dsrg"] else []


def subject(variants: Sequence[str]) -> str:
    """The network a report is about: `dual` if it was trained, else the last one.

    >>> subject(["strong", "dual", "dual+ema"]), subject(["strong", "weak"])
    ('dual', 'weak')
    """
    return "dual" if "dual" in variants else variants[-1]


def row_of(name: str) -> str:
    """The row of the paper's Table 1 that a name of this project belongs to, or the name itself.

    >>> row_of("mixed_x4"), row_of("ensemble_mixed"), row_of("dual"), row_of("mixed_x4+ema")
    ('mixed_xK', 'ensemble', 'dual', 'mixed_x4+ema')
    """
    if name in PAPERS_ENSEMBLES:
        return "ensemble"
    return "mixed_xK" if REPEATED.fullmatch(name) else name


def stage_of(name: str) -> str:
    """Module and arguments of the stage that scores a network.

    >>> stage_of("dual"), stage_of("dsrg"), stage_of("ensemble_weak")
    ('evaluate dual', 'evaluate_dsrg', 'ensemble weak')
    """
    if name == DSRG_ROW:
        return "evaluate_dsrg"
    if name.startswith(ENSEMBLE):
        return f"ensemble {name.removeprefix(ENSEMBLE)}"
    return f"evaluate {name}"


def title_of(name: str) -> str:
    """What a network is, in a few words for the reader."""
    if name == DSRG_ROW:
        return "the network that makes the proxies, trained on tags alone"
    if name.startswith(ENSEMBLE):
        other = name.removeprefix(ENSEMBLE)
        shares = f"{PAPERS_LAMBDA:g} {other} + {1 - PAPERS_LAMBDA:g} strong"
        return f"two networks, their probabilities averaged: {shares}"
    variant = find_variant(name)
    assert variant is not None
    return variant.title
