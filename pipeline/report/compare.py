"""The paper's tables with this run's numbers beside them, each with its source file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.manifest import ClassList
from pipeline.report.claims import Verdict
from pipeline.report.collect import Outcome, Source
from pipeline.report.differences import BASE, Difference, to_strong, trained_per_seed
from pipeline.report.exports import NOT_RUN, Cell, Table, words
from pipeline.report.published import Ablation, CocoClass, Method
from pipeline.report.scored_networks import row_of
from pipeline.report.tables import OVER_IMAGES, between, plain, signed
from pipeline.settings.params import Params

ORDER = (
    *("dsrg", "weak", "mixed", "mixed_xK", "strong", "full", "ensemble"),
    *("dual_natural", "dual", "dual_full"),
)
PAPERS_BACKBONES = {"vgg16": "VGG16", "resnet101": "ResNet101"}
MEAN_ROW = "mean IoU"  # of Table 3


@dataclass(frozen=True)
class RunSize:
    """The size of a run: images of each kind, and how long it trains."""

    strong: int
    weak: int
    val: int
    schedule: str

    def papers(self, params: Params) -> bool:
        """Whether this is the setting of Table 1: all of VOC 2012, VGG16, the full schedule."""
        data = (params.dataset, params.backbone) == ("voc", "vgg16")
        whole = (self.strong, self.weak, self.val) == (1464, 9118, 1449)
        return data and whole and params.train.iterations is None


def measured(value: float | None, *sources: Source, digits: int = 2, main: bool = False) -> Cell:
    """A cell with a number of this run."""
    return Cell(plain(value, digits), sources, main)


def apart(gap: Difference | None, *sources: Source) -> tuple[Cell, Cell]:
    """Cells with a difference and its interval."""
    if gap is None:
        return Cell("–"), Cell("–")
    bounds, known = gap.interval, Cell("–")
    if bounds:
        known = Cell(between(bounds), sources)
    elif gap.over_images:
        known = Cell(f"{between(gap.over_images)} {OVER_IMAGES}", gap.behind)
    return Cell(signed(gap.mean), sources), known


def table1(published: Sequence[Ablation], outcomes: Sequence[Outcome]) -> Table:
    """Table 1, then everything else that was scored.

    Args:
        published: the paper's rows.
        outcomes: everything this run scored, in any order.
    """
    paper = {row.variant: row for row in published}
    gaps = {p.name: p for p in to_strong(trained_per_seed(outcomes))}
    base = next((outcome.source() for outcome in outcomes if outcome.name == BASE), None)
    rows = []
    for row in ORDER:
        found = [outcome for outcome in outcomes if row_of(outcome.name) == row]
        rows += [ablation(paper[row], outcome, gaps, base) for outcome in found]
        if not found:
            branches, score = _paper_cells(paper[row])
            rows.append(words(row, score, NOT_RUN, "–", "–", "–", branches))
    rest = [outcome for outcome in outcomes if row_of(outcome.name) not in paper]
    rows += [ablation(None, outcome, gaps, base) for outcome in rest]
    header = (
        *("network", "VOC val, paper", "here", "sd", "to strong", "95 % interval"),
        "trained on",
    )
    caption = (
        "Table 1: mean IoU in percent, the paper's on VOC val with VGG16, this run's, its "
        "standard deviation over the training seeds, and the difference to strong, paired by seed."
    )
    return Table("table1", caption, header, tuple(rows), words=(0, 6))


def ablation(
    paper: Ablation | None, outcome: Outcome, gaps: Mapping[str, Difference], base: Source | None
) -> tuple[Cell, ...]:
    """A row of Table 1 that this run has."""
    source, gap = outcome.source(), gaps.get(outcome.name)
    trained_on, score = _paper_cells(paper) if paper else (outcome.title, "–")
    sd = Cell("–") if outcome.sd is None else measured(outcome.sd, source)
    return (
        *words(outcome.name, score),
        measured(outcome.miou, source, main=True),
        sd,
        *apart(gap, source, *([base] if base else [])),
        Cell(trained_on),
    )


def _paper_cells(row: Ablation) -> tuple[str, str]:
    branches = " / ".join(filter(None, (row.strong_branch, row.weak_branch)))
    least = "up to " if row.variant == "mixed_xK" else ""
    return branches, f"{least}{row.miou:.1f}"


def table2(
    published: Sequence[Method], params: Params, counts: RunSize, outcomes: Sequence[Outcome]
) -> Table:
    """Table 2 with this project's rows at its end, one for each backbone, for VOC only.

    Args:
        published: the paper's rows, and later ones.
        params: which data set and backbone this run has.
        counts: strong, weak and val images of this run.
        outcomes: what it scored.
    """
    rows = [
        words(
            *(row.method, row.backbone, plain(row.val), plain(row.test)),
            *(row.group, row.reference, row.note or "–"),
        )
        for row in published
    ]
    dual = next((outcome for outcome in outcomes if outcome.name == "dual"), None)
    for key, backbone in PAPERS_BACKBONES.items():
        run = dual if params.dataset == "voc" and params.backbone == key else None
        score = measured(run.miou, run.source(), digits=1, main=True) if run else Cell(NOT_RUN)
        group = f"{counts.strong} pixel + {counts.weak} class" if run else "1.4k pixel + 9k class"
        note = f"{counts.val} val images, {counts.schedule}" if run else "–"
        test = NOT_RUN if run is None else "server"
        here = words(test, group, "this project", note)
        rows.append((*words("dual, this run", backbone), score, *here))
    header = ("method", "backbone", "val", "test", "supervision", "reference", "note")
    caption = (
        "Table 2: mean IoU in percent on VOC 2012, copied from the paper or from what `reference` "
        "names, and this run's. Only the evaluation server can score test."
    )
    return Table("table2", caption, header, tuple(rows), words=(0, 1, 4, 5, 6))


def table3(
    published: Sequence[CocoClass], classes: ClassList, outcomes: Sequence[Outcome]
) -> Table:
    """Table 3: COCO's classes by super-category, the paper's three columns and this run's."""
    columns = ("strong", "mixed", "dual")
    found = {outcome.name: outcome for outcome in outcomes}
    places = {name: place for place, name in enumerate(classes.names)}
    rows = []
    for row in published:
        cells = words(row.category, row.name, *(f"{getattr(row, c):.1f}" for c in columns))
        here = []
        for column in columns:
            outcome, place = found.get(column), places.get(row.name)
            if outcome is None:
                here.append(Cell(NOT_RUN))
            elif row.name == MEAN_ROW:
                here.append(measured(outcome.miou, outcome.source(), digits=1))
            elif place is None:
                here.append(Cell("–"))
            else:
                score = outcome.per_class[place]
                source = outcome.source("per_class")
                here.append(measured(score.iou, source, digits=1))
        rows.append((*cells, *here))
    header = (
        *("category", "class", "(a) strong, paper", "(b) mixed, paper", "(c) dual, paper"),
        *("strong, here", "mixed, here", "dual, here"),
    )
    caption = "Table 3: IoU of each class in percent on COCO val, the paper's and this run's."
    return Table("table3", caption, header, tuple(rows), words=(0, 1))


