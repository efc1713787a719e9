"""The page: all parts are read and drawn here.

They are laid out by page.html.j2, beside the paper's, or by own.html.j2, for photographs of one's
own.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.base.atomic import whole_file
from pipeline.data.folds import describe_folds, repetitions, without
from pipeline.data.manifest import Manifest
from pipeline.data.plan import Plan, list_hash, read_plans
from pipeline.report import compare, scores, tables
from pipeline.report.claims import judge
from pipeline.report.collect import (
    Outcome,
    Source,
    Training,
    measured_with,
    read_lambdas,
    read_outcome,
    read_quality,
    read_scores,
    read_tag_precision,
    read_training,
    read_weak_curves,
)
from pipeline.report.compare import RunSize
from pipeline.report.curve import Point, curve_chart, read_points, steps, words
from pipeline.report.drawing import FAMILIES, family_of, mean_with_sd
from pipeline.report.exports import Table, write_tables
from pipeline.report.figures import (
    confusion_chart,
    lambda_chart,
    score_bars,
    training_charts,
    weak_charts,
)
from pipeline.report.image_scores import read_image_counts
from pipeline.report.own_page import FEW, WEAKEST, do_tags_help, weakest_first
from pipeline.report.pictures import Grid, proxy_grids, val_grid
from pipeline.report.plots import write_plots
from pipeline.report.published import read_table1, read_table2, read_table3
from pipeline.report.run_page import write_run_page
from pipeline.report.scored_networks import ENSEMBLE, dsrg_row, scored_names, subject
from pipeline.report.strips import legend
from pipeline.report.template import Filters, render, whole_script
from pipeline.report.viewer import WEAK_WORST, write_viewer
from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params
from pipeline.settings.paths import SPLIT, proxy_dir, resolve_user_path
from pipeline.split.absent_classes import absent_classes

OWN = "folder"  # the data set of photographs of one's own
DATASET_NAMES = {
    "shapes": "the synthetic scenes",
    "voc": "PASCAL VOC 2012",
    "coco": "COCO",
}
GENERATOR_TITLES = {
    "dsrg": "Made from tags alone",
    "self": "Made by a network that was trained on the strong masks",
    "files": "Made by another tool",
}
FILTERS: Filters = {
    "plain": tables.plain,
    "signed": tables.signed,
    "between": tables.between,
    "quality": tables.quality_name,
    "tone": lambda name: family_of(name) if family_of(name) in FAMILIES else "",
}


def write_report(params: Params, manifest: Manifest, folder: Path) -> None:
    """Write index.html, run.html, tables/ and plots/, and viewer/ if it has many pictures.

    Args:
        params: all of params.yaml; only what it names is shown.
        manifest: the data set.
        folder: where it all goes.

    Raises:
        UserError: a file of another stage is missing or stale; the message names both.
    """
    names = scored_names(params)
    outcomes = compare.in_order([read_outcome(params, manifest.classes, name) for name in names])
    outcomes = with_images(params, manifest, outcomes)
    plans = read_plans(SPLIT, params.variants)
    trainings = [read_training(params, name) for name in params.variants]
    first = max(plans.values(), key=lambda plan: len(plan.weak))
    counts = counts_of(params, manifest, first)
    made = all_tables(params, manifest, counts, outcomes, trainings, plans)
    val = val_grid(params, manifest)
    values = {
        **page_values(params, manifest, counts, outcomes),
        "absent": absent_classes(manifest, first.strong),
        "hashes": {"strong": list_hash(first.strong), "weak": list_hash(first.weak)},
        **chart_values(params, manifest, counts, outcomes, trainings),
        **picture_values(manifest, val, proxy_grids(params, manifest, first.weak)),
        "tables": made,
        "weak_worst": WEAK_WORST,
    }
    viewer = write_viewer(params, manifest, first.weak, folder)
    values["viewer"] = viewer
    values["shown"] = {"weak": 0, **{one["key"]: len(one["ids"]) for one in viewer["sets"]}}
    own = params.dataset == OWN
    if own:
        values |= own_values(params, manifest, first, outcomes)
    template = "own.html.j2" if own else "page.html.j2"
    page = render(template, values, FILTERS, script=whole_script(), files=not viewer["inline"])
    write_tables(folder / "tables", list(made.values()))
    write_plots(folder / "plots", manifest.classes, trainings, outcomes, val)
    with whole_file(folder / "index.html") as part:
        part.write_text(page, "utf-8", newline="\n")
    write_run_page(params, folder, values["title"])


def with_images(params: Params, manifest: Manifest, outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes with each image's counts, if there is one training and so no other interval.

    Averages of two networks leave no predictions.

    Raises:
        UserError: a prediction is missing or has another size than its image.
    """
    if times_of(params, manifest) > 1:
        return outcomes
    return [
        outcome
        if outcome.name.startswith(ENSEMBLE)
        else replace(outcome, images=read_image_counts(manifest, outcome.name))
        for outcome in outcomes
    ]


