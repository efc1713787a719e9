"""Stage evaluate_dsrg: the DSRG network itself on val, the first row of Table 1."""

from pathlib import Path

from pipeline.data.manifest import Manifest
from pipeline.devices.device import placed
from pipeline.devices.distributed import world
from pipeline.evaluate.results import write_results
from pipeline.runs.resume import resumable_folder
from pipeline.runs.work_key import key_of
from pipeline.scoring.score import confusion_of
from pipeline.settings.params import Params
from pipeline.weak.dsrg.network import load_dsrg


def evaluate_dsrg(
    params: Params, manifest: Manifest, *, dsrg: Path, predictions: Path
) -> dict[str, float]:
    """Score the network behind the proxies like every other: one pass, no tags, no CRF.

    Args:
        params: all of params.yaml; the network was trained with `seed`, once.
        manifest: the data set.
        dsrg: data/dsrg.
        predictions: data/predictions/dsrg, for palette PNGs.

    Returns:
        the content of metrics/dsrg.json; empty in processes that do not lead.
    """
    network = placed(load_dsrg(params, manifest, dsrg))
    key = key_of(
        "evaluate_dsrg", params, [dsrg / "network.safetensors", manifest.folder / "manifest.csv"]
    )
    what, size = "evaluate: dsrg", params.evaluate.batch_size
    with resumable_folder(predictions, "evaluate-dsrg", key) as part:
        resume = part.with_name("val")
        confusion = confusion_of(network, manifest, size, part, what, resume)
        if not world().leads:
            return {}
        return write_results(params.dataset, "dsrg", manifest.classes, [params.seed], [confusion])
