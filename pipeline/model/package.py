"""Stage package: one variant's first network as a file of its own, with its card.

The model file's bytes follow from what was trained and scored, not from when it is packaged. The
card also has what the training's record says of its run, so DVC does not hash it (.dvcignore).
"""

import csv
import json
from pathlib import Path
from typing import Any

from pipeline.base.errors import UserError, need
from pipeline.base.record import read_record
from pipeline.batches.augment import MEAN, STD
from pipeline.data.folds import without
from pipeline.data.manifest import Manifest, read_reading
from pipeline.data.plan import Plan
from pipeline.model.model_card import write_card
from pipeline.model.model_file import ClassEntry, ModelInfo, Scores, inference_tensors, write_model
from pipeline.networks.weights import read_tensors
from pipeline.settings.params import Params
from pipeline.settings.paths import record_file, result_file

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
# Of params.yaml: what every network depends on. Proxies are left out, which some do not use.
BLOCKS = {"dataset", "backbone", "seed", "engine", "cam", "split", "train"}


def package(
    params: Params, manifest: Manifest, plan: Plan, *, models: Path
) -> tuple[ModelInfo, dict[str, Any]]:
    """Describe a variant's first network, and read the tensors that inference needs.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's.
        models: data/models.

    Raises:
        UserError: the variant was not trained or not scored, or a file is damaged.
    """
    seed = params.seeds[0]
    plan = without(plan, manifest.held_out(seed))
    stage = f"train {plan.variant} {seed}"
    path = need(models / plan.variant / str(seed) / "network.safetensors", stage)
    colours = zip(manifest.classes.names, manifest.classes.colours, strict=True)
    info = ModelInfo(
        format=1,
        variant=plan.variant,
        backbone=params.backbone,
        timm=params.backbone_block,
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
        params=own_params(params, plan),
        scores=read_scores(params, manifest, plan.variant),
        licence=LICENCE.format(start=STARTS.get(params.backbone_weights, A_FILE)),
        **read_reading(manifest.folder).model_dump(),
    )
    return info, inference_tensors(read_tensors(path, f"run `python -m stages.{stage}` again"))


def write_package(info: ModelInfo, state: dict[str, Any], folder: Path) -> None:
    """Write the model file and its card into `folder`."""
    write_model(folder / MODEL, info, state)
    record = read_record(record_file(f"train {info.variant} {info.seed}"))
    write_card(folder, info, folder / MODEL, record)


def own_params(params: Params, plan: Plan) -> dict[str, Any]:
    """The params a network was trained with; of this machine's paths only the last name."""
    own: dict[str, Any] = params.model_dump(mode="json", include=BLOCKS)
    if params.backbone_block is not None:
        own["timm"] = params.backbone_block.model_dump(mode="json")
    own["backbone_weights"] = Path(params.backbone_weights).name
    own["neck_n"] = plan.neck_n
    if own["cam"]["saliency"] is not None:
        own["cam"]["saliency"] = Path(own["cam"]["saliency"]).name
    own["extras"] = {
        key: value for key, value in vars(plan.extras).items() if value not in (None, False)
    }
    return own


def read_scores(params: Params, manifest: Manifest, variant: str) -> Scores | None:
    """The scores from stage evaluate; None if no val image has a mask.

    Raises:
        UserError: it has not run, or left something else.
    """
    images, sizes = len(manifest.scored()), manifest.fold_sizes
    if not images:
        return None
    seed, again = params.seeds[0], f"evaluate {variant}"
    metrics, each, classes = (
        need(result_file(params.dataset, kind, variant), again)
        for kind in ("metrics", "seeds", "per_class")
    )
    try:
        with each.open(encoding="utf-8", newline="") as file:
            this = {row["seed"]: float(row["miou"]) for row in csv.DictReader(file)}[str(seed)]
        with classes.open(encoding="utf-8", newline="") as file:
            ious = {row["class"]: row["iou"] for row in csv.DictReader(file)}
        return Scores(
            images=images,
            seeds=len(params.seeds) // max(1, len(sizes)),
            means=json.loads(metrics.read_text(encoding="utf-8")),
            this=round(this, 2),
            classes={name: float(iou) for name, iou in ious.items() if iou},
            folds=sizes or None,
            fold=seed % len(sizes) if sizes else None,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"results/*/{variant}.* are damaged: run `python -m stages.{again}`"
        ) from error