def times_of(params: Params, manifest: Manifest) -> int:
    """How many times every image is scored, by other trainings."""
    return len(repetitions(params.seeds, len(manifest.fold_sizes)))


def comparison_text(params: Params, manifest: Manifest) -> str:
    """A short table of what was scored, for the terminal.

    Raises:
        UserError: a result is missing.
    """
    found = {name: read_scores(params, name) for name in scored_names(params)}
    return "\n".join(tables.comparison_lines(found, words_on_folds(manifest)))


def all_tables(
    params: Params,
    manifest: Manifest,
    counts: RunSize,
    outcomes: Sequence[Outcome],
    trainings: Sequence[Training],
    plans: Mapping[str, Plan],
) -> dict[str, Table]:
    """Every table by its name."""
    held_out = manifest.held_out(params.seeds[0])
    labels = {name: tables.label_counts(without(plan, held_out)) for name, plan in plans.items()}
    several = times_of(params, manifest) > 1
    made = [] if params.dataset == OWN else papers_tables(params, manifest, counts, outcomes)
    made += [
        scores.scores_table(outcomes, labels, several),
        scores.class_table(manifest.classes, outcomes),
        scores.curve_table(trainings, outcomes),
        scores.source_table(outcomes),
    ]
    if len(params.seeds) > 1:
        made.append(scores.seed_table(outcomes, manifest.fold_sizes))
    extras = scores.extras_table(outcomes)
    return {table.name: table for table in ([*made, extras] if extras.rows else made)}


def papers_tables(
    params: Params, manifest: Manifest, counts: RunSize, outcomes: Sequence[Outcome]
) -> list[Table]:
    """The paper's tables and claims with this run's; Tables 2 and 3 only on their data set."""
    on_coco = outcomes if params.dataset == "coco" else []
    return [
        compare.table1(read_table1(), outcomes),
        compare.table2(read_table2(), params, counts, outcomes),
        compare.table3(read_table3(), manifest.classes, on_coco),
        compare.claims_table(judge(papers_scores(params), outcomes), papers_setting(params)),
    ]


