"""Stage evaluate_dsrg: the DSRG network itself on val, the first row of Table 1."""

from pathlib import Path

import torch

from pipeline.device import pick_device
from pipeline.distributed import world
from pipeline.dsrg import load_dsrg
from pipeline.evaluate import confusion_of
from pipeline.kept import kept_folder
from pipeline.keys import key_of
from pipeline.manifest import Manifest
from pipeline.params import Params
from pipeline.results import write_results


def evaluate_dsrg(
    params: Params, manifest: Manifest, *, dsrg: Path, predictions: Path, folder: Path
) -> dict[str, float]:
    """Score the network the proxies come from as every other: one pass, no tags, no CRF.

    Args:
        params: all of params.yaml; the network was trained with `seed`, once.
        manifest: the data set.
        dsrg: data/dsrg.
        predictions: data/predictions/dsrg, for palette PNGs.
        folder: results/dsrg.

    Returns:
        the content of metrics.json; empty in processes that do not lead.
    """
    network = load_dsrg(params, manifest, dsrg)
    network.to(pick_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    key = key_of(params, [dsrg / "network.safetensors", manifest.folder / "manifest.csv"])
    what, size = "evaluate: dsrg", params.evaluate.batch_size
    with kept_folder(predictions, "evaluate-dsrg", key) as part:
        kept = part.with_name("val")
        confusion = confusion_of(network, manifest, size, part, what, kept)
        if not world().leads:
            return {}
        return write_results(folder, manifest.classes, [params.seed], [confusion])
