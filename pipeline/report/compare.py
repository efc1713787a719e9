"""The paper's tables with this run's numbers beside them, each with the file it came from."""

from collections.abc import Mapping, Sequence

from pipeline.manifest import ClassList
from pipeline.params import Params
from pipeline.report.claims import Verdict
from pipeline.report.collect import ENSEMBLE, Outcome, Source
from pipeline.report.exports import NOT_RUN, Cell, Table, words
from pipeline.report.pairs import Pairing, pairings, trained_per_seed
from pipeline.report.published import Ablation, CocoClass, Method
from pipeline.report.tables import plain, signed
from pipeline.variants import REPEATED

ORDER = ("dsrg", "weak", "mixed", "mixed_xK", "strong", "full", "ensemble")
ORDER_DUAL = ("dual_natural", "dual", "dual_full")
BACKBONES = {"vgg16": "VGG16", "resnet101": "ResNet101"}


def row_of(name: str) -> str:
    """The row of the paper's Table 1 that a name of this project belongs to, or the name itself.

    >>> row_of("mixed_x4"), row_of("ensemble_weak"), row_of("dual"), row_of("mixed_x4+ema")
    ('mixed_xK', 'ensemble', 'dual', 'mixed_x4+ema')
    """
    if name.startswith(ENSEMBLE) and "+" not in name:
        return "ensemble"
    return "mixed_xK" if REPEATED.fullmatch(name) else name


def measured(value: float | None, source: Source, digits: int = 2) -> Cell:
    """A cell with a number of this run."""
    return Cell(plain(value, digits), source)


def between(gap: Pairing | None) -> str:
    """A difference's interval for a cell."""
    bounds = gap.interval if gap else None
    return f"{signed(bounds[0])} to {signed(bounds[1])}" if bounds else "–"


def table1(published: Sequence[Ablation], outcomes: Sequence[Outcome]) -> Table:
    """Table 1, then whatever else was scored.

    Args:
        published: the paper's rows.
        outcomes: everything this run scored, in any order.
    """
    paper = {row.variant: row for row in published}
    gaps = {p.name: p for p in pairings(trained_per_seed(outcomes))}
    rows = []
    for row in (*ORDER, *ORDER_DUAL):
        found = [outcome for outcome in outcomes if row_of(outcome.name) == row]
        rows += [ablation(paper[row], outcome, gaps) for outcome in found]
        if not found:
            branches, score = _paper_cells(paper[row])
            rows.append(words(row, score, NOT_RUN, "–", "–", "–", branches))
    rest = [outcome for outcome in outcomes if row_of(outcome.name) not in paper]
    rows += [ablation(None, outcome, gaps) for outcome in rest]
    header = (
        *("network", "VOC val, paper", "here", "sd", "to strong", "95 % interval"),
        "taught by, paper",
    )
    caption = (
        "Table 1: mean IoU in percent, the paper's on VOC val with VGG16, this run's, its sample "
        "deviation over the training seeds, and the difference to strong, paired by seed."
    )
    return Table("table1", caption, header, tuple(rows), words=(0, 6))


def ablation(
    paper: Ablation | None, outcome: Outcome, gaps: Mapping[str, Pairing]
) -> tuple[Cell, ...]:
    """One row of Table 1 that was run."""
    source, gap = outcome.source(), gaps.get(outcome.name)
    taught_by, score = _paper_cells(paper) if paper else (outcome.title, "–")
    several = len(outcome.by_seed) > 1
    return (
        *words(outcome.name, score),
        measured(outcome.miou, source),
        Cell(plain(outcome.metrics["miou_sd"] if several else None, 2)),
        Cell(signed(gap.mean if gap else None)),
        Cell(between(gap)),
        Cell(taught_by),
    )


def _paper_cells(row: Ablation) -> tuple[str, str]:
    branches = " / ".join(filter(None, (row.strong_branch, row.weak_branch)))
    least = "up to " if row.variant == "mixed_xK" else ""
    return branches, f"{least}{row.miou:.1f}"


def table2(published: Sequence[Method], params: Params, outcomes: Sequence[Outcome]) -> Table:
    """Table 2 with this project's rows at its end; they are VOC's, and of one backbone each."""
    rows = [
        (
            *words(row.method, row.backbone, plain(row.val), plain(row.test)),
            *words(row.group, row.reference),
        )
        for row in published
    ]
    dual = next((outcome for outcome in outcomes if outcome.name == "dual"), None)
    for key, backbone in BACKBONES.items():
        run = dual if params.dataset == "voc" and params.backbone == key else None
        score = measured(run.miou, run.source(), 1) if run else Cell(NOT_RUN)
        test = Cell("server" if run else NOT_RUN)
        group = words("1.4k pixel + 9k class", "this project")
        rows.append((*words("dual, this run", backbone), score, test, *group))
    header = ("method", "backbone", "val", "test", "supervision", "reference")
    caption = (
        "Table 2: mean IoU in percent on VOC 2012, copied from the paper and from what its last "
        "column names, and this run's. Only the evaluation server can score test."
    )
    return Table("table2", caption, header, tuple(rows), words=(0, 1, 4, 5))


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
            elif place is None:
                here.append(measured(outcome.miou, outcome.source(), 1))
            else:
                score = outcome.per_class[place]
                here.append(measured(score.iou, outcome.source("per_class.csv"), 1))
        rows.append((*cells, *here))
    header = (
        *("category", "class", "(a) strong, paper", "(b) mixed, paper", "(c) dual, paper"),
        *("strong, here", "mixed, here", "dual, here"),
    )
    caption = "Table 3: IoU of each class in percent on COCO val, the paper's and this run's."
    return Table("table3", caption, header, tuple(rows), words=(0, 1))


def claims_table(verdicts: Sequence[Verdict]) -> Table:
    """The paper's claims: its difference, ours with its interval, and the verdict."""
    rows = []
    for verdict in verdicts:
        here = verdict.here
        rows.append(
            words(
                verdict.claim.text,
                verdict.word,
                signed(here.mean) if here else NOT_RUN,
                signed(verdict.paper, 1),
                between(here),
                " − ".join(verdict.names),
                verdict.claim.place,
            )
        )
    header = ("claim", "verdict", "here", "paper", "95 % interval", "difference", "place")
    caption = (
        "What the paper says, held against this run, in points of mIoU. A claim holds, or does "
        "not, where the 95 % interval of the difference, paired by seed, lies on one side of 0."
    )
    return Table("claims", caption, header, tuple(rows), words=(0, 1, 5, 6))


def in_order(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """In the order of Table 1, then as params.yaml has them."""
    places = {row: place for place, row in enumerate((*ORDER, *ORDER_DUAL))}
    return sorted(outcomes, key=lambda outcome: places.get(row_of(outcome.name), len(places)))
