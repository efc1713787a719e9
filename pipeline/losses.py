"""Loss terms. Shape legend: B batch, C classes (0 = background), H W image, h w grid."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import in_order
from pipeline.distributed import total
from pipeline.growing import UNSEEDED
from pipeline.manifest import IGNORE

FLOOR = 1e-4  # DSRG: no probability falls below this before logarithms are taken


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
    weight_BHW = torch.where(target_BHW == IGNORE, 0.0, weight_BHW)
    weights = total(torch.stack([part.sum() for part in torch.split(weight_BHW, list(sizes))]))
    loss_BHW = F.cross_entropy(logits_BCHW, target_BHW, ignore_index=IGNORE, reduction="none")
    parts = torch.split(weight_BHW * loss_BHW, list(sizes))
    least = torch.finfo(weights.dtype).tiny  # a part without weight is 0, not 0 / 0
    return (torch.stack([part.sum() for part in parts]) / weights.clamp(min=least)).sum()


def floored_softmax(logits_BChw: Tensor) -> Tensor:
    """Softmax, plus 1e-4, renormalised: the probabilities DSRG works on throughout."""
    p_BChw = logits_BChw.float().softmax(dim=1) + FLOOR
    return p_BChw / p_BChw.sum(dim=1, keepdim=True)


def seeding_loss(p_BChw: Tensor, seeds_Bhw: Tensor) -> Tensor:
    """Balanced seeding loss (DSRG Eq. 2): background and foreground normalised separately.

    All object classes share one normaliser; an image without seeds of a kind adds 0 for it.

    Args:
        p_BChw: probabilities, floored.
        seeds_Bhw: class indices, 255 = no seed.

    Returns:
        scalar tensor, mean over the batch.
    """
    index_Bhw = torch.where(seeds_Bhw == UNSEEDED, 0, seeds_Bhw).to(torch.int64)
    log_Bhw = p_BChw.gather(1, index_Bhw[:, None]).squeeze(1).log()
    loss_B = torch.zeros_like(log_Bhw[:, 0, 0])
    for kind_Bhw in (seeds_Bhw == 0, (seeds_Bhw != 0) & (seeds_Bhw != UNSEEDED)):
        chosen_B = (log_Bhw * kind_Bhw).sum(dim=(1, 2))
        loss_B = loss_B - chosen_B / kind_Bhw.sum(dim=(1, 2)).clamp(min=1)
    return loss_B.mean()


def boundary_loss(p_BChw: Tensor, q_BChw: Tensor) -> Tensor:
    """Constrain-to-boundary loss: KL from the CRF's posterior q to the network's p.

    DSRG clips the ratio q/p to 0.05..20. q is a target: no gradient flows into it.

    Args:
        p_BChw: probabilities, floored.
        q_BChw: CRF posterior.

    Returns:
        scalar tensor, mean over batch and pixels.
    """
    q_BChw = q_BChw.detach().clamp(min=FLOOR)
    q_BChw = q_BChw / q_BChw.sum(dim=1, keepdim=True)
    ratio_BChw = (q_BChw / p_BChw).clamp(0.05, 20.0)
    return (q_BChw * ratio_BChw.log()).sum(dim=1).mean()
