"""Tables of this run alone: all scores, all seeds, all classes, and the effect of each extra."""

from collections.abc import Mapping, Sequence

from pipeline.data.folds import describe_folds
from pipeline.data.manifest import ClassList
from pipeline.report.collect import METRICS, Outcome, Source, Training
from pipeline.report.compare import apart, measured
from pipeline.report.differences import (
    BASE,
    between_outcomes,
    scores_to_strong,
    trained_per_seed,
)
from pipeline.report.exports import Cell, Table, words
from pipeline.report.tables import label_counts_text, signed
from pipeline.settings.paths import MODELS


def scores_table(
    outcomes: Sequence[Outcome], counts: Mapping[str, tuple[int, int]], several: bool
) -> Table:
    """Every score of every network, and how many images it is trained on with each label."""
    rows = []
    for outcome in outcomes:
        values = {**outcome.metrics, "miou_sd": outcome.sd}
        keys = [key for key in METRICS if several or key != "miou_sd"]
        numbers = [measured(values[key], outcome.source(), main=key == "miou") for key in keys]
        labels = words(*label_counts_text(counts.get(outcome.name)))
        rows.append((Cell(outcome.name), *numbers, *labels, Cell(outcome.title)))
    sd = ("sd",) if several else ()
    header = (
        *("network", "mIoU", *sd, "pixel acc.", "class acc.", "weighted IoU"),
        *("masks", "proxies", "what it is"),
    )
    words_at = (0, len(header) - 1)
    return Table("scores", "All scores on val, in percent.", header, tuple(rows), words=words_at)


def seed_table(outcomes: Sequence[Outcome], fold_sizes: Sequence[int]) -> Table:
    """MIoU of each seed, and its difference to `strong` trained with the same seed.

    With folds (their sizes; else empty) each seed's is of the fold it was trained without.
    """
    once = trained_per_seed(outcomes)
    seeds = list(once[0].each)
    gaps = {p.name: p for p in scores_to_strong({o.name: o.each for o in once})}
    base = [outcome.source("seeds") for outcome in once if outcome.name == BASE]
    rows = []
    for outcome in once:
        source, gap = outcome.source("seeds"), gaps.get(outcome.name)
        texts = [signed(gap.by_seed[seed]) for seed in seeds] if gap else ["–"] * len(seeds)
        texts.append(f"{gap.wins} of {len(seeds)}" if gap else "–")
        scores = [measured(outcome.each[seed], source) for seed in seeds]
        behind = (source, *base) if gap else ()
        rows.append((Cell(outcome.name), *scores, *(Cell(text, behind) for text in texts)))
    header = (
        *("network", *(f"seed {seed}" for seed in seeds)),
        *(f"to strong, {seed}" for seed in seeds),
        "above strong",
    )
    caption = (
        "Mean IoU in percent of each training seed, and the difference to strong of that seed."
    )
    if fold_sizes:
        caption += f" A seed is scored on its own fold: {describe_folds(fold_sizes)}."
    return Table("seeds", caption, header, tuple(rows))


def class_table(classes: ClassList, outcomes: Sequence[Outcome]) -> Table:
    """IoU of every class and network."""
    rows = [
        (
            Cell(name),
            *(
                measured(outcome.per_class[place].iou, outcome.source("per_class"))
                for outcome in outcomes
            ),
        )
        for place, name in enumerate(classes.names)
    ]
    header = ("class", *(outcome.name for outcome in outcomes))
    return Table("classes", "IoU of each class in percent on val.", header, tuple(rows))


def curve_table(trainings: Sequence[Training], outcomes: Sequence[Outcome]) -> Table:
    """The last network's score, and the best one during training, which is never used."""
    scores = {outcome.name: outcome for outcome in outcomes}
    rows = []
    for training in trainings:
        if training.best:
            outcome, best = scores[training.name], sum(training.best) / len(training.best)
            curve = Source(MODELS / training.name, outcome.details)
            rows.append(
                (
                    Cell(training.name),
                    measured(outcome.last, outcome.source()),
                    measured(best, curve),
                    Cell(signed(best - outcome.last), (outcome.source(), curve)),
                )
            )
    header = ("network", "last", "best during training", "best − last")
    caption = (
        "Mean IoU in percent of the last network, which all other numbers here are of, and the "
        "highest during training, selected on val."
    )
    return Table("curves", caption, header, tuple(rows))


def extras_table(outcomes: Sequence[Outcome]) -> Table:
    """The effect of each extra: every network with a `+` against the same one without."""
    found = {outcome.name: outcome for outcome in outcomes}
    rows = []
    for outcome in outcomes:
        base = found.get(outcome.name.split("+")[0])
        if base is not None and base is not outcome:
            gap = between_outcomes(outcome.name, outcome, base)
            rows.append(
                (
                    *words(outcome.name, gap.verdict("helps", "harms")),
                    measured(outcome.miou, outcome.source(), main=True),
                    measured(base.miou, base.source()),
                    *apart(gap, outcome.source(), base.source()),
                )
            )
    header = ("network", "verdict", "with", "without", "difference", "95 % interval")
    caption = (
        "Beyond the paper: mean IoU in percent with an extra and without, from the same seeds and "
        "in as many steps, and the difference in points, paired by seed."
    )
    return Table("extras", caption, header, tuple(rows), words=(0, 1))


def source_table(outcomes: Sequence[Outcome]) -> Table:
    """What every network was measured with; on the page it also shows under the mouse."""
    rows = [
        words(outcome.name, outcome.details, f"results/*/{outcome.name}.*") for outcome in outcomes
    ]
    caption = "What each network was measured with: data set and training seeds."
    return Table("sources", caption, ("network", "measured with", "files"), tuple(rows), (0, 1, 2))
