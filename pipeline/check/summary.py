"""The findings as lines and tables, for the terminal and the page."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.check.advice import Advice
from pipeline.check.survey import KNOWN, TAGGED, VAL, Survey
from pipeline.data.manifest import IGNORE
from pipeline.datasets.folder.labelme import UNUSABLE
from pipeline.datasets.folder.layout import PROXIES
from pipeline.datasets.reading.findings import name_some
from pipeline.datasets.reading.manifest_rows import IMAGES, MASKS
from pipeline.settings.params_file import load_params
from pipeline.settings.registry import ROOT

SIZES = 5  # sizes listed
USUAL = "folder-cpu"  # recipe of `swseg new`
MANY = 3000  # images: with more, it takes too long
# For problems whose cases say what is wrong, but not what to do.
FIXES = {
    IMAGES: "Copy it again, convert it to JPEG or PNG, or remove it.",
    MASKS: "Export it again, or remove it.",
    UNUSABLE: "Open it in LabelMe, correct and save it, or remove it.",
}


class ClassRow(NamedTuple):
    """One class: number of images of each kind, and its share of all mask pixels in percent."""

    name: str
    colour: str
    strong: int
    val: int
    weak: int
    share: float


def facts(survey: Survey) -> dict[str, int]:
    """How many images there are of each kind."""
    return {
        "images": len(survey.rows) + len(survey.left_out),
        "masks to train on": len(survey.of(KNOWN)),
        "masks to validate on": len(survey.of(VAL)),
        "tags only": len(survey.of(TAGGED)),
        "neither": len(survey.bare),
        "not used": len(survey.left_out),
        "classes": len(survey.classes) if survey.classes else 0,
    }


def generators(survey: Survey) -> dict[str, str]:
    """For which images without a mask each generator could make proxies."""
    tagged, bare = survey.of(TAGGED), survey.bare
    without = len(tagged) + len(bare)
    given = sum(bool(row.proxy) for row in (*tagged, *bare))
    return {
        "dsrg": f"{len(tagged)} of {without}, those with tags",
        "self": f"{without} of {without}",
        "files": f"{given} of {without}, those with a mask in {PROXIES}/",
    }


def scaling(survey: Survey) -> str:
    """What the recipe does to photographs that are larger than its networks need."""
    side = working_size(recipe(survey))
    large = sum(max(row.size) > side for row in survey.rows)
    return (
        f"{large} of {len(survey.rows)} photographs will be scaled to {side} pixels "
        "(download.folder.longest_side); scores and predictions are at their own size"
    )


def working_size(recipe: str) -> int:
    """The longest side in pixels at which a recipe works."""
    return load_params(ROOT / "recipes" / f"{recipe}.yaml").download.folder.longest_side


def class_rows(survey: Survey) -> list[ClassRow]:
    """Every class, background first; ignored pixels do not count."""
    if survey.classes is None:
        return []
    known = max(1, int(survey.pixels_256[:IGNORE].sum()))
    return [
        ClassRow(
            name,
            "rgb({} {} {})".format(*survey.classes.colours[index]),
            survey.holding(KNOWN, index),
            survey.holding(VAL, index),
            survey.holding(TAGGED, index),
            round(100 * int(survey.pixels_256[index]) / known, 4),
        )
        for index, name in enumerate(survey.classes.names)
    ]


def sizes(survey: Survey) -> list[tuple[str, int]]:
    """The most frequent sizes with their number of images; the rest in one entry."""
    counts = Counter(f"{row.width}×{row.height}" for row in survey.rows)
    frequent = counts.most_common(SIZES)
    rest = counts.total() - sum(count for _, count in frequent)
    return [*frequent, (f"{len(counts) - SIZES} other sizes", rest)] if rest else frequent


def next_command(survey: Survey) -> list[str]:
    """The next commands to type."""
    root = shlex.quote(str(survey.root))
    if not survey.usable:
        return [f"swseg check {root}"]
    project = shlex.quote(f"../{survey.root.name}-project")
    chosen = f" --recipe {recipe(survey)}" if recipe(survey) != USUAL else ""
    strong = "" if survey.strong is None else f" -S split.strong={survey.strong}"
    return [f"swseg new {project} --data {root}{chosen}", f"cd {project}", f"swseg run{strong}"]


def recipe(survey: Survey) -> str:
    """The recipe that suits the number of images."""
    return "folder" if len(survey.rows) >= MANY else USUAL


def print_summary(survey: Survey, advice: list[Advice], page: Path) -> None:
    """Print a summary; the page has all of it."""
    console = Console(highlight=False)

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=True)

    say(f"{survey.root}: {survey.kind}")
    say(", ".join(f"{count} {name}" for name, count in facts(survey).items()))
    if survey.rows:
        say("sizes: " + ", ".join(f"{size} ({count})" for size, count in sizes(survey)))
        say(scaling(survey))
        say("proxies: " + "; ".join(f"{name} {fit}" for name, fit in generators(survey).items()))
    if survey.conversions:
        say("converted: " + ", ".join(f"{n} {kind}" for kind, n in survey.conversions.items()))
    if survey.classes:
        console.print(_table(class_rows(survey)))
    for finding, fix in advice:
        say(f"warning: {finding} {fix}", "yellow")
    for problem, cases in survey.problems.items():
        listed = f": {name_some(cases)}" if cases else ""
        fix = f". {FIXES[problem]}" if problem in FIXES else ""
        say(f"problem: {problem}{listed}{fix}", "red")
    say(verdict(survey), "bold")
    say(f"open {page}")
    say("next: " + " && ".join(next_command(survey)))


def print_json(survey: Survey, advice: list[Advice], page: Path) -> None:
    """Print what the summary says for programs, with every case of every problem."""
    found = {
        "folder": str(survey.root),
        "kind": survey.kind,
        "usable": survey.usable,
        "counts": facts(survey),
        "classes": [line._asdict() for line in class_rows(survey)],
        "sizes": dict(sizes(survey)),
        "scaling": scaling(survey) if survey.rows else "",
        "generators": generators(survey) if survey.rows else {},
        "conversions": survey.conversions,
        "warnings": [line._asdict() for line in advice],
        "problems": survey.problems,
        "page": str(page),
    }
    print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201 - this is the output


def _table(lines: list[ClassRow]) -> Table:
    """The classes; background has no tags, so only its pixels are shown."""
    table = Table("class", "train", "val", "tags only", "% of pixels")
    for column in table.columns[1:]:
        column.justify = "right"
    for number, line in enumerate(lines):
        counts = (line.strong, line.val, line.weak) if number else ("–",) * 3
        table.add_row(Text(line.name), *map(str, counts), f"{line.share:.2f}")
    return table


def verdict(survey: Survey) -> str:
    """The result in one sentence."""
    if survey.usable:
        return "This folder can be trained on."
    count = len(survey.problems)
    return f"This folder cannot be used yet, for {count} reason{'s' if count > 1 else ''}."
