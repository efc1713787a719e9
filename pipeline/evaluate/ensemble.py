"""Stage ensemble: two networks joined at test time, the paper's alternative (Eq. 4, Fig. 6).

Shape legend: B batch, C classes, H W image, L ways of joining them.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.manifest import Manifest
from pipeline.data.plan import read_plans
from pipeline.data.tables import write_csv
from pipeline.devices.distributed import total_array, world
from pipeline.evaluate.results import pooled, write_results
from pipeline.evaluate.variant import load_trained, trained_file
from pipeline.networks.grid import argmax_at
from pipeline.runs.resume import walk
from pipeline.runs.work_folder import close_work, open_work, work_folder
from pipeline.runs.work_key import key_of
from pipeline.scoring.metrics import Counts, confusion_matrix, mean_and_sd, summarise
from pipeline.scoring.score import Segmenter, mask_bytes, predict_logits, scored_batches
from pipeline.settings.params import Params
from pipeline.settings.paths import result_file
from pipeline.settings.variants import PAPERS_LAMBDA

LAMBDAS = tuple(step / 10 for step in range(11))
MAXIMUM = "max"  # the larger of the two probabilities, which §3 names beside the average
WAYS: tuple[float | str, ...] = (*LAMBDAS, MAXIMUM)
STRONG = "strong"


def evaluate_ensemble(
    params: Params, manifest: Manifest, other: str, *, split: Path, models: Path
) -> dict[str, float]:
    """Score the averages of `strong` and another variant, seed by seed, for every lambda.

    lambda/ensemble_<other>.csv has the curve, and the maximum of the two in its last row; the other
    files are of lambda = 0.4.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        other: the variant that weighs lambda; `weak` or `mixed` in the paper's sense.
        split: data/split, for the networks' shapes.
        models: data/models.

    Returns:
        the content of metrics/ensemble_<other>.json; empty in processes that do not lead.
    """
    plans, name = read_plans(split, [other, STRONG]), f"ensemble-{other}"
    files = [trained_file(plan, s, models) for plan in plans.values() for s in params.seeds]
    key = key_of("ensemble", params, [*files, manifest.folder / "manifest.csv"], plans=plans)
    if world().leads:
        open_work(name, key)
    by_seed = []
    for seed in params.seeds:
        weighs, strong = (load_trained(params, manifest, p, seed, models) for p in plans.values())
        what = f"ensemble: {other} and {STRONG}, seed {seed}"
        resume = work_folder(name, key) / f"seed-{seed}"
        size = params.evaluate.batch_size
        by_seed.append(average_confusions(weighs, strong, manifest, size, what, resume, seed))
    if not world().leads:
        return {}
    seeds, sizes = params.seeds, manifest.fold_sizes
    whole = pooled(seeds, by_seed, len(sizes))
    header = ["lambda", "miou", "miou_sd"]
    write_csv(
        result_file(params.dataset, "lambda", f"ensemble_{other}"), header, lambda_rows(whole)
    )
    shown = [confusions[WAYS.index(PAPERS_LAMBDA)] for confusions in by_seed]
    metrics = write_results(
        params.dataset, f"ensemble_{other}", manifest.classes, seeds, shown, sizes
    )
    close_work(name, key)
    return metrics


def average_confusions(
    other: Segmenter,
    strong: Segmenter,
    manifest: Manifest,
    batch_size: int,
    what: str | None = None,
    resume: Path | None = None,
    seed: int | None = None,
) -> Counts:
    """Confusion matrices (L, C, C+1) over val, one for each of `WAYS`.

    Arguments as in `confusion_of`.
    """
    classes = len(manifest.classes)
    totals = np.zeros((len(WAYS), classes, classes + 1), dtype=np.int64)
    through = partial(walk, folder=resume, arrays={"confusions": totals}, what=what)
    for _, images_B3HW, truths in scored_batches(manifest, batch_size, through, seed):
        p_other, p_strong = (
            predict_logits(network, images_B3HW).softmax(dim=1) for network in (other, strong)
        )
        for place, way in enumerate(WAYS):
            for truth_HW, p_CHW in zip(truths, joined(p_other, p_strong, way), strict=True):
                mask_HW = mask_bytes(argmax_at(p_CHW, truth_HW.shape))
                totals[place] += confusion_matrix(truth_HW, mask_HW, classes)
    return total_array(totals)


def joined(other_BCHW: Tensor, strong_BCHW: Tensor, way: float | str) -> Tensor:
    """Scores (B, C, H, W): lambda * other + (1 - lambda) * strong (Eq. 4), or their maximum.

    The paper does not say what it averages. Probabilities lie on one scale whatever the network;
    logits do not.
    """
    if isinstance(way, str):
        return torch.maximum(strong_BCHW, other_BCHW)
    return torch.lerp(strong_BCHW, other_BCHW, way)


def lambda_rows(by_seed: Sequence[Counts]) -> list[list[str]]:
    """Rows of lambda.csv: lambda, mean IoU over the seeds or repetitions and its deviation.

    The last row is of the maximum.
    """
    rows = []
    for place, way in enumerate(WAYS):
        scores = [summarise(confusions[place])["miou"] for confusions in by_seed]
        mean, deviation = mean_and_sd(scores)
        named = way if isinstance(way, str) else f"{way:g}"
        rows.append([named, f"{mean:.4f}", f"{deviation:.4f}"])
    return rows
