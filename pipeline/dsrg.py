"""Stage dsrg: the segmentation network whose seeds grow while it trains (DSRG as released).

Shape legend: B batch, C classes with background at 0, K channels, H W image, h w grid.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.augment import normalise
from pipeline.backbones import Backbone, Geometry, build_backbone, he_init
from pipeline.checkpoint import Checkpoints, Learner
from pipeline.crf import CrfWeights, dense_crf
from pipeline.device import pick_device, seed_everything
from pipeline.distributed import shared_folder, world
from pipeline.engine import train_to_end
from pipeline.forward import Forward, prepare, share_of
from pipeline.growing import UNSEEDED, grow
from pipeline.history import write_history
from pipeline.keys import key_of
from pipeline.lattice import lattice_crf
from pipeline.layers import Dropout
from pipeline.losses import boundary_loss, floored_softmax, seeding_loss
from pipeline.manifest import Manifest
from pipeline.monitor import counted_in_steps
from pipeline.network import downsample
from pipeline.optim import caffe_optimiser, caffe_schedule
from pipeline.params import Crf, Dsrg, Params
from pipeline.start import load_network, start_files, start_weights, store_network
from pipeline.tagged import Tagged, TaggedImages

CALIBRATED_FOR = 21  # classes the CRF's weights were chosen for, VOC's
EXACT_PIXELS = 512  # above, a CPU is faster on the lattice: 13 times at 41x41


class DsrgNet(nn.Module):
    """Backbone and DeepLab-v2's atrous spatial pyramid: parallel branches, logits summed."""

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        width: int,
        dilations: Sequence[int],
        dropout: float,
    ) -> None:
        """One branch a dilation: 3x3, 1x1 and classifier, dropout after the first two."""
        super().__init__()
        self.backbone = backbone
        channels = backbone.geometry.channels
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(inplace=True),
                Dropout(dropout),
                nn.Conv2d(width, width, 1),
                nn.ReLU(inplace=True),
                Dropout(dropout),
                nn.Conv2d(width, classes, 1),
            )
            for dilation in dilations
        )
        self.heads.apply(he_init)
        for head in self.heads:
            nn.init.normal_(head[-1].weight, std=0.01)  # type: ignore[index]

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Logits on the grid, (B, C, h, w)."""
        features_BKhw = self.backbone(images_B3HW)
        return torch.stack([head(features_BKhw) for head in self.heads]).sum(dim=0)


def build_dsrg(params: Params, classes: int, weights: str) -> DsrgNet:
    """The network of this stage, its backbone filled from `weights`."""
    backbone = build_backbone(params.backbone, weights)
    dsrg = params.dsrg
    return DsrgNet(
        backbone, classes, width=dsrg.width, dilations=dsrg.dilations, dropout=dsrg.dropout
    )


def load_dsrg(params: Params, manifest: Manifest, folder: Path) -> DsrgNet:
    """The network this stage wrote into `folder`.

    Raises:
        UserError: it is missing or damaged, or params.yaml has another one.
    """
    network = build_dsrg(params, len(manifest.classes), "none")
    load_network(network, folder / "network.safetensors", "dsrg")
    return network


def crf_weights(crf: Crf, classes: int) -> CrfWeights:
    """The training CRF's weights; above 21 classes they grow with their number.

    DSRG feeds the CRF -p. Its mean field starts to move only where the pairwise weight over the
    number of classes outdoes the softmax's slope: at 21 classes from p of about 0.3, at 81 (COCO)
    never, unless the weights grow alike (docs/choices.md).
    """
    scale = max(1.0, classes / CALIBRATED_FOR)
    weights = CrfWeights(**crf.model_dump())
    return replace(weights, bilateral=weights.bilateral * scale, gaussian=weights.gaussian * scale)


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
        saved, rows = fit_dsrg(params, manifest, seeds_Nhw)
        if world().leads:
            store_network(saved.learner.network, part / "network.safetensors")
            write_history(part / "history.csv", rows)
    saved.clear()
    last = rows[-max(1, len(rows) // 10) :]
    return {key: float(np.mean([row[key] for row in last])) for key in rows[0] if key != "step"}


def fit_dsrg(
    params: Params, manifest: Manifest, seeds_Nhw: np.ndarray
) -> tuple[Checkpoints, list[dict[str, float]]]:
    """The trained network, in its checkpoints, and the rows of its log."""
    dsrg = params.dsrg
    network = build_dsrg(params, len(manifest.classes), start_weights(params))
    losses = growing_losses(network, params, len(manifest.classes))
    optimiser = caffe_optimiser(network, dsrg.optimiser)
    learner = Learner(network, optimiser, caffe_schedule(optimiser, dsrg.optimiser))
    files = [*start_files(params), manifest.folder / "manifest.csv"]
    seeds = hashlib.sha256(np.ascontiguousarray(seeds_Nhw).data).hexdigest()
    saved = Checkpoints("dsrg", key_of(params, files, seeds=seeds), learner)
    images = TaggedImages(manifest, manifest.train(), dsrg.image_size, seeds_Nhw)
    rows = train_to_end(
        saved,
        images.batches(dsrg.optimiser, params.seed, saved.done, params.engine.workers),
        losses,
        lambda step: images.names_of(dsrg.optimiser, params.seed, step),
        names=("seeding", "boundary", "seeded", "grown"),
        course=counted_in_steps("dsrg: train", dsrg.optimiser, params.engine),
    )
    return saved, rows


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
        images_B3HW, tags_BC, seeds_Bhw = (part.to(device) for part in batch)
        terms = dsrg_terms(forward, geometry, images_B3HW, tags_BC, seeds_Bhw, dsrg, weights)
        terms = share * terms
        return terms[0] + terms[1], terms

    return losses


def refine(p_BChw: Tensor, image_B3hw: Tensor, weights: CrfWeights) -> Tensor:
    """CRF posterior of probabilities under the unary -p, behind the gate of 21 classes.

    The exact kernel, which is one matrix product on a GPU; on a CPU larger grids go over the
    lattice, as in DSRG's released code.

    With fewer classes the same weights would let every pixel pass at once, so the missing ones
    are added with probability 0 and what falls to them is lost, like an untagged class's share.

    Returns:
        tensor with shape (B, C, h, w).
    """
    classes = p_BChw.shape[1]
    phantoms = max(0, CALIBRATED_FOR - classes)
    unary_BChw = F.pad(-p_BChw, (0, 0, 0, 0, 0, phantoms))
    small = unary_BChw[0, 0].numel() <= EXACT_PIXELS
    solve = dense_crf if small or unary_BChw.is_cuda else lattice_crf
    return solve(unary_BChw, image_B3hw, weights)[:, :classes]


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
    q_BChw = refine(p_BChw.detach(), small_B3hw, weights)
    grown_Bhw = grow(
        seeds_Bhw,
        q_BChw,
        tags_BC,
        theta_foreground=dsrg.theta_foreground,
        theta_background=dsrg.theta_background,
    )
    shares = [100.0 * (s != UNSEEDED).float().mean() for s in (seeds_Bhw, grown_Bhw)]
    return torch.stack([seeding_loss(p_BChw, grown_Bhw), boundary_loss(p_BChw, q_BChw), *shares])
