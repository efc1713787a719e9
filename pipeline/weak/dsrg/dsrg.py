"""Stage dsrg: the segmentation network whose seeds grow while it trains (DSRG as released).

Shape legend: B batch, C classes with background at 0, H W image, h w grid.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.batches.augment import normalise
from pipeline.data.manifest import IGNORE, Manifest
from pipeline.data.seeds import UNSEEDED
from pipeline.devices.device import pick_device, seed_everything
from pipeline.devices.distributed import shared_folder, world
from pipeline.engine.forward import Forward, prepare, share_of
from pipeline.engine.learner import Learner
from pipeline.engine.log import Log, mean_of_last, write_history
from pipeline.engine.loop import Task, fit
from pipeline.engine.optim import caffe_optimiser, caffe_schedule, steps_of
from pipeline.networks.grid import Geometry, downsample
from pipeline.networks.stored import start_files, start_weights, store_network
from pipeline.runs.checkpoint import Checkpoints
from pipeline.runs.monitor import counted_in_steps
from pipeline.runs.work_key import key_of
from pipeline.settings.params import Dsrg, Params
from pipeline.weak.dsrg.crf import CrfWeights
from pipeline.weak.dsrg.growing import grow
from pipeline.weak.dsrg.losses import boundary_loss, floored_softmax, seeding_loss
from pipeline.weak.dsrg.network import DsrgNet, build_dsrg
from pipeline.weak.dsrg.refine import crf_weights, refine
from pipeline.weak.seeds.tagged import Tagged, TaggedImages, strong_truths

ROWS = 50  # of the log in a whole training; up to twice as many in a short one
TERMS = ("seeding", "boundary", "seeded", "grown", "checked", "checked_grown", "right")


def train_dsrg(
    params: Params, manifest: Manifest, seeds_Nhw: np.ndarray, folder: Path
) -> dict[str, float]:
    """Train on the static seeds, growing them in every step; write network.safetensors.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        seeds_Nhw: one entry for each strong and weak row, in manifest order.
        folder: where network.safetensors and history.csv go, in one piece.

    Returns:
        seeded share before and after growing (percent) and the loss, over the last tenth.
    """
    seed_everything(params.seed, 2)
    with shared_folder(folder) as part:
        learner, saved = fit_dsrg(params, manifest, seeds_Nhw)
        if world().leads:
            store_network(learner.network, part / "network.safetensors")
            write_history(part / "history.csv", learner.log.rows)
    saved.clear()
    return mean_of_last(learner.log.rows, 10)


def fit_dsrg(
    params: Params, manifest: Manifest, seeds_Nhw: np.ndarray
) -> tuple[Learner, Checkpoints]:
    """The trained network with its log, and its checkpoints."""
    dsrg, tagged = params.dsrg, manifest.tagged()
    steps = steps_of(dsrg.optimiser, len(tagged))
    course = counted_in_steps("dsrg: train", dsrg.optimiser, steps, params)
    network = build_dsrg(params, len(manifest.classes), start_weights(params))
    losses = growing_losses(network, params, len(manifest.classes))
    optimiser = caffe_optimiser(network, dsrg.optimiser)
    log = Log(course.what, TERMS, every=max(1, course.steps // ROWS))
    learner = Learner(network, optimiser, caffe_schedule(optimiser, dsrg.optimiser, steps), log)
    files = [*start_files(params), manifest.folder / "manifest.csv"]
    seeds = hashlib.sha256(np.ascontiguousarray(seeds_Nhw).data).hexdigest()
    saved = Checkpoints("dsrg", key_of("dsrg", params, files, seeds=seeds), learner)
    side, grid = dsrg.image_size, seeds_Nhw.shape[1:]
    truths = strong_truths(manifest, side, grid, network.backbone.geometry)
    images = TaggedImages(manifest, tagged, side, seeds_Nhw, truths=truths)

    def batches_after(done: int) -> Iterator[Tagged]:
        size, workers = dsrg.optimiser.batch_size, params.machine.workers
        return images.batches(size, steps, params.seed, done, workers)

    fit(Task(course, batches_after, losses), learner, saved)
    return learner, saved


def growing_losses(
    network: DsrgNet, params: Params, classes: int
) -> Callable[[Tagged], tuple[Tensor, Tensor]]:
    """Make a network ready to train; both losses of a batch, whose seeds grow on the way.

    Returns:
        function from images, tags and seeds to this process's share of the loss to minimise and of
        the terms to log (`dsrg_terms`).
    """
    dsrg, device, geometry = params.dsrg, pick_device(), network.backbone.geometry
    weights = crf_weights(dsrg.crf, classes)
    batch_size = dsrg.optimiser.batch_size
    forward = prepare(network, params.engine, batch_size)
    share = share_of("dsrg.optimiser.batch_size", batch_size) / batch_size

    def losses(batch: Tagged) -> tuple[Tensor, Tensor]:
        batch = batch.on(device)
        terms = share * dsrg_terms(forward, geometry, batch, dsrg, weights)
        return terms[0] + terms[1], terms

    return losses


def dsrg_terms(
    forward: Forward,
    geometry: Geometry,
    batch: Tagged,
    dsrg: Dsrg,
    weights: CrfWeights,
) -> Tensor:
    """Seeding loss, boundary loss, and how far the seeds grew, in percent of the grid's points.

    One CRF serves both: its posterior is the boundary loss's target and, as released, decides what
    grows; with `grow_on: softmax` the network's own probabilities do.

    Args:
        forward: from normalised images to logits on the grid.
        geometry: how the grid lies on the images.
        batch: images, tags and static seeds.
        dsrg: what decides about growing, and its thresholds.
        weights: of the CRF.

    Returns:
        tensor with shape (7,), in the order of `TERMS`; gradients flow through the first two.
    """
    p_BChw = floored_softmax(forward(normalise(batch.images)))
    h, w = p_BChw.shape[-2:]
    small_B3hw = downsample(batch.images, (h, w), geometry).float()
    # Detached: the CRF's posterior is a target, and no gradient flows into it.
    q_BChw = refine(p_BChw.detach(), small_B3hw, weights, exact=dsrg.exact_crf)
    # From the static seeds in every step: what grew wrongly once does not stay.
    grown_Bhw = grow(
        batch.seeds,
        q_BChw if dsrg.grow_on == "crf" else p_BChw,
        batch.tags,
        theta_foreground=dsrg.theta_foreground,
        theta_background=dsrg.theta_background,
    )
    shares = growth(batch.seeds, grown_Bhw, batch.truth)
    return torch.stack([seeding_loss(p_BChw, grown_Bhw), boundary_loss(p_BChw, q_BChw), *shares])


def growth(seeds_Bhw: Tensor, grown_Bhw: Tensor, truth_Bhw: Tensor) -> list[Tensor]:
    """Percent of all grid points that are seeded, are grown, and whose truth is known.

    Then of all points those whose truth is known that are grown, and those that are grown right.
    """
    checked_Bhw, labelled_Bhw = truth_Bhw != IGNORE, grown_Bhw != UNSEEDED
    points = (
        seeds_Bhw != UNSEEDED,
        labelled_Bhw,
        checked_Bhw,
        checked_Bhw & labelled_Bhw,
        checked_Bhw & (grown_Bhw == truth_Bhw),
    )
    return [100.0 * points_Bhw.float().mean() for points_Bhw in points]
