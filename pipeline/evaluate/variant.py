"""Stage evaluate: all seeds of one variant, scored and summed up."""

from pathlib import Path

from pipeline.base.errors import need
from pipeline.data.folds import repetitions
from pipeline.data.manifest import Manifest
from pipeline.data.plan import Plan
from pipeline.devices.device import placed
from pipeline.devices.distributed import world
from pipeline.evaluate.refinement import refinement
from pipeline.evaluate.results import write_results
from pipeline.evaluate.submission import write_submission
from pipeline.networks.stored import load_network
from pipeline.runs.resume import resumable_folder
from pipeline.runs.work_key import key_of
from pipeline.scoring.metrics import Counts
from pipeline.scoring.score import confusion_of
from pipeline.settings.params import Params
from pipeline.train.build import build_network
from pipeline.train.network import DualBranchNet


def evaluate_variant(
    params: Params,
    manifest: Manifest,
    plan: Plan,
    *,
    models: Path,
    predictions: Path,
) -> dict[str, float]:
    """Score every seed's network and write the variant's results.

    Predictions are kept as palette PNGs for the first seed or, with folds, for the first seed of
    each. The first seed also predicts VOC's test images, where the manifest has them, for the
    evaluation server (pipeline.evaluate.submission).

    Args:
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's plan, for the network's shape.
        models: data/models.
        predictions: data/predictions/<variant>.

    Returns:
        the content of metrics/<variant>.json; empty in processes that do not lead.
    """
    files = [trained_file(plan, seed, models) for seed in params.seeds]
    key = key_of("evaluate", params, [*files, manifest.folder / "manifest.csv"], plan=plan)
    with resumable_folder(predictions, f"evaluate-{plan.variant}", key) as part:
        confusions = [
            score_seed(params, manifest, plan, seed, models, part) for seed in params.seeds
        ]
        if not world().leads:
            return {}
        seeds, sizes = params.seeds, manifest.fold_sizes
        return write_results(
            params.dataset, plan.variant, manifest.classes, seeds, confusions, sizes
        )


def score_seed(
    params: Params, manifest: Manifest, plan: Plan, seed: int, models: Path, part: Path
) -> Counts:
    """One network's confusion matrix; in the first repetition also the predictions, in `part`."""
    network = load_trained(params, manifest, plan, seed, models)
    batch_size, refine = params.evaluate.batch_size, refinement(params)
    first = seed in repetitions(params.seeds, len(manifest.fold_sizes))[0]
    confusion = confusion_of(
        network,
        manifest,
        batch_size,
        part if first else None,
        f"evaluate: {plan.variant} seed {seed}",
        resume=part.with_name(f"seed-{seed}"),
        seed=seed,
        refine=refine,
    )
    if seed == params.seeds[0] and params.dataset == "voc":
        resume = part.with_name("test")
        what = f"test: {plan.variant}"
        write_submission(network, manifest, batch_size, part, what, resume, refine)
    return confusion


def trained_file(plan: Plan, seed: int, models: Path) -> Path:
    """Where stage train left a network.

    Raises:
        UserError: it is not there.
    """
    path = models / plan.variant / str(seed) / "network.safetensors"
    return need(path, f"train {plan.variant} {seed}")


def load_trained(
    params: Params, manifest: Manifest, plan: Plan, seed: int, models: Path
) -> DualBranchNet:
    """A variant's network as stage train left it, on this process's device, ready for inference.

    Raises:
        UserError: its file is missing or belongs to another architecture.
    """
    network = build_network(params, plan, len(manifest.classes), "none")
    load_network(network, trained_file(plan, seed, models), f"train {plan.variant} {seed}")
    return placed(network).eval()
