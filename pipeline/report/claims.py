"""What the paper says of its numbers, held against this run: holds, does not, within noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.report.collect import ENSEMBLE, Outcome
from pipeline.report.pairs import Pairing, pair
from pipeline.variants import REPEATED


@dataclass(frozen=True)
class Claim:
    """One network is above another.

    Attributes:
        text: the claim in plain words.
        better: row of Table 1 that is above in the paper.
        worse: row that is below.
        place: where the paper says so.
    """

    text: str
    better: str
    worse: str
    place: str


@dataclass(frozen=True)
class Verdict:
    """A claim, the paper's difference and ours, in points of mIoU; None: not run."""

    claim: Claim
    paper: float
    names: tuple[str, str]
    here: Pairing | None

    @property
    def word(self) -> str:
        """The outcome, judged by the 95 % interval of the paired difference."""
        if self.here is None:
            return "not run"
        if self.here.sign is None:
            return "one seed: above" if self.here.mean > 0 else "one seed: below"
        return {1: "holds", 0: "within noise", -1: "does not hold"}[self.here.sign]


CLAIMS = (
    Claim("Training again on the proxies improves on DSRG itself", "weak", "dsrg", "§4.2"),
    Claim("Strong masks added to the proxies help a little", "mixed", "weak", "§4.2"),
    Claim("Proxies in one pool with strong masks hurt", "strong", "mixed", "§4.2"),
    Claim("Strong images repeated in the pool help", "mixed_xK", "mixed", "§3.1"),
    Claim("Strong masks alone stay above that pool", "strong", "mixed_xK", "§3.1"),
    Claim("Averaging two networks gains over strong masks alone", "ensemble", "strong", "Fig. 6"),
    Claim("The dual branch gains over strong masks alone", "dual", "strong", "§4.2"),
    Claim("The dual branch is far above one pool", "dual", "mixed", "§4.2"),
    Claim("The dual branch is above two averaged networks", "dual", "ensemble", "§4.2"),
    Claim(
        "The dual branch without oversampling is above one pool", "dual_natural", "mixed", "§4.2"
    ),
    Claim("Strong masks alone stay above that dual branch", "strong", "dual_natural", "§4.2"),
    Claim("The dual branch is above true masks for all in one pool", "dual", "full", "§4.2"),
    Claim("True masks for all in the weak branch help further", "dual_full", "dual", "§4.2"),
)


def judge(papers: Mapping[str, float], outcomes: Sequence[Outcome]) -> list[Verdict]:
    """Every claim held against this run.

    Args:
        papers: the paper's mIoU by row of Table 1.
        outcomes: what this run scored.
    """
    scores = {outcome.name: outcome.by_seed for outcome in outcomes}
    verdicts = []
    for claim in CLAIMS:
        names = found(claim.better, scores), found(claim.worse, scores)
        run = all(name in scores for name in names)
        here = pair(names[0], scores[names[0]], scores[names[1]]) if run else None
        paper = papers[claim.better] - papers[claim.worse]
        verdicts.append(Verdict(claim, paper, names, here))
    return verdicts


def found(row: str, scores: Mapping[str, object]) -> str:
    """This run's name for a row of Table 1.

    `mixed_xK` stands for the most repeated pool, `ensemble` for the average with `mixed`, which by
    its score is the paper's weak network, else for the first there is.
    """
    if row == "mixed_xK":
        repeats = [int(match[1]) for name in scores if (match := REPEATED.fullmatch(name))]
        return f"mixed_x{max(repeats)}" if repeats else row
    if row == "ensemble":
        averages = [name for name in scores if name.startswith(ENSEMBLE) and "+" not in name]
        return next(iter(sorted(averages, key=lambda name: "mixed" not in name)), row)
    return row
