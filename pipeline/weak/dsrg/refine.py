"""The CRF that decides what grows (DSRG §3.2 as released).

Shape legend: B batch, C classes with background at 0, h w grid.
"""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from pipeline.settings.params import Crf
from pipeline.weak.dsrg.crf import CrfWeights, dense_crf
from pipeline.weak.dsrg.lattice import lattice_crf
from pipeline.weak.dsrg.losses import FLOOR

CALIBRATED_FOR = 21  # classes the CRF's weights were chosen for, VOC's


def crf_weights(crf: Crf, classes: int) -> CrfWeights:
    """The training CRF's weights; above 21 classes they grow with their number.

    DSRG feeds the CRF -p. Its mean field starts to move only where the pairwise weight over the
    number of classes outdoes the softmax's slope: at 21 classes from p of about 0.3, at 81 (COCO)
    never, unless the weights grow alike (docs/choices.md).
    """
    scale = max(1.0, classes / CALIBRATED_FOR)
    weights = CrfWeights(**crf.model_dump())
    return replace(weights, bilateral=weights.bilateral * scale, gaussian=weights.gaussian * scale)


def refine(p_BChw: Tensor, image_B3hw: Tensor, weights: CrfWeights, *, exact: bool) -> Tensor:
    """CRF posterior of probabilities under the unary -p, behind the gate of 21 classes.

    Over the permutohedral lattice, as in DSRG's released code, or with the exact kernel, which is
    one matrix product: on a GPU or on a small grid that is faster, and labels differ a little.

    With fewer classes the same weights would let every pixel pass at once, so the missing ones
    are added with probability 0 and what falls to them is lost, like an untagged class's share.

    Returns:
        tensor with shape (B, C, h, w), floored and renormalised over all classes with the missing.
    """
    classes = p_BChw.shape[1]
    phantoms = max(0, CALIBRATED_FOR - classes)
    unary_BChw = F.pad(-p_BChw, (0, 0, 0, 0, 0, phantoms))
    solve = dense_crf if exact else lattice_crf
    # Before thresholds and losses alike, as released.
    q_BChw = solve(unary_BChw, image_B3hw, weights).clamp(min=FLOOR)
    return (q_BChw / q_BChw.sum(dim=1, keepdim=True))[:, :classes]
