"""The list of photographs to draw next: a table with reasons, a page, annotations to open."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.base.atomic import whole_file
from pipeline.choosing.choosing import Listed
from pipeline.choosing.signals import Signals
from pipeline.data.manifest import Manifest, Row
from pipeline.data.tables import write_csv
from pipeline.report.strips import StripBuilder, legend
from pipeline.report.template import render

NEXT = "next.csv"
HEADER = ("image", "reason", "tags", "entropy", "disagreement", "misfit", "corners")
DOUBTED = 0.1  # of the pixels: from there on the networks' disagreement is a reason


def write_list(manifest: Manifest, listed: Listed, marked: frozenset[str], folder: Path) -> None:
    """Write next.csv and index.html.

    Args:
        manifest: the data set.
        listed: what was chosen.
        marked: ids that a person marked as wrong.
        folder: where both go.
    """
    rows = {row.id: row for row in manifest.of("weak")}
    names = manifest.classes.names
    strips, used, lines = [], set[int](), []
    for key in listed.chosen:
        row, seen = rows[key], listed.signals[key]
        why = reason(row, seen, listed.drawn, names, marked=key in marked)
        strip = StripBuilder(manifest.classes, row, manifest.path(row.image))
        strip.add_overlay(seen.mask_HW, "found", f"what the network finds in {key}, over it")
        strip.add_mask(seen.mask_HW, f"about {seen.corners} corners", f"found in {key}")
        made, indices = strip.done()
        strips.append((made, why))
        used |= indices
        tags = ";".join(names[tag] for tag in row.known_tags)
        values = (seen.entropy, seen.disagreement, seen.misfit)
        lines.append([key, why, tags, *(f"{value:.4f}" for value in values), seen.corners])
    write_csv(folder / NEXT, HEADER, lines)
    page = {"strips": strips, "legend": legend(manifest.classes, used)}
    here = Path(__file__).parent
    with whole_file(folder / "index.html") as part:
        part.write_text(render("next.html.j2", page, {}, folder=here), "utf-8", newline="\n")


def reason(
    row: Row, seen: Signals, drawn: Mapping[int, int], names: Sequence[str], *, marked: bool
) -> str:
    """Why a photograph is on the list, in words."""
    parts = ["you marked it"] if marked else []
    if row.known_tags:
        rarest = min(row.known_tags, key=lambda tag: (drawn.get(tag, 0), tag))
        count = drawn.get(rarest, 0)
        parts.append(f"{names[rarest]} is in {count} mask{'' if count == 1 else 's'}")
    if seen.missing:
        parts.append(f"{', '.join(names[tag] for tag in seen.missing)} is not found")
    if seen.disagreement >= DOUBTED:
        parts.append(f"the networks disagree on {100 * seen.disagreement:.0f} % of it")
    return "; ".join(parts)
