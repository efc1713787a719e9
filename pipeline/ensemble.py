"""Stage ensemble: two networks averaged at test time, the paper's alternative (Eq. 4, Fig. 6).

Shape legend: B batch, C classes, H W image, L weights of the average.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.distributed import total_array, world
from pipeline.evaluate import Segmenter, predict_logits, scored_batches
from pipeline.kept import claim, release, walk
from pipeline.keys import key_of, work_folder
from pipeline.manifest import Manifest
from pipeline.metrics import Counts, confusion_matrix, mean_and_sd, summarise
from pipeline.params import Params
from pipeline.plan import read_plans
from pipeline.results import write_csv, write_results
from pipeline.score import load_trained, trained_file
from pipeline.variants import PAPERS_LAMBDA

LAMBDAS = tuple(step / 10 for step in range(11))
STRONG = "strong"


def evaluate_ensemble(
    params: Params, manifest: Manifest, other: str, *, split: Path, models: Path, folder: Path
) -> dict[str, float]:
    """Score the averages of `strong` and another variant, seed by seed, for every lambda.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        other: the variant that weighs lambda; `weak` or `mixed` in the paper's sense.
        split: data/split, for the networks' shapes.
        models: data/models.
        folder: results/ensemble_<other>; lambda.csv has the curve, the rest lambda = 0.4.

    Returns:
        the content of metrics.json; empty in processes that do not lead.
    """
    plans, name = read_plans(split, [other, STRONG]), f"ensemble-{other}"
    files = [trained_file(plan, s, models) for plan in plans.values() for s in params.seeds]
    key = key_of(params, [*files, manifest.folder / "manifest.csv"], plans=plans)
    claim(name, key)
    by_seed = []
    for seed in params.seeds:
        weighs, strong = (load_trained(params, manifest, p, seed, models) for p in plans.values())
        what = f"ensemble: {other} and {STRONG}, seed {seed}"
        kept = work_folder(name, key) / f"seed-{seed}"
        size = params.evaluate.batch_size
        by_seed.append(average_confusions(weighs, strong, manifest, size, what, kept))
    if not world().leads:
        return {}
    write_csv(folder / "lambda.csv", ["lambda", "miou", "miou_sd"], lambda_rows(by_seed))
    shown = [confusions[LAMBDAS.index(PAPERS_LAMBDA)] for confusions in by_seed]
    metrics = write_results(folder, manifest.classes, params.seeds, shown)
    release(name, key)
    return metrics


def average_confusions(
    other: Segmenter,
    strong: Segmenter,
    manifest: Manifest,
    batch_size: int,
    what: str | None = None,
    kept: Path | None = None,
) -> Counts:
    """Confusion matrices (L, C, C+1) over val, one a lambda; arguments as in `confusion_of`."""
    classes = len(manifest.classes)
    totals = np.zeros((len(LAMBDAS), classes, classes + 1), dtype=np.int64)
    through = partial(walk, folder=kept, arrays={"confusions": totals}, what=what)
    for _, images_B3HW, truth_BHW in scored_batches(manifest, batch_size, through):
        p_other, p_strong = (
            predict_logits(network, images_B3HW).softmax(dim=1) for network in (other, strong)
        )
        for place, share in enumerate(LAMBDAS):
            predicted_BHW = average(p_other, p_strong, share).to(torch.uint8).cpu()
            totals[place] += confusion_matrix(truth_BHW, predicted_BHW, classes)
    return total_array(totals)


def average(other_BCHW: Tensor, strong_BCHW: Tensor, share: float) -> Tensor:
    """Classes (B, H, W) of lambda * other + (1 - lambda) * strong (Eq. 4).

    The paper does not say what it averages. Probabilities lie on one scale whatever the network;
    logits do not.
    """
    return torch.lerp(strong_BCHW, other_BCHW, share).argmax(dim=1)


def lambda_rows(by_seed: Sequence[Counts]) -> list[list[str]]:
    """Rows of lambda.csv: lambda, mean IoU over the seeds and its deviation, in percent."""
    rows = []
    for place, share in enumerate(LAMBDAS):
        scores = [summarise(confusions[place])["miou"] for confusions in by_seed]
        mean, deviation = mean_and_sd(scores)
        rows.append([f"{share:g}", f"{mean:.4f}", f"{deviation:.4f}"])
    return rows
