"""The page of a check: all findings, and samples to look at, in one file."""

from pathlib import Path

from pipeline.base.atomic import whole_file
from pipeline.check.advice import Advice
from pipeline.check.samples import show_samples
from pipeline.check.summary import (
    FIXES,
    class_rows,
    facts,
    generators,
    next_command,
    recipe,
    scaling,
    sizes,
    verdict,
)
from pipeline.check.survey import Survey
from pipeline.report.strips import legend
from pipeline.report.template import render

CASES = 100  # of each problem on the page


def write_page(survey: Survey, advice: list[Advice], folder: Path, out: Path) -> None:
    """Write `out/index.html`.

    Args:
        survey: what was found.
        advice: warnings.
        folder: where the masks are that were made from annotations.
        out: made if it is missing.
    """
    samples, used = show_samples(survey, folder)
    values = {
        "root": str(survey.root),
        "kind": survey.kind,
        "usable": survey.usable,
        "verdict": verdict(survey),
        "facts": facts(survey),
        "problems": {
            p: (cases[:CASES], len(cases) - CASES) for p, cases in survey.problems.items()
        },
        "fixes": FIXES,
        "advice": advice,
        "lines": class_rows(survey),
        "sizes": sizes(survey),
        "scaling": scaling(survey) if survey.rows else "",
        "generators": generators(survey) if survey.rows else {},
        "conversions": survey.conversions,
        "samples": samples,
        "legend": legend(survey.classes, used) if survey.classes else [],
        "commands": next_command(survey),
        "recipe": recipe(survey),
    }
    with whole_file(out / "index.html") as part:
        page = render("check.html.j2", values, {}, folder=Path(__file__).parent)
        part.write_text(page, "utf-8", errors="backslashreplace", newline="\n")
