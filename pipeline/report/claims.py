"""The paper's claims compared with this run: each holds, does not hold, or is within noise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.report.collect import Outcome, Source
from pipeline.report.differences import Difference, between_outcomes
from pipeline.report.exports import NOT_RUN
from pipeline.report.scored_networks import PAPERS_ENSEMBLES, row_of


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: one network is above another.

    Attributes:
        text: the claim in plain words.
        better: row of Table 1 with the higher score in the paper.
        worse: row with the lower score.
        place: where in the paper.
    """

    text: str
    better: str
    worse: str
    place: str


@dataclass(frozen=True)
class Verdict:
    """A claim compared with this run.

    Attributes:
        claim: what the paper says.
        paper: its difference in points of mIoU; None if it has none for this data set.
        names: this run's names for both sides.
        here: this run's difference; None: not run.
        sources: the files that both sides come from.
    """

    claim: Claim
    paper: float | None
    names: tuple[str, str]
    here: Difference | None
    sources: tuple[Source, ...] = ()

    @property
    def word(self) -> str:
        """The outcome, judged by the 95 % interval of the paired difference."""
        return self.here.verdict("holds", "does not hold") if self.here else NOT_RUN


CLAIMS = (
    Claim("Training again on the proxies improves on DSRG itself", "weak", "dsrg", "§4.2"),
    Claim("Strong masks beside the proxies in one pool help", "mixed", "weak", "§4.2"),
    Claim("That pool is below strong masks alone", "strong", "mixed", "§4.2"),
    Claim("Repeating the strong images in the pool helps", "mixed_xK", "mixed", "§3.1"),
    Claim("Strong masks alone stay above it", "strong", "mixed_xK", "§3.1"),
    Claim("Averaging two networks gains over strong masks alone", "ensemble", "strong", "Fig. 6"),
    Claim("The dual branch gains over strong masks alone", "dual", "strong", "§4.2"),
    Claim("The dual branch is above one pool", "dual", "mixed", "Table 1"),
    Claim("The dual branch is above two averaged networks", "dual", "ensemble", "Table 1, Fig. 6"),
    Claim("Without oversampling it is above one pool", "dual_natural", "mixed", "§4.2"),
    Claim("Without oversampling it is below strong masks", "strong", "dual_natural", "§4.2"),
    Claim("The dual branch is above true masks for all", "dual", "full", "§4.2"),
    Claim("True masks for all in the weak branch help", "dual_full", "dual", "§4.2"),
    Claim("With true masks for all, two branches are above one", "dual_full", "full", "Table 1"),
)


def judge(papers: Mapping[str, float], outcomes: Sequence[Outcome]) -> list[Verdict]:
    """Compare every claim with this run.

    Args:
        papers: the paper's mIoU by row of Table 1, where it has one.
        outcomes: what this run scored.
    """
    scored = {outcome.name: outcome for outcome in outcomes}
    verdicts = []
    for claim in CLAIMS:
        names = found(claim.better, scored), found(claim.worse, scored)
        both = [scored[name] for name in names if name in scored]
        run = len(both) == 2
        here = between_outcomes(names[0], *both) if run else None
        known = claim.better in papers and claim.worse in papers
        paper = papers[claim.better] - papers[claim.worse] if known else None
        sources = tuple(outcome.source() for outcome in both) if run else ()
        verdicts.append(Verdict(claim, paper, names, here, sources))
    return verdicts


def found(row: str, scored: Iterable[str]) -> str:
    """This run's name for a row of Table 1, or the row's own name if it was not run.

    Of several pools, the one that repeats most; of several averages, the one with `mixed`, which is
    the paper's weak network, judging by its score.
    """
    names = [name for name in scored if row_of(name) == row]
    if row == "ensemble":
        return next((name for name in PAPERS_ENSEMBLES if name in names), row)
    if row == "mixed_xK" and names:
        return max(names, key=lambda name: int(name.removeprefix("mixed_x")))
    return row
