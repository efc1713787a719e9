"""A run held against a list: which files differ, and whether they may.

On the same kind of machine the same params give the same bytes, so any difference is a failure.
Elsewhere sums round differently and a training takes another path, as from another training seed.
There a score passes if it differs from the list's no more than scores of two training seeds do.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from pipeline.base.errors import UserError
from pipeline.settings.paths import PREDICTIONS, PROXY, RESULTS, SEEDS
from pipeline.verify.listing import Listing

NAMED = 3  # files of each kind that a message names
KINDS = {"seeds": SEEDS, "proxies": PROXY, "predictions": PREDICTIONS, "scores": RESULTS}
CONFIDENCE = 0.95
RULE = (
    "bytes may differ here; an mIoU passes if it differs from the list's by no more than two "
    f"training seeds do in {CONFIDENCE:.0%} of cases:"
)
SAME_MACHINE = "FAILS: on this kind of machine every byte must be the same"


@dataclass(frozen=True)
class Verdict:
    """The lines to print, and whether the run passes."""

    lines: list[str]
    passes: bool


@dataclass(frozen=True)
class Gap:
    """The mIoU of one network in the list and here, in percent."""

    network: str
    seed: str
    listed: float
    here: float

    def __str__(self) -> str:
        """The gap as a line."""
        points = f"{self.here - self.listed:+.4f}"
        what = f"{self.network}, seed {self.seed}"
        return f"{what}: mIoU {self.here:.4f}, in the list {self.listed:.4f} ({points})"

    def judged(self, allowed: float | None) -> str:
        """The same with what is allowed; None where that is not known."""
        if allowed is None:
            return f"{self}: not judged: the spread over seeds is not known"
        return f"{self}: {'passes' if self.within(allowed) else 'FAILS'}, {allowed:.2f} are allowed"

    def within(self, allowed: float) -> bool:
        """Whether the gap is no larger than this."""
        return abs(self.here - self.listed) <= allowed


def compare(listed: Listing, here: Listing, allowed: Mapping[str, float]) -> Verdict:
    """Hold the run that is here against a list.

    Args:
        listed: the list.
        here: the run; networks that only one of the two has are named, not compared.
        allowed: as `read_allowed` gives it.

    Raises:
        UserError: the run has other params than the list.
    """
    refuse_other_params(listed, here)
    both = listed.miou.keys() & here.miou.keys()
    lines = [f"not in the list: {name}" for name in here.miou if name not in both]
    lines += [f"only in the list: {name}" for name in listed.miou if name not in both]
    wanted, found = (
        {path: digits for path, digits in run.digests.items() if network_of(path) in {None, *both}}
        for run in (listed, here)
    )
    if wanted == found:
        return Verdict([*lines, f"identical: {len(wanted)} files"], passes=True)
    lines += [difference(kind, folder, wanted, found) for kind, folder in KINDS.items()]
    gaps = [
        Gap(name, seed, score, here.miou[name][seed])
        for name in listed.miou
        if name in both
        for seed, score in listed.miou[name].items()
    ]
    other = [key for key in listed.machine if listed.machine[key] != here.machine.get(key)]
    if not other:
        lines += [str(gap) for gap in gaps if gap.listed != gap.here]
        return Verdict([*lines, SAME_MACHINE], passes=False)
    lines += [f"{key}: {here.machine.get(key)}; in the list {listed.machine[key]}" for key in other]
    return judge(lines, gaps, allowed)


def judge(lines: list[str], gaps: list[Gap], allowed: Mapping[str, float]) -> Verdict:
    """The verdict by scores alone, after the lines so far."""
    known = [gap.within(allowed[gap.network]) for gap in gaps if gap.network in allowed]
    passes = bool(known) and all(known)
    judged = (gap.judged(allowed.get(gap.network)) for gap in gaps)
    return Verdict([*lines, RULE, *judged, "passes" if passes else "FAILS"], passes)


def refuse_other_params(listed: Listing, here: Listing) -> None:
    """Refuse a run that cannot be as the list.

    Raises:
        UserError: its params are others; the message names them.
    """
    was, now = listed.params, here.params
    keys = [key for key in was | now if was.get(key) != now.get(key)]
    if keys:
        named = [f"{key} is {now.get(key)!r} and was {was.get(key)!r}" for key in keys[:NAMED]]
        named += [f"{len(keys) - NAMED} more"] if keys[NAMED:] else []
        raise UserError(
            f"the list was made with other params: {', '.join(named)}; take those, or list "
            "this run with `python -m stages.verify --write`"
        )


def network_of(path: str) -> str | None:
    """The network a file is of; None for what all share.

    >>> network_of("data/predictions/dual/a/1.png"), network_of("results/voc/seeds/dsrg.csv")
    ('dual', 'dsrg')
    >>> network_of("data/proxy/dsrg/masks/1.png")
    """
    for folder in (PREDICTIONS, RESULTS):
        if Path(path).is_relative_to(folder):
            name = Path(path).relative_to(folder).parts[0]
            return name if folder == PREDICTIONS else Path(path).stem
    return None


def difference(kind: str, folder: Path, wanted: dict[str, str], found: dict[str, str]) -> str:
    """How many files of a kind differ, and the first of them; arguments are digests by path."""
    paths = sorted(path for path in wanted | found if Path(path).is_relative_to(folder))
    differing = [path for path in paths if wanted.get(path) != found.get(path)]
    if not differing:
        return f"{kind}: identical"
    named = [
        f"{path} (missing)"
        if path not in found
        else f"{path} (new)"
        if path not in wanted
        else path
        for path in differing[:NAMED]
    ]
    named += [f"{len(differing) - NAMED} more"] if differing[NAMED:] else []
    return f"{kind}: {len(differing)} of {len(paths)} differ: {', '.join(named)}"


def read_allowed(path: Path, dataset: str) -> dict[str, float]:
    """By how many points of mIoU two trainings from different seeds differ at most in 95 of 100.

    The difference of two draws from one normal law, divided by sqrt(2) times the deviation of n
    others, follows Student's law of n - 1 degrees of freedom.

    Args:
        path: the table, with data set, network, how many seeds, and their sample deviation.
        dataset: the data set of the run.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    return {
        row["network"]: float(
            stats.t.ppf((1 + CONFIDENCE) / 2, int(row["seeds"]) - 1) * 2**0.5 * float(row["sd"])
        )
        for row in csv.DictReader(lines)
        if row["dataset"] == dataset
    }
