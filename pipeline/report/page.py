"""The page itself: every part read and drawn, then laid out by page.html.j2."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from ruamel.yaml import YAML

from pipeline.atomic import whole_file
from pipeline.errors import need
from pipeline.manifest import Manifest
from pipeline.params import Params
from pipeline.paths import SPLIT
from pipeline.plan import Plan, list_hash, read_plans
from pipeline.report import tables
from pipeline.report.collect import (
    Outcome,
    Training,
    read_outcome,
    read_quality,
    read_records,
    read_scores,
    read_training,
    read_weak_curves,
)
from pipeline.report.figures import (
    TONES,
    Line,
    confusion_chart,
    dash_of,
    line_chart,
    score_bars,
    tone_of,
)
from pipeline.report.pictures import legend, proxy_grid, val_grid
from pipeline.report.sources import Curve

TEMPLATES = Path(__file__).parent
DATASETS = {
    "shapes": "the embedded scenes",
    "voc": "PASCAL VOC 2012",
    "coco": "COCO",
    "folder": "the user's own photographs",
}


def write_report(params: Params, manifest: Manifest, path: Path) -> None:
    """Write one HTML file that holds everything it shows.

    Args:
        params: all of params.yaml; only its variants and seeds are shown, in its order.
        manifest: the data set.
        path: the file to write.

    Raises:
        UserError: a file of another stage is missing or stale; the message names both.
    """
    page = environment().get_template("page.html.j2").render(page_values(params, manifest))
    with whole_file(path) as part:
        part.write_text(page, "utf-8", newline="\n")


def comparison_text(params: Params) -> str:
    """A short table of the variants for the terminal.

    Raises:
        UserError: a result is missing.
    """
    return "\n".join(
        tables.comparison_lines({name: read_scores(params, name) for name in params.variants})
    )


def environment() -> Environment:
    """The template engine: whatever a template prints is escaped, unknown names are errors."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        plain=tables.plain, signed=tables.signed, clock=tables.clock, quality=tables.quality_name
    )
    return made


def page_values(params: Params, manifest: Manifest) -> dict[str, Any]:
    """Everything the template prints."""
    outcomes = [read_outcome(params, manifest.classes, name) for name in params.variants]
    for name in ("strong.txt", "weak.txt"):
        need(SPLIT / name, "split")
    plans = read_plans(SPLIT, params.variants)
    records = read_records(params)
    quality = read_quality()
    return {
        "params": params,
        "yaml": params_yaml(params),
        "dataset": DATASETS[params.dataset],
        "val_images": sum(bool(row.mask) for row in manifest.of("val")),
        "class_count": len(manifest.classes),
        "several": len(params.seeds) > 1,
        "outcomes": outcomes,
        "finding": tables.finding(outcomes),
        "pairings": tables.pairings(outcomes),
        "class_lines": tables.class_lines(manifest.classes, outcomes),
        "quality": quality,
        "quality_classes": tables.quality_classes(quality) if quality else [],
        "records": records,
        "ran_on": tables.same_everywhere(records),
        "changed": any(str(r.values.get("commit")).endswith("+") for r in records),
        "total_seconds": tables.total_seconds(records),
        **split_values(plans),
        **chart_values(params, manifest, outcomes),
        **picture_values(params, manifest, next(iter(plans.values()))),
    }


def params_yaml(params: Params) -> str:
    """The values of params.yaml, without its comments."""
    buffer = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(params.model_dump(), buffer)
    return buffer.getvalue()


def split_values(plans: Mapping[str, Plan]) -> dict[str, Any]:
    """The lists the variants share, and what teaches each branch."""
    first = next(iter(plans.values()))
    return {
        "label_counts": {name: tables.label_counts(plan) for name, plan in plans.items()},
        "strong_images": len(first.strong),
        "weak_images": len(first.weak),
        "hashes": {"strong": list_hash(first.strong), "weak": list_hash(first.weak)},
    }


def chart_values(params: Params, manifest: Manifest, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Every chart as an SVG element."""
    trainings = [read_training(params, name) for name in params.variants]
    return {
        "bars": score_bars(outcomes),
        "training_charts": training_charts(trainings),
        "weak_charts": weak_charts(read_weak_curves()),
        "confusions": {o.name: confusion_chart(o, manifest.classes.names) for o in outcomes},
    }


def training_charts(trainings: list[Training]) -> list[Markup]:
    """Loss and val mIoU by step; the latter is left out where it was not measured on the way."""

    def lines(curves: Mapping[str, Curve]) -> list[Line]:
        return [
            Line(name, curve, tone_of(name), dash_of(name))
            for name, curve in curves.items()
            if curve.steps
        ]

    losses = lines({t.name: t.loss for t in trainings})
    scores = lines({t.name: t.val_miou for t in trainings})
    charts = [line_chart("loss", losses, "training loss")] if losses else []
    return charts + ([line_chart("val", scores, "mIoU on val (%)")] if scores else [])


def weak_charts(curves: Mapping[str, Curve]) -> list[Markup]:
    """Classifier, DSRG losses and DSRG growth by step."""

    def lines(*names: str) -> list[Line]:
        looks = ((TONES[2], "-"), (TONES[0], "--"))
        return [Line(n, curves[n], *look) for n, look in zip(names, looks, strict=False)]

    return [
        line_chart("tags", lines("tag_accuracy"), "tags right (%)", width=310, from_zero=False),
        line_chart("dsrg", lines("seeding", "boundary"), "DSRG loss", width=310),
        line_chart("growth", lines("grown", "seeded"), "pixels with a seed (%)", width=310),
    ]


def picture_values(params: Params, manifest: Manifest, plan: Plan) -> dict[str, Any]:
    """Both picture grids with their legends."""
    val, proxies = val_grid(params, manifest), proxy_grid(params, manifest, plan.weak)
    return {
        "val_grid": val,
        "val_legend": legend(manifest.classes, val.indices),
        "proxy_grid": proxies,
        "proxy_legend": legend(manifest.classes, proxies.indices),
    }
