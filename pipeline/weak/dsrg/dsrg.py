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
from pipeline.data.manifest import Manifest
from pipeline.data.seeds import UNSEEDED
from pipeline.devices.device import pick_device, seed_everything
from pipeline.devices.distributed import shared_folder, world
from pipeline.engine.forward import Forward, prepare, share_of
from pipeline.engine.learner import Learner
from pipeline.engine.log import Log, mean_of_last, write_history
from pipeline.engine.loop import Task, fit
from pipeline.engine.optim import caffe_optimiser, caffe_schedule
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
from pipeline.weak.seeds.tagged import Tagged, TaggedImages

ROWS = 50  # of the log in a whole training; up to twice as many in a short one
TERMS = ("seeding", "boundary", "seeded", "grown")


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
    dsrg, course = params.dsrg, counted_in_steps("dsrg: train", params.dsrg.optimiser, params)
    network = build_dsrg(params, len(manifest.classes), start_weights(params))
    losses = growing_losses(network, params, len(manifest.classes))
    optimiser = caffe_optimiser(network, dsrg.optimiser)
    log = Log(course.what, TERMS, every=max(1, course.steps // ROWS))
    learner = Learner(network, optimiser, caffe_schedule(optimiser, dsrg.optimiser), log)
    files = [*start_files(params), manifest.folder / "manifest.csv"]
    seeds = hashlib.sha256(np.ascontiguousarray(seeds_Nhw).data).hexdigest()
    saved = Checkpoints("dsrg", key_of("dsrg", params, files, seeds=seeds), learner)
    images = TaggedImages(manifest, manifest.tagged(), dsrg.image_size, seeds_Nhw)

    def batches_after(done: int) -> Iterator[Tagged]:
        return images.batches(dsrg.optimiser, params.seed, done, params.machine.workers)

    fit(Task(course, batches_after, losses), learner, saved)
    return learner, saved


def growing_losses(
    network: DsrgNet, params: Params, classes: int
) -> Callable[[Tagged], tuple[Tensor, Tensor]]:
    """Make a network ready to train; both losses of a batch, whose seeds grow on the way.

    Returns:
        function from images, tags and seeds to this process's share of the loss to minimise and of
        the four terms to log (`dsrg_terms`).
    """
    dsrg, device, geometry = params.dsrg, pick_device(), network.backbone.geometry
    weights = crf_weights(dsrg.crf, classes)
    batch_size = dsrg.optimiser.batch_size
    forward = prepare(network, params.engine, batch_size)
    share = share_of("dsrg.optimiser.batch_size", batch_size) / batch_size

    def losses(batch: Tagged) -> tuple[Tensor, Tensor]:
        images_B3HW, tags_BC, seeds_Bhw = (
            part.to(device) for part in (batch.images, batch.tags, batch.seeds)
        )
        terms = dsrg_terms(forward, geometry, images_B3HW, tags_BC, seeds_Bhw, dsrg, weights)
        terms = share * terms
        return terms[0] + terms[1], terms

    return losses


def dsrg_terms(
    forward: Forward,
    geometry: Geometry,
    images_B3HW: Tensor,
    tags_BC: Tensor,
    seeds_Bhw: Tensor,
    dsrg: Dsrg,
    weights: CrfWeights,
) -> Tensor:
    """Seeding loss, boundary loss, and the shares seeded before and after growing, in percent.

    One CRF serves both: its posterior decides what grows, and is the boundary loss's target.

    Args:
        forward: from normalised images to logits on the grid.
        geometry: how the grid lies on the images.
        images_B3HW: bytes.
        tags_BC: which classes an image holds.
        seeds_Bhw: static seeds.
        dsrg: the thresholds of growing.
        weights: of the CRF.

    Returns:
        tensor with shape (4,); gradients flow through the first two.
    """
    p_BChw = floored_softmax(forward(normalise(images_B3HW)))
    h, w = p_BChw.shape[-2:]
    small_B3hw = downsample(images_B3HW, (h, w), geometry).float()
    # Detached: the CRF's posterior is a target, and no gradient flows into it.
    q_BChw = refine(p_BChw.detach(), small_B3hw, weights)
    # From the static seeds in every step: what grew wrongly once does not stay.
    grown_Bhw = grow(
        seeds_Bhw,
        q_BChw,
        tags_BC,
        theta_foreground=dsrg.theta_foreground,
        theta_background=dsrg.theta_background,
    )
    shares = [100.0 * (s != UNSEEDED).float().mean() for s in (seeds_Bhw, grown_Bhw)]
    return torch.stack([seeding_loss(p_BChw, grown_Bhw), boundary_loss(p_BChw, q_BChw), *shares])
