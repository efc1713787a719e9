"""Stage evaluate: all seeds of one variant, scored and summed up."""

from pathlib import Path

import torch

from pipeline.build import build_network
from pipeline.device import pick_device
from pipeline.distributed import shared_folder, world
from pipeline.evaluate import confusion_of
from pipeline.manifest import Manifest
from pipeline.network import DualBranchNet
from pipeline.params import Params
from pipeline.plan import Plan
from pipeline.results import write_results
from pipeline.start import load_network
from pipeline.submission import write_submission


def evaluate_variant(
    params: Params,
    manifest: Manifest,
    plan: Plan,
    *,
    models: Path,
    predictions: Path,
    folder: Path,
) -> dict[str, float]:
    """Score every seed's network and write the variant's results.

    Predictions are kept as palette PNGs for the first seed. It also predicts VOC's test images,
    where the manifest has them, for the evaluation server (pipeline.submission).

    Args:
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's plan, for the network's shape.
        models: data/models.
        predictions: data/predictions/<variant>.
        folder: results/<variant>.

    Returns:
        the content of metrics.json; empty in processes that do not lead.
    """
    confusions = []
    with shared_folder(predictions) as part:
        for seed in params.seeds:
            network = load_trained(params, manifest, plan, seed, models)
            what = f"evaluate: {plan.variant} seed {seed}"
            kept = part if seed == params.seeds[0] else None
            batch_size = params.evaluate.batch_size
            confusions.append(confusion_of(network, manifest, batch_size, kept, what))
            if kept is not None and params.dataset == "voc":
                write_submission(network, manifest, batch_size, kept, f"test: {plan.variant}")
    if not world().leads:
        return {}
    return write_results(folder, manifest.classes, params.seeds, confusions)


def load_trained(
    params: Params, manifest: Manifest, plan: Plan, seed: int, models: Path
) -> DualBranchNet:
    """A variant's network as stage train left it, on this process's device, ready for inference.

    Raises:
        UserError: its file is missing or belongs to another architecture.
    """
    network = build_network(params, plan, len(manifest.classes), "none")
    path = models / plan.variant / str(seed) / "network.safetensors"
    load_network(network, path, f"train {plan.variant} {seed}")
    network.to(pick_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()
