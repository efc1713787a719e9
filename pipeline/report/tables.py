"""Numbers as cells, sentences and plain text for the page and the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.manifest import ClassList
from pipeline.data.plan import Plan
from pipeline.report.collect import METRICS, ClassScore, Outcome, Quality
from pipeline.report.differences import BASE, scores_to_strong, to_strong
from pipeline.report.drawing import mean_with_sd
from pipeline.report.scored_networks import subject

OVER_IMAGES = "over the scored images"
TEXT_COLUMNS = " {:>14} {:>10} {:>11} {:>11} {:>13}"
QUALITY_NAMES = {
    "seed_precision": "seeds: precision",
    "seed_coverage": "seeds: coverage",
    "strong_precision": "seeds of strong images: precision",
    "strong_coverage": "seeds of strong images: coverage",
    "cam_miou": "CAM mask: mIoU",
    "cam_iou": "CAM mask: IoU",
    "proxy_miou": "proxy: mIoU",
    "proxy_iou": "proxy: IoU",
}


@dataclass(frozen=True)
class ClassLine:
    """One row of the per-class table; `best` holds the places of the highest IoU."""

    name: str
    colour: str
    share: float
    scores: Sequence[ClassScore]
    best: frozenset[int]


def plain(value: float | None, digits: int = 1) -> str:
    """A number for a cell; an en dash for None.

    >>> plain(1.25, 2), plain(None)
    ('1.25', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """A difference with its sign, with a typographic minus.

    >>> signed(1.5), signed(-0.25), signed(-0.001)
    ('+1.50', '−0.25', '0.00')
    """
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", "−")


def between(bounds: tuple[float, float]) -> str:
    """An interval of a difference.

    >>> between((-0.5, 2.0))
    '−0.50 to +2.00'
    """
    return f"{signed(bounds[0])} to {signed(bounds[1])}"


def finding(outcomes: Sequence[Outcome]) -> str:
    """The result in one or two sentences: the report's subject against `strong`."""
    name = subject([outcome.name for outcome in outcomes])
    about = next(outcome for outcome in outcomes if outcome.name == name)
    seeds = len(about.by_seed)
    gap = next((p for p in to_strong(outcomes) if p.name == about.name), None)
    text = f"{about.name} reaches {mean_with_sd(about.miou, about.sd)} % mIoU"
    if gap is not None:
        base = next(o for o in outcomes if o.name == BASE)
        text += f", {BASE} {mean_with_sd(base.miou, base.sd)} %"
        text += f": a difference of {signed(gap.mean)} points"
        bounds = gap.interval
        if bounds is not None:
            times = f"{seeds} {'repetitions of all folds' if about.by_fold else 'seeds'}"
            text += (
                f" (95 % interval {between(bounds)}, paired over {times}; above {BASE} with "
                f"{gap.wins} of them)"
            )
        elif gap.over_images is not None:
            text += f" (95 % interval {between(gap.over_images)} {OVER_IMAGES})"
    if seeds == 1:
        text += ". With one training per variant, this may be chance"
    return text + "."


def label_counts(plan: Plan) -> tuple[int, int]:
    """How many images a variant is trained on with their true mask, and with a proxy.

    An image counts once, however often it is used and in however many branches.
    """
    lists = (
        ({stream.strong for stream in plan.streams}, len(plan.strong)),
        ({stream.weak for stream in plan.streams}, len(plan.weak)),
    )
    masks = sum(count for kinds, count in lists if "mask" in kinds)
    return masks, sum(count for kinds, count in lists if "proxy" in kinds)


def label_counts_text(counts: tuple[int, int] | None) -> tuple[str, str]:
    """Both counts for cells; dashes for none.

    >>> label_counts_text((150, 0)), label_counts_text(None)
    (('150', '–'), ('–', '–'))
    """
    masks, proxies = counts or (0, 0)
    return str(masks or "–"), str(proxies or "–")


def class_lines(classes: ClassList, outcomes: Sequence[Outcome]) -> list[ClassLine]:
    """Rows of the per-class table, in the data set's order."""
    total = max(sum(score.pixels for score in outcomes[0].per_class), 1)
    lines = []
    for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
        scores = [outcome.per_class[index] for outcome in outcomes]
        shown = [-1.0 if score.iou is None else round(score.iou, 1) for score in scores]
        best = frozenset(i for i, value in enumerate(shown) if value == max(shown) and value > 0)
        red, green, blue = colour
        share = 100.0 * scores[0].pixels / total
        lines.append(ClassLine(name, f"rgb({red} {green} {blue})", share, scores, best))
    return lines


def quality_name(key: str) -> str:
    """The page's name for a key of quality.json."""
    return QUALITY_NAMES.get(key, key.replace("_", " "))


def quality_classes(quality: Quality) -> list[tuple[str, tuple[float | None, ...]]]:
    """Rows by class, without classes that are in no true mask."""
    return [row for row in quality.classes if any(value is not None for value in row[1])]


def comparison_lines(
    scores: Mapping[str, tuple[Mapping[str, float | None], Mapping[int, float]]], folds: str = ""
) -> list[str]:
    """Plain-text table of the variants, for a terminal.

    Args:
        scores: metrics and mIoU by seed of each variant, in order.
        folds: their number and size in words, where there are folds.

    Returns:
        a heading, one line for each variant, and what the numbers are.
    """
    gaps = {
        p.name: p.mean for p in scores_to_strong({name: entry[1] for name, entry in scores.items()})
    }
    seeds = max(len(by_seed) for _, by_seed in scores.values())
    row = f"{{:<{max(map(len, ('network', *scores)))}}}{TEXT_COLUMNS}"
    lines = [row.format("network", "mIoU", "to strong", "pixel acc.", "class acc.", "weighted IoU")]
    for name, (metrics, by_seed) in scores.items():
        miou = mean_with_sd(
            metrics["miou"] or 0.0, metrics["miou_sd"] if len(by_seed) > 1 else None
        )
        others = [plain(metrics[key], 2) for key in METRICS[2:]]
        lines.append(row.format(name, miou, signed(gaps.get(name)), *others))
    one, several = ("one training of each", "repetitions") if folds else ("one seed", "seeds")
    count = one if seeds == 1 else f"mean ± standard deviation over {seeds} {several}"
    return [*lines, f"percent {f'over {folds}' if folds else 'on val'}; {count}"]
