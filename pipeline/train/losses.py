"""Loss terms. Shape legend: B batch, C classes (0 = background), H W image, h w grid."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.data.manifest import IGNORE
from pipeline.devices.device import in_order
from pipeline.devices.distributed import total


def segmentation_loss(
    logits_BCHW: Tensor,
    target_BHW: Tensor,
    sizes: tuple[int, ...],
    weight_BHW: Tensor | None = None,
) -> Tensor:
    """Sum over branches of the mean cross entropy of Eq. 2 and Eq. 3, 255 ignored.

    Each branch owns consecutive images of the batch and is averaged over its own labelled pixels,
    so that both terms weigh the same whatever they ignore. Of several processes each gives its
    share: the pixels of all count in the mean, and the shares sum to the loss.

    Args:
        logits_BCHW: logits at the target's size.
        target_BHW: class indices, int64.
        sizes: images of each branch, in order.
        weight_BHW: how much each pixel counts in its branch's mean; None: all alike.

    Returns:
        scalar tensor; a part without a labelled pixel adds 0.
    """
    if weight_BHW is not None:
        return _weighted_loss(logits_BCHW, target_BHW, sizes, weight_BHW)
    targets = torch.split(target_BHW, list(sizes))
    # Counted over all processes: sums divided by the whole batch's count add up to the mean.
    labelled = total(torch.stack([(target != IGNORE).sum() for target in targets])).clamp(min=1)
    sums = [
        summed_cross_entropy(logits, target)
        for logits, target in zip(torch.split(logits_BCHW, list(sizes)), targets, strict=True)
    ]
    return (torch.stack(sums) / labelled).sum()


def summed_cross_entropy(logits_BCHW: Tensor, target_BHW: Tensor) -> Tensor:
    """Sum of the cross entropy over all pixels but those of 255, a scalar.

    On a GPU torch adds the pixels up in any order; where that matters they are summed apart.
    """
    if in_order(logits_BCHW):
        pixels_BHW = F.cross_entropy(logits_BCHW, target_BHW, ignore_index=IGNORE, reduction="none")
        return pixels_BHW.sum()
    return F.cross_entropy(logits_BCHW, target_BHW, ignore_index=IGNORE, reduction="sum")


def _weighted_loss(
    logits_BCHW: Tensor, target_BHW: Tensor, sizes: tuple[int, ...], weight_BHW: Tensor
) -> Tensor:
    # What is ignored must not count in the mean either.
    weight_BHW = torch.where(target_BHW == IGNORE, 0.0, weight_BHW)
    weights = total(torch.stack([part.sum() for part in torch.split(weight_BHW, list(sizes))]))
    loss_BHW = F.cross_entropy(logits_BCHW, target_BHW, ignore_index=IGNORE, reduction="none")
    parts = torch.split(weight_BHW * loss_BHW, list(sizes))
    least = torch.finfo(weights.dtype).tiny  # a part without weight is 0, not 0 / 0
    return (torch.stack([part.sum() for part in parts]) / weights.clamp(min=least)).sum()
