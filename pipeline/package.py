"""Stage package: one variant's first network as a file of its own, with its card.

The bytes follow from what was trained and scored, not from when it is packaged.
"""

import csv
import json
from pathlib import Path
from typing import Any

from pipeline.augment import MEAN, STD
from pipeline.errors import UserError, need
from pipeline.manifest import Manifest
from pipeline.model_card import write_card
from pipeline.model_file import ClassEntry, ModelInfo, Scores, kept_part, write_model
from pipeline.params import Params
from pipeline.plan import Plan
from pipeline.weights import read_tensors

MODEL = "model.safetensors"
LICENCE = (
    "The weights come from the images and masks of the data set"
    "{start}; their terms hold for the weights, too. The licence of the code (Apache-2.0) says "
    "nothing about them."
)
STARTS = {
    "none": "",
    "classifier": "",
    "imagenet": " and, in the backbone, from those of ImageNet",
}
A_FILE = " and, in the backbone, from what the weights it started from were trained on"
BLOCKS = {
    "dataset",
    "backbone",
    "seed",
    "engine",
    "cam",
    "dsrg",
    "proxy",
    "split",
    "train",
}  # of params.yaml


def package(
    params: Params, manifest: Manifest, plan: Plan, *, models: Path, records: Path, results: Path
) -> tuple[ModelInfo, dict[str, Any]]:
    """Describe a variant's first network, and read the tensors that inference needs.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's.
        models: data/models.
        records: data/records.
        results: results/<variant>.

    Raises:
        UserError: the variant was not trained or not scored, or a file is damaged.
    """
    seed = params.seeds[0]
    stage = f"train {plan.variant} {seed}"
    path = need(models / plan.variant / str(seed) / "network.safetensors", stage)
    colours = zip(manifest.classes.names, manifest.classes.colours, strict=True)
    info = ModelInfo(
        format=1,
        variant=plan.variant,
        backbone=params.backbone,
        neck_n=plan.neck_n,
        width=params.train.neck_width,
        dilation=params.train.neck_dilation,
        classes=tuple(ClassEntry(name=name, colour=colour) for name, colour in colours),
        mean=MEAN,
        std=STD,
        data_set=params.dataset,
        strong=len(plan.strong),
        weak=len(plan.weak),
        seed=seed,
        commit=_commit(records / f"train-{plan.variant}-{seed}.json", stage),
        params=own_params(params, plan),
        scores=read_scores(results, manifest, plan.variant, seed, len(params.seeds)),
        licence=LICENCE.format(start=STARTS.get(params.backbone_weights, A_FILE)),
    )
    return info, kept_part(read_tensors(path, f"run `python -m stages.{stage}` again"))


def write_package(info: ModelInfo, state: dict[str, Any], folder: Path) -> None:
    """Write the model file and its card into `folder`."""
    write_model(folder / MODEL, info, state)
    write_card(folder, info, MODEL)


def own_params(params: Params, plan: Plan) -> dict[str, Any]:
    """The params a network came about with; of paths of this machine only the last name."""
    kept: dict[str, Any] = params.model_dump(mode="json", include=BLOCKS)
    kept["backbone_weights"] = Path(params.backbone_weights).name
    kept["neck_n"] = plan.neck_n
    for key in ("processes", "workers"):
        del kept["engine"][key]
    if kept["cam"]["saliency"] is not None:
        kept["cam"]["saliency"] = Path(kept["cam"]["saliency"]).name
    kept["train"]["extras"] = {
        key: value for key, value in vars(plan.extras).items() if value not in (None, False)
    }
    return kept


def read_scores(
    folder: Path, manifest: Manifest, variant: str, seed: int, seeds: int
) -> Scores | None:
    """What stage evaluate found; None where no val image has a mask.

    Raises:
        UserError: it has not run, or left something else.
    """
    images = sum(1 for row in manifest.of("val") if row.mask)
    if not images:
        return None
    again = f"evaluate {variant}"
    metrics, each, classes = (
        need(folder / name, again) for name in ("metrics.json", "seeds.csv", "per_class.csv")
    )
    try:
        with each.open(encoding="utf-8", newline="") as file:
            this = {row["seed"]: float(row["miou"]) for row in csv.DictReader(file)}[str(seed)]
        with classes.open(encoding="utf-8", newline="") as file:
            ious = {row["class"]: row["iou"] for row in csv.DictReader(file)}
        return Scores(
            images=images,
            seeds=seeds,
            means=json.loads(metrics.read_text(encoding="utf-8")),
            this=round(this, 2),
            classes={name: float(iou) for name, iou in ious.items() if iou},
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{folder} is damaged: run `python -m stages.{again}`") from error


def _commit(record: Path, stage: str) -> str | None:
    """The commit a network was trained at, from the record of its training."""
    try:
        found = json.loads(need(record, stage).read_text(encoding="utf-8"))["commit"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{record} is damaged: run `python -m stages.{stage}`") from error
    return None if found is None else str(found)
