"""Draw how cost grows with the number of images: python -m benchmarks.growth_curve.

Measures manifest, split and `dvc status` from a thousand to 118,000 images, some minutes in all;
writes the points to benchmarks/growth.json and the curve to docs/images/growth.svg.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import typer
from matplotlib.figure import Figure

from benchmarks import folders, growth
from pipeline.atomic import whole_file

SIZES = (1_000, 3_700, 11_800, 37_000, 118_000)
POINTS = Path("benchmarks/growth.json")
CURVE = Path("docs/images/growth.svg")

# Name of each line, its colour (Okabe and Ito's, told apart by the colour-blind) and marker.
LINES = {
    "dvc status": ("#0072b2", "o"),
    "manifest": ("#009e73", "^"),
    "split": ("#cc79a7", "v"),
}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "growth",
    "font.size": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

Point = dict[str, float]


def main() -> None:
    """Measure every size, write the points, draw them."""
    points = []
    for count in SIZES:
        typer.echo(f"{count:,} images …", err=True)
        points.append(measure(count))
    with whole_file(POINTS) as part:
        part.write_text(json.dumps(points, indent=2) + "\n", "utf-8", newline="\n")
    with whole_file(CURVE) as part:
        draw(points, part)
    typer.echo(f"wrote {POINTS} and {CURVE}")


def measure(count: int) -> Point:
    """Seconds of every line for one number of images."""
    ours, dvc = growth.measure(count), folders.measure(count)
    seconds = (dvc.status, ours.manifest, ours.split)
    return {"images": count, **dict(zip(LINES, seconds, strict=True))}


def draw(points: Sequence[Point], path: Path) -> None:
    """Seconds by number of images, both axes logarithmic; grey lines grow as the number does."""
    images = [point["images"] for point in points]
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(7.6, 3.6), layout="constrained", facecolor="white")
        axes = figure.subplots()
        for name, (colour, marker) in LINES.items():
            seconds = [point[name] for point in points]
            guide = [seconds[-1] * count / images[-1] for count in images]
            axes.plot(images, guide, "--", color="#bbbbbb", lw=1, zorder=1)
            axes.plot(images, seconds, marker=marker, ms=6, lw=1.8, color=colour)
            axes.annotate(
                f"{name}, {seconds[-1]:.2g} s",
                (images[-1], seconds[-1]),
                xytext=(10, 0),
                textcoords="offset points",
                va="center",
                color=colour,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(images, [f"{count:,}" for count in images])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("images")
        axes.set_ylabel("seconds")
        axes.grid(color="#eeeeee")
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(path, format="svg", metadata=nothing)


if __name__ == "__main__":
    typer.run(main)