def claims_table(verdicts: Sequence[Verdict], setting: str) -> Table:
    """The paper's claims: its difference, ours with its interval, and the verdict.

    Args:
        verdicts: as `judge` gives them.
        setting: what the paper's differences were measured on.
    """
    rows = []
    for verdict in verdicts:
        gap, interval = apart(verdict.here, *verdict.sources)
        rows.append(
            (
                *words(verdict.claim.text, verdict.word),
                gap if verdict.here else Cell(NOT_RUN),
                Cell(signed(verdict.paper, 1)),
                interval,
                *words(" − ".join(verdict.names), verdict.claim.place),
            )
        )
    header = ("claim", "verdict", "here", "paper", "95 % interval", "difference", "place")
    caption = (
        f"The paper's claims, on {setting}, compared with this run, in points of mIoU. A claim "
        "holds, or does not, where the 95 % interval of the difference, paired by seed, lies on "
        "one side of 0. "
    )
    judged = sum(v.here is not None and v.here.interval is not None for v in verdicts)
    return Table(
        "claims", caption + what_verdicts_cover(judged), header, tuple(rows), words=(0, 1, 5, 6)
    )


def what_verdicts_cover(judged: int) -> str:
    """What the intervals of so many verdicts leave out, and how many of them are chance.

    >>> what_verdicts_cover(10)[-57:]
    'side of 0 where there is no difference: of these 10, 0.5.'
    """
    if not judged:
        return "With one training seed there is no such interval, and no verdict."
    return (
        "An interval covers what training seeds vary: first weights, order and views. All seeds "
        "share one choice of images with masks, one classifier, one DSRG and the val images. "
        "By chance, one interval of twenty lies on one side of 0 where there is no difference: "
        f"of these {judged}, {judged / 20:.2g}."
    )


def in_order(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """In the order of Table 1, then as params.yaml has them."""
    places = {row: place for place, row in enumerate(ORDER)}
    return sorted(outcomes, key=lambda outcome: places.get(row_of(outcome.name), len(places)))
