"""Charts as inline SVG whose colours are CSS variables, so that they follow the page's theme."""

import html
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.collect import Outcome
from pipeline.report.sources import Curve

Dash = str | tuple[int, tuple[int, ...]]

# matplotlib knows no CSS: it draws with these stand-ins, and `to_svg` puts the variables in.
INK, GRID = "#01a001", "#01a002"
TONES = ("#01a011", "#01a012", "#01a013", "#01a014")
FAMILIES = dict(zip(("weak", "mixed", "strong", "dual"), TONES, strict=True)) | {"full": TONES[2]}
DASHES: dict[str, Dash] = {
    **dict(zip(FAMILIES, (":", "-.", "--", "-", (0, (1, 1))), strict=True)),
    "dual_natural": (0, (6, 2, 1, 2)),
    "dual_full": (0, (2, 1)),
}
REPEATED: Dash = (0, (4, 1, 1, 1, 1, 1))  # mixed_x2, mixed_x3, ...
CSS = {INK: "currentColor", GRID: "var(--grid)"} | {
    tone: f"var(--tone-{number})" for number, tone in enumerate(TONES, start=1)
}
HEAT = "#3b78b5"  # --heat in page.css.j2
HEAT_MOST = 0.6  # ink stays readable on this much of the heat colour, in both themes
NUMBERS_UP_TO = 12  # classes whose confusion has room for numbers

STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # class names may hold dollar signs
    "font.size": 12.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def tone_of(variant: str) -> str:
    """A variant's colour, shared with its kin: `dual_full` and `dual+ema` have that of `dual`."""
    return FAMILIES[re.split(r"[_+]", variant, maxsplit=1)[0]]


def dash_of(variant: str) -> Dash:
    """How a variant's line is dashed, so that kin can be told apart."""
    return DASHES.get(variant, REPEATED)


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    curve: Curve
    tone: str
    dash: Dash = "-"


@dataclass
class Drawing:
    """A figure in the making; `svg` holds it when its block is left."""

    figure: Figure
    axes: Axes
    svg: Markup = field(default=Markup())


@contextmanager
def drawing(width: int, height: int, name: str, alt: str) -> Iterator[Drawing]:
    """One pair of axes in the page's style; sizes are in CSS pixels."""
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):  # type: ignore[arg-type]
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        made = Drawing(figure, figure.subplots())
        yield made
        made.svg = to_svg(figure, alt)


def to_svg(figure: Figure, alt: str) -> Markup:
    """An SVG element without prologue, ids of its groups, fonts and fixed colours."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<g) id="[^"]*"', r"\1", text)
    text = re.sub(r" font-family: [^;\"]*;?", "", text)
    for stand_in, value in CSS.items():
        text = text.replace(stand_in, value)
    body = text[text.index(">", text.index("<svg")) + 1 :]
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    head = (
        f'<svg role="img" aria-label="{html.escape(alt)}" viewBox="0 0 {width} {height}" '
        f'style="width:{width}px">'
    )
    return Markup(head + body)  # noqa: S704 - matplotlib escapes its texts


def score_bars(outcomes: Sequence[Outcome]) -> Markup:
    """Mean IoU of every variant: a bar, its deviation over the seeds, a dot a seed."""
    alt = "Mean IoU in percent: " + ", ".join(f"{o.name} {o.miou:.1f}" for o in outcomes)
    with drawing(430, 60 + 42 * len(outcomes), "scores", alt) as made:
        axes, most = made.axes, 0.0
        for place, outcome in enumerate(outcomes):
            deviation = outcome.metrics["miou_sd"] or 0.0
            tone = tone_of(outcome.name)
            axes.barh(place, outcome.miou, height=0.62, color=tone, alpha=0.75)
            values = list(outcome.by_seed.values())
            end = max([outcome.miou + deviation, *values])
            if len(values) > 1:
                axes.errorbar(outcome.miou, place, xerr=deviation, color=INK, capsize=4, lw=1.4)
                axes.plot(values, [place - 0.2] * len(values), "o", ms=3.5, color=INK, alpha=0.7)
            axes.annotate(
                spread(outcome.miou, deviation if len(values) > 1 else None),
                (end, place),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
            )
            most = max(most, end)
        axes.set_yticks(range(len(outcomes)), [outcome.name for outcome in outcomes])
        axes.invert_yaxis()
        axes.set_xlim(0, max(most, 1.0) * 1.38)
        axes.set_xlabel("mean IoU on val (%)")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    return made.svg


def spread(mean: float, deviation: float | None) -> str:
    """A mean with its deviation, where there is one.

    >>> spread(61.234, 0.5), spread(61.234, None)
    ('61.23 ± 0.50', '61.23')
    """
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def line_chart(
    name: str, lines: Sequence[Line], label: str, *, width: int = 400, from_zero: bool = True
) -> Markup:
    """Values by step, a line each; the band is the range over the seeds."""
    alt = f"{label} by training step: " + ", ".join(
        f"{line.name} ends at {line.curve.mean[-1]:.3g}" for line in lines if line.curve.mean
    )
    with drawing(width, 260, name, alt) as made:
        axes = made.axes
        for line in lines:
            steps, few = line.curve.steps, len(line.curve.steps) <= 12
            axes.plot(
                steps,
                line.curve.mean,
                linestyle=line.dash,
                marker="o" if few else "",
                ms=4,
                color=line.tone,
                label=line.name,
            )
            if line.curve.low != line.curve.high:
                band = (line.curve.low, line.curve.high)
                axes.fill_between(steps, *band, color=line.tone, alpha=0.15, lw=0)
        if from_zero:
            axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.locator_params(axis="x", nbins=5)
        if len(lines) > 1:
            made.figure.legend(
                loc="outside upper left", ncols=4, handlelength=2.2, columnspacing=1.2, fontsize=11
            )
    return made.svg


def confusion_chart(outcome: Outcome, names: Sequence[str]) -> Markup:
    """Rows of the confusion matrix as shares of each class's pixels, in percent."""
    counts = outcome.confusion
    if not counts[:, -1].any():
        counts = counts[:, :-1]
    shares = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = counts.shape
    room = 48 if rows <= NUMBERS_UP_TO else max(11, 620 // rows)
    alt = f"Confusion matrix of {outcome.name}: share of each true class given to each class"
    with drawing(150 + room * columns, 120 + room * rows, f"confusion-{outcome.name}", alt) as made:
        axes = made.axes
        heat = np.zeros((rows, columns, 4))
        heat[..., :3] = matplotlib.colors.to_rgb(HEAT)
        heat[..., 3] = HEAT_MOST * shares / 100.0
        axes.imshow(heat, interpolation="none")
        size = min(12.0, room * 0.85)
        axes.set_xticks(range(columns), [*names, "none"][:columns], rotation=90, fontsize=size)
        axes.set_yticks(range(rows), names, fontsize=size)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.grid(visible=False)
        axes.tick_params(length=0)
        if rows <= NUMBERS_UP_TO:
            for (row, column), share in np.ndenumerate(shares):
                if share >= 0.5:
                    axes.text(column, row, f"{share:.0f}", ha="center", va="center")
    return made.svg
