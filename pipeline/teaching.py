"""What a branch is taught by a batch: Eq. 3 on the masks it owns, and consistency where planned.

Shape legend: B batch, C classes, H W image, h w grid.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.augment import normalise
from pipeline.consistency import consistency_loss, pseudo_labels, strong_copies
from pipeline.forward import Forward, precisely, share_of
from pipeline.losses import segmentation_loss
from pipeline.network import DualBranchNet, upsample
from pipeline.params import Params
from pipeline.plan import Plan
from pipeline.sampling import SURE, Batch


def branch_losses(
    forward: Forward, scored: DualBranchNet, params: Params, plan: Plan
) -> tuple[Callable[[Batch], tuple[Tensor, Tensor]], tuple[str, ...]]:
    """The loss of a batch whose parts each branch owns (Eq. 3), and consistency where planned.

    Args:
        forward: the network's forward pass, as `forward.prepare` returns it.
        scored: the network, or its average where there is one: the teacher of consistency.
        params: all of params.yaml.
        plan: the variant's plan.

    Raises:
        UserError: a part has fewer images than there are processes.

    Returns:
        function from a batch to this process's share of the loss and of what is to be logged; and
        the names of the latter.
    """
    crop, geometry = params.train.crop, scored.backbone.geometry
    weight = plan.extras.consistency_weight or 0.0
    threshold = plan.extras.consistency_threshold or 0.0
    share_of("train.batch_size", smallest_part(params, plan))
    teacher = precisely(scored, params.engine)

    def full_size(logits_BChw: Tensor) -> Tensor:
        return upsample(logits_BChw, (crop, crop), geometry)

    def plain(batch: Batch) -> tuple[Tensor, Tensor]:
        logits_BCHW = full_size(forward(normalise(batch.images), batch.sizes))
        loss = taught_loss(logits_BCHW, batch)
        return loss, loss[None]

    def consistent(batch: Batch) -> tuple[Tensor, Tensor]:
        strong, weak = batch.sizes
        views_B3HW, own = batch.images[strong:], (strong + weak, weak)
        with torch.no_grad():
            known_BCHW = full_size(teacher(normalise(views_B3HW)))
        labels_BHW = pseudo_labels(known_BCHW, batch.masks[strong:], threshold)
        copies_B3HW, labels_BHW = strong_copies(views_B3HW, labels_BHW, batch.items[strong:])
        # The copies go through the strong branch, so they stand behind the strong images.
        images_B3HW = torch.cat([batch.images[:strong], copies_B3HW, views_B3HW])
        parts = forward(normalise(images_B3HW), own).split([strong, weak, weak])
        term, sure = consistency_loss(full_size(parts[1]), labels_BHW)
        taught_BCHW = full_size(torch.cat([parts[0], parts[2]]))
        loss = taught_loss(taught_BCHW, batch) + weight * term
        return loss, torch.stack([loss, term, sure])

    return (consistent, ("loss", "consistency", "sure")) if weight else (plain, ("loss",))


def taught_loss(logits_BCHW: Tensor, batch: Batch) -> Tensor:
    """Eq. 3 on a batch's masks, each pixel weighted by its confidence where that counts."""
    weight_BHW = None if batch.sure is None else batch.sure / SURE
    return segmentation_loss(logits_BCHW, batch.masks.long(), batch.sizes, weight_BHW)


def smallest_part(params: Params, plan: Plan) -> int:
    """How many images of a batch go through the network together at least."""
    return params.train.batch_size if plan.natural else min(part_sizes(params, plan))


def part_sizes(params: Params, plan: Plan) -> tuple[int, ...]:
    """How many images of a batch each branch owns."""
    return tuple(params.train.batch_size // len(plan.streams) for _ in plan.streams)
