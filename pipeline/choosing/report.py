"""Lists for people: what to draw next, with reasons; tags to look at again. A table, a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.base.atomic import whole_file
from pipeline.choosing.choosing import Listed
from pipeline.choosing.signals import Signals
from pipeline.choosing.tag_review import Doubt
from pipeline.data.manifest import Manifest, Row
from pipeline.data.tables import write_csv
from pipeline.report.strips import Strip, StripBuilder, legend
from pipeline.report.template import render

NEXT, REVIEW = "next.csv", "review.csv"
HEADER = ("image", "reason", "tags", "entropy", "disagreement", "misfit", "corners")
REVIEW_HEADER = ("image", "tag", "class", "probability")
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
    write_page("next.html.j2", {"strips": strips, "legend": legend(manifest.classes, used)}, folder)


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


def write_review(
    manifest: Manifest, doubts: Sequence[Doubt], few: Sequence[int], folder: Path
) -> None:
    """Write review.csv and index.html: missing and extra tags apart.

    Args:
        manifest: the data set.
        doubts: what is listed.
        few: the classes that were left out, class indices.
        folder: where both go.
    """
    rows = {row.id: row for row in manifest.tagged()}
    names = manifest.classes.names
    lists: dict[str, list[tuple[Strip, str]]] = {"Perhaps missing": [], "Perhaps wrong": []}
    lines = []
    for doubt in doubts:
        row = rows[doubt.id]
        strip, _ = StripBuilder(manifest.classes, row, manifest.path(row.image)).done()
        kind = "missing" if doubt.missing else "wrong"
        why = f"{names[doubt.label]} at {100 * doubt.probability:.0f} %"
        lists[f"Perhaps {kind}"].append((strip, why))
        lines.append([doubt.id, kind, names[doubt.label], f"{doubt.probability:.4f}"])
    write_csv(folder / REVIEW, REVIEW_HEADER, lines)
    values = {"lists": lists, "few": [names[label] for label in few]}
    write_page("review.html.j2", values, folder)


def write_page(template: str, values: Mapping[str, object], folder: Path) -> None:
    """Write a page of this room as index.html."""
    text = render(template, values, {}, folder=Path(__file__).parent)
    with whole_file(folder / "index.html") as part:
        part.write_text(text, "utf-8", newline="\n")
