"""The charts of the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from pipeline.report.collect import Outcome, Training
from pipeline.report.drawing import INK, TONES, Dash, dashes, drawing, mean_with_sd, tone_of
from pipeline.report.sources import Curve
from pipeline.settings.variants import PAPERS_LAMBDA

HEAT = "#3b78b5"  # --heat in page.css.j2
HEAT_MOST = 0.6  # ink stays readable on this much of the heat colour, in both themes
NUMBERS_UP_TO = 12  # classes whose confusion has room for numbers


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    curve: Curve
    tone: str
    dash: Dash = "-"


def score_bars(outcomes: Sequence[Outcome]) -> Markup:
    """Mean IoU of every variant: a bar, its deviation over the seeds, and a dot for each seed."""
    alt = "Mean IoU in percent: " + ", ".join(f"{o.name} {o.miou:.1f}" for o in outcomes)
    with drawing(430, 60 + 42 * len(outcomes), "scores", alt) as made:
        axes, most = made.axes, 0.0
        for place, outcome in enumerate(outcomes):
            deviation = outcome.sd or 0.0
            tone = tone_of(outcome.name)
            axes.barh(place, outcome.miou, height=0.62, color=tone, alpha=0.75)
            values = list(outcome.by_seed.values())
            end = max([outcome.miou + deviation, *values])
            if len(values) > 1:
                axes.errorbar(outcome.miou, place, xerr=deviation, color=INK, capsize=4, lw=1.4)
                axes.plot(values, [place - 0.2] * len(values), "o", ms=3.5, color=INK, alpha=0.7)
            axes.annotate(
                mean_with_sd(outcome.miou, outcome.sd),
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


def line_chart(
    name: str, lines: Sequence[Line], label: str, *, width: int = 400, from_zero: bool = True
) -> Markup:
    """Lines of values by step; the band is the range over the seeds."""
    alt = f"{label} by training step: " + ", ".join(
        f"{line.name} ends at {line.curve.mean[-1]:.3g}" for line in lines if line.curve.mean
    )
    with drawing(width, 260, name, alt) as made:
        axes = made.axes
        for line in lines:
            draw_line(axes, line)
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


def draw_line(axes: Axes, line: Line) -> None:
    """Draw a curve and its band, if it has one, with a marker at each point if they are few."""
    curve, tone = line.curve, line.tone
    marker = "o" if len(curve.steps) <= 12 else ""
    axes.plot(
        curve.steps, curve.mean, ls=line.dash, marker=marker, ms=4, color=tone, label=line.name
    )
    if curve.low != curve.high:
        axes.fill_between(curve.steps, curve.low, curve.high, color=tone, alpha=0.15, lw=0)


def training_charts(trainings: Sequence[Training]) -> list[Markup]:
    """Loss and val mIoU by step (Fig. 2); the latter only if it was measured during training."""
    looks = dashes(training.name for training in trainings)

    def lines(curves: Mapping[str, Curve]) -> list[Line]:
        return [
            Line(name, curve, tone_of(name), looks[name])
            for name, curve in curves.items()
            if curve.steps
        ]

    losses = lines({t.name: t.loss for t in trainings})
    on_val = lines({t.name: t.val_miou for t in trainings})
    charts = [line_chart("val", on_val, "mIoU on val (%)", width=480)] if on_val else []
    return charts + ([line_chart("loss", losses, "training loss", width=480)] if losses else [])


def weak_charts(curves: Mapping[str, Curve]) -> list[Markup]:
    """Classifier, DSRG losses and DSRG growth by step."""

    def lines(*names: str) -> list[Line]:
        looks = ((TONES[2], "-"), (TONES[0], "--"))
        return [Line(n, curves[n], *look) for n, look in zip(names, looks, strict=False)]

    charts = [
        line_chart("tags", lines("tag_accuracy"), "tags right (%)", width=310, from_zero=False),
        line_chart("dsrg", lines("seeding", "boundary"), "DSRG loss", width=310),
        line_chart("growth", lines("grown", "seeded"), "pixels with a seed (%)", width=310),
    ]
    if curves["precision"].steps:
        label = "grown seeds, strong images (%)"
        charts.append(line_chart("grown", lines("precision", "recall"), label, width=310))
    return charts


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


def lambda_chart(curves: dict[str, Curve], alone: float, paper: float | None) -> Markup:
    """Mean IoU of averaged networks by the weight of the other one (Fig. 6).

    Args:
        curves: by the name of the other variant.
        alone: this run's score of `strong`, where every curve starts.
        paper: mIoU at the paper's lambda; None for another data set.
    """
    ends = ", ".join(f"{name} {curve.mean[-1]:.1f}" for name, curve in curves.items())
    alt = f"mIoU by lambda, from strong alone {alone:.1f} to {ends} alone"
    with drawing(430, 270, "lambda", alt) as made:
        axes = made.axes
        for name, dash in dashes(curves).items():
            draw_line(axes, Line(name, curves[name], tone_of(name), dash))
        axes.axhline(alone, color=TONES[2], ls=(0, (12, 4)), lw=1.0, label="strong")
        axes.axvline(PAPERS_LAMBDA, color=INK, ls=":", lw=1.0, label="the paper's λ")
        if paper is not None:
            axes.plot(PAPERS_LAMBDA, paper, "D", ms=6, color=INK, mfc="none", label="the paper")
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel("λ, the weight of the network named")
        axes.set_ylabel("mean IoU on val (%)")
        made.figure.legend(loc="outside upper left", ncols=4, handlelength=1.8, fontsize=11)
    return made.svg
