"""DSRG's losses. Shape legend: B batch, C classes (0 = background), h w grid."""

import torch
from torch import Tensor

from pipeline.data.seeds import UNSEEDED

FLOOR = 1e-4  # no probability is below this, the network's or the CRF's


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
    # Each kind by its own count, or the many background seeds would drown the objects'.
    for kind_Bhw in (seeds_Bhw == 0, (seeds_Bhw != 0) & (seeds_Bhw != UNSEEDED)):
        chosen_B = (log_Bhw * kind_Bhw).sum(dim=(1, 2))
        loss_B = loss_B - chosen_B / kind_Bhw.sum(dim=(1, 2)).clamp(min=1)
    return loss_B.mean()


def boundary_loss(p_BChw: Tensor, q_BChw: Tensor) -> Tensor:
    """Constrain-to-boundary loss: KL from the CRF's posterior q to the network's p.

    DSRG clips the ratio q/p to 0.05..20. q is a target: no gradient flows into it.

    Args:
        p_BChw: probabilities, floored.
        q_BChw: CRF posterior, floored; what falls to missing classes (`refine`) is left out.

    Returns:
        scalar tensor, mean over batch and pixels.
    """
    q_BChw = q_BChw.detach()
    q_BChw = q_BChw / q_BChw.sum(dim=1, keepdim=True)
    ratio_BChw = (q_BChw / p_BChw).clamp(0.05, 20.0)
    return (q_BChw * ratio_BChw.log()).sum(dim=1).mean()
