"""The loss of a batch: Eq. 3 on the masks of each branch, and consistency where planned.

Shape legend: B batch, C classes, H W image, h w grid.
"""

import torch
from torch import Tensor

from pipeline.batches.augment import normalise
from pipeline.batches.labelled import SURE, Batch
from pipeline.engine.forward import Forward
from pipeline.networks.grid import Geometry, upsample
from pipeline.train.consistency import consistency_loss, pseudo_labels, strong_copies
from pipeline.train.losses import segmentation_loss


def plain_losses(batch: Batch, *, forward: Forward, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Eq. 3: each branch on the part of the batch that it owns.

    Args:
        batch: random views and their masks.
        forward: the network's forward pass, as `forward.prepare` returns it.
        geometry: of its grid.

    Returns:
        this process's share of the loss, and of the terms to log: the loss alone, (1,).
    """
    logits_BChw = forward(normalise(batch.images), batch.sizes)
    loss = masks_loss(_full_size(logits_BChw, batch, geometry), batch)
    return loss, loss[None]


def consistent_losses(
    batch: Batch,
    *,
    forward: Forward,
    teacher: Forward,
    geometry: Geometry,
    weight: float,
    threshold: float,
) -> tuple[Tensor, Tensor]:
    """Eq. 3, and the strong branch held to its own predictions on the weak images.

    Args:
        batch: random views and their masks; strong, then weak.
        forward: the network's forward pass.
        teacher: that of the network, or of its average where there is one.
        geometry: of their grid.
        weight: of the consistency loss.
        threshold: probability above which a prediction is trained on.

    Returns:
        this process's share of the loss, and of the terms to log: the loss, the consistency term,
        and the share of pixels that are sure, (3,).
    """
    strong, weak = batch.sizes
    views_B3HW = batch.images[strong:]
    with torch.no_grad():
        known_BCHW = _full_size(teacher(normalise(views_B3HW)), batch, geometry)
    labels_BHW = pseudo_labels(known_BCHW, batch.masks[strong:], threshold)
    copies_B3HW, labels_BHW = strong_copies(views_B3HW, labels_BHW, batch.items[strong:])
    # The copies go through the strong branch, so they follow the strong images.
    images_B3HW = torch.cat([batch.images[:strong], copies_B3HW, views_B3HW])
    logits_BChw = forward(normalise(images_B3HW), (strong + weak, weak))
    of_strong, of_copies, of_weak = logits_BChw.split([strong, weak, weak])
    term, sure = consistency_loss(_full_size(of_copies, batch, geometry), labels_BHW)
    masked_BCHW = _full_size(torch.cat([of_strong, of_weak]), batch, geometry)
    loss = masks_loss(masked_BCHW, batch) + weight * term
    return loss, torch.stack([loss, term, sure])


def masks_loss(logits_BCHW: Tensor, batch: Batch) -> Tensor:
    """Eq. 3 on a batch's masks, each pixel weighted by its confidence where that counts."""
    weight_BHW = None if batch.sure is None else batch.sure / SURE
    return segmentation_loss(logits_BCHW, batch.masks.long(), batch.sizes, weight_BHW)


def _full_size(logits_BChw: Tensor, batch: Batch, geometry: Geometry) -> Tensor:
    """Logits at the size of the batch's masks, (B, C, H, W)."""
    return upsample(logits_BChw, (batch.masks.shape[-2], batch.masks.shape[-1]), geometry)