def own_values(
    params: Params, manifest: Manifest, plan: Plan, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """What only the page on photographs of one's own says."""
    variants = {outcome.name: outcome for outcome in outcomes if outcome.name in params.variants}
    about = variants[subject(params.variants)]
    return {
        "help": do_tags_help(list(variants.values())),
        "scored_as": {name: mean_with_sd(o.miou, o.sd) for name, o in variants.items()},
        "own_classes": weakest_first(manifest, plan, about),
        "weakest": WEAKEST,
        "few": FEW,
        **curve_values(read_points(params, manifest)),
    }


def curve_values(points: Sequence[Point]) -> dict[str, Any]:
    """The curve of scores over masks, if `swseg curve` was run on this data."""
    found = steps(points)
    return {
        "curve_steps": found,
        "curve": curve_chart(points) if found else "",
        "curve_words": words(points),
    }


def papers_scores(params: Params) -> dict[str, float]:
    """The paper's mIoU by row of Table 1; on COCO it has three of them, in Table 3."""
    if params.dataset == "coco":
        mean = read_table3()[-1]
        return {"strong": mean.strong, "mixed": mean.mixed, "dual": mean.dual}
    return {row.variant: row.miou for row in read_table1()}


def papers_setting(params: Params) -> str:
    """The setting of `papers_scores`."""
    return "COCO val with VGG16" if params.dataset == "coco" else "VOC 2012 val with VGG16"


def counts_of(params: Params, manifest: Manifest, plan: Plan) -> RunSize:
    """How large this run is, by its plan with the longest weak list."""
    train = params.train
    val = len(manifest.scored())
    schedule = f"{train.iterations} steps" if train.iterations else f"{train.epochs} epochs"
    return RunSize(len(plan.strong), len(plan.weak), val, schedule)


def page_values(
    params: Params, manifest: Manifest, counts: RunSize, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Words and numbers on the page outside of tables, charts and pictures."""
    variants = [next(o for o in outcomes if o.name == name) for name in params.variants]
    qualities = {name: read_quality(name) for name in params.proxy.generators}
    return {
        "params": params,
        "yaml": params_yaml(params),
        "title": title_of(params),
        "val_images": counts.val,
        "strong_images": counts.strong,
        "weak_images": counts.weak,
        "untagged": sum(row.tags is None for row in manifest.train()),
        "papers_setting": counts.papers(params),
        "class_count": len(manifest.classes),
        "several": times_of(params, manifest) > 1,
        "times": times_of(params, manifest),
        **fold_values(params, manifest),
        "outcomes": outcomes,
        "about": subject(params.variants),
        "finding": tables.finding(variants),
        "class_lines": tables.class_lines(manifest.classes, outcomes),
        "qualities": qualities,
        "quality": next(iter(qualities.values())),
        "quality_source": partial(quality_source, params),
        "quality_classes": tables.quality_classes,
        "made_from": GENERATOR_TITLES,
        "left_out": [stage for stage, users in needed_by(params).items() if not users],
    }


def title_of(params: Params) -> str:
    """What the report is called."""
    if params.dataset == OWN:
        return resolve_user_path(params.data_root).name
    name = DATASET_NAMES.get(params.dataset, params.dataset)
    return f"Strong–weak dual-branch network on {name}"


def quality_source(params: Params, generator: str, name: str) -> Source:
    """Where a number about a generator's proxies comes from: a file in its folder."""
    return Source(proxy_dir(generator) / name, measured_with(params, [params.seed]))


def words_on_folds(manifest: Manifest) -> str:
    """Number and size of the folds; empty where there are none."""
    return describe_folds(manifest.fold_sizes) if manifest.fold_sizes else ""


def fold_values(params: Params, manifest: Manifest) -> dict[str, str]:
    """Words about folds, empty where there are none, and about whose predictions are shown."""
    sizes = manifest.fold_sizes
    first = repetitions(params.seeds, len(sizes))[0]
    named = ", ".join(map(str, first))
    more = ",".join(map(str, range(2 * max(1, len(sizes)))))
    return {
        "folds": words_on_folds(manifest),
        "scored_images": "images with masks" if sizes else "validation images",
        "predicted_by": f"seeds {named}, each on its own fold" if sizes else f"seed {named}",
        "more_seeds": f"seeds=[{more}]" if sizes else "seeds=[0,1,2]",
    }


def params_yaml(params: Params) -> str:
    """The values of params.yaml, without its comments.

    Which device was used is on run.html: a stage may have been given another one by --device.
    """
    buffer = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(params.model_dump(exclude={"machine": {"device"}}), buffer)
    return buffer.getvalue()


def chart_values(
    params: Params,
    manifest: Manifest,
    counts: RunSize,
    outcomes: Sequence[Outcome],
    trainings: Sequence[Training],
) -> dict[str, Any]:
    """Every chart as an SVG element."""
    joined = {name: read_lambdas(params, f"{ENSEMBLE}{name}") for name in params.ensembles}
    averages = {name: curve for name, (curve, _) in joined.items()}
    strong = next((o.miou for o in outcomes if o.name == "strong"), 0.0)
    paper = papers_scores(params)["ensemble"] if counts.papers(params) else None
    return {
        "bars": score_bars(outcomes),
        "lambdas": lambda_chart(averages, strong, paper) if averages else None,
        "maxima": {name: maximum for name, (_, maximum) in joined.items()},
        "training_charts": training_charts(trainings),
        "weak_charts": weak_charts(read_weak_curves()) if dsrg_row(params) else [],
        "tag_rows": read_tag_precision() if dsrg_row(params) else [],
        "confusions": {o.name: confusion_chart(o, manifest.classes.names) for o in outcomes},
    }


def picture_values(
    manifest: Manifest, val: Mapping[str, Grid], proxies: Mapping[str, Grid]
) -> dict[str, Any]:
    """Both picture grids with their legends."""

    def colours(grids: Mapping[str, Grid]) -> list[tuple[str, str]]:
        return legend(manifest.classes, {i for grid in grids.values() for i in grid.indices})

    return {
        "val_grids": val,
        "val_legend": colours(val),
        "proxy_grids": proxies,
        "proxy_legend": colours(proxies),
    }
