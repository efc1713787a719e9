"""How charts look: inline SVG whose colours are CSS variables, so that they follow the theme."""

import html
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Dash = str | tuple[int, tuple[int, ...]]

# matplotlib knows no CSS: it draws with these stand-ins, and `to_svg` puts the variables in.
INK, GRID = "#01a001", "#01a002"
TONES = ("#01a011", "#01a012", "#01a013", "#01a014", "#01a015")
FAMILIES = dict(zip(("weak", "mixed", "strong", "dual", "ensemble"), TONES, strict=True)) | {
    "full": TONES[2],
    "dsrg": TONES[0],
}
MAIN: dict[str, Dash] = {"weak": ":", "mixed": "-.", "strong": "--", "dual": "-"}
# Dashes of other networks, which share a colour with one of the main four.
KIN: tuple[Dash, ...] = (
    *((0, (1, 1)), (0, (6, 2, 1, 2)), (0, (2, 1)), (0, (4, 1, 1, 1, 1, 1))),
    *((0, (8, 2)), (0, (3, 2, 3, 2, 1, 2)), (0, (1, 3)), (0, (10, 2, 2, 2))),
)
CSS = {INK: "currentColor", GRID: "var(--grid)"} | {
    tone: f"var(--tone-{number})" for number, tone in enumerate(TONES, start=1)
}
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


def family_of(name: str) -> str:
    """The family of a network, which has one colour.

    >>> family_of("dual_full"), family_of("dual.self+ema"), family_of("ensemble_weak")
    ('dual', 'dual', 'ensemble')
    """
    return re.split(r"[_.+]", name, maxsplit=1)[0]


def tone_of(name: str) -> str:
    """The colour of a network's family."""
    return FAMILIES[family_of(name)]


def dashes(names: Iterable[str]) -> dict[str, Dash]:
    """The dashes of each line: lines of one colour differ in them."""
    count: dict[str, int] = {}
    chosen = {}
    for name in names:
        if name in MAIN:
            chosen[name] = MAIN[name]
        else:
            place = count[tone_of(name)] = count.get(tone_of(name), -1) + 1
            chosen[name] = KIN[place % len(KIN)]
    return chosen


@dataclass
class Drawing:
    """A figure being drawn; `svg` holds it after the block."""

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
    """An SVG element without prologue, ids of its groups, fonts and fixed colours.

    Only tags are changed: text that looks like a tag stays as it is.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", lambda found: themed(found[0]), text)
    body = text[text.index(">", text.index("<svg")) + 1 :]
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    head = (
        f'<svg role="img" aria-label="{html.escape(alt)}" viewBox="0 0 {width} {height}" '
        f'style="width:{width}px">'
    )
    return Markup(head + body)  # noqa: S704 - matplotlib escapes its texts


def themed(tag: str) -> str:
    """A tag of matplotlib's, which holds no text of ours, with the page's colours and font."""
    tag = re.sub(r'^(<g) id="[^"]*"', r"\1", tag)
    tag = re.sub(r" font-family: [^;\"]*;?", "", tag)
    for stand_in, value in CSS.items():
        tag = tag.replace(stand_in, value)
    return tag


def mean_with_sd(mean: float, deviation: float | None) -> str:
    """A mean, with its deviation if there is one.

    >>> mean_with_sd(61.234, 0.5), mean_with_sd(61.234, None)
    ('61.23 ± 0.50', '61.23')
    """
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"
