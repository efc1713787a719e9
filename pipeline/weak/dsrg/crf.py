"""Exact dense-CRF mean field for small grids, batched, on the network's own device.

DSRG refines its 41x41 softmax with a fully connected CRF (Krähenbühl & Koltun, NIPS 2011) in every
training step. At that size the pairwise kernel is a 1681x1681 matrix and needs no approximate
filter. Full-resolution images, and large grids on a CPU, go to `pipeline.weak.dsrg.lattice`.

Shape legend: B batch, C classes, H rows, W columns, N = H * W pixels.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

CHANNELS = 3


@dataclass(frozen=True)
class CrfWeights:
    """Pairwise weights and kernel widths (Krähenbühl & Koltun, Eq. 3).

    The defaults are what SEC and DSRG use on full-resolution images.

    Attributes:
        bilateral: weight of the appearance kernel (position and colour).
        gaussian: weight of the smoothness kernel (position only).
        theta_alpha: position width of the appearance kernel, px.
        theta_beta: colour width of the appearance kernel, grey levels of 0..255.
        theta_gamma: position width of the smoothness kernel, px.
        iterations: mean-field updates; 0 leaves softmax(-U).

    Raises:
        ValueError: if a width is not positive.
    """

    bilateral: float = 10.0
    gaussian: float = 3.0
    theta_alpha: float = 80.0
    theta_beta: float = 13.0
    theta_gamma: float = 3.0
    iterations: int = 10

    def __post_init__(self) -> None:
        """Reject widths whose kernels would be NaN."""
        if not min(self.theta_alpha, self.theta_beta, self.theta_gamma) > 0:
            raise ValueError(f"kernel widths must be positive: {self}")


@torch.no_grad()
def pairwise_matrix(image_B3HW: Tensor, weights: CrfWeights) -> Tensor:
    """Both weighted, normalised Gaussian kernels of every image, merged into one matrix.

    Krähenbühl & Koltun, Eq. 3. The paper sums over j != i; the diagonal is kept here, as in the
    authors' code and all masks made with it. Each kernel is normalised before the weighted sum.

    Args:
        image_B3HW: grey levels 0..255, any channel order.
        weights: position widths in pixels of this grid.

    Returns:
        symmetric float32 kernel with shape (B, N, N), on the image's device.

    Raises:
        ValueError: if the image does not have shape (B, 3, H, W).
    """
    if image_B3HW.ndim != 4 or image_B3HW.shape[1] != CHANNELS:
        raise ValueError(f"image must have shape (B, 3, H, W), got {tuple(image_B3HW.shape)}")
    B, _, H, W = image_B3HW.shape
    pixel_N = torch.arange(H * W, device=image_B3HW.device)
    row_N = pixel_N.div(W, rounding_mode="floor").float()
    column_N = (pixel_N % W).float()
    # Positions are the same in every image of a batch, so their part is computed once.
    place_NN = _squared_differences(row_N).add_(_squared_differences(column_N))
    smooth_NN = (place_NN * (-0.5 / weights.theta_gamma**2)).exp_()
    # Normalised on both sides: a pixel at the border, with fewer neighbours, weighs as much.
    smooth_NN = _normalise_(smooth_NN, weights.gaussian)
    # In place: N x N matrices are the largest thing here.
    place_NN *= -0.5 / weights.theta_alpha**2
    # With this factor squared differences of colours are the exponent itself.
    colour_B3N = image_B3HW.float().reshape(B, CHANNELS, H * W) * (
        math.sqrt(0.5) / weights.theta_beta
    )
    kernel_BNN = colour_B3N.new_empty(B, H * W, H * W)
    # One image at a time fits a CPU's cache (twice as fast) and needs no temporary of B images.
    for kernel_NN, colour_3N in zip(kernel_BNN, colour_B3N, strict=True):
        kernel_NN.copy_(place_NN)
        for colour_N in colour_3N:
            kernel_NN.sub_(_squared_differences(colour_N))
        _normalise_(kernel_NN.exp_(), weights.bilateral).add_(smooth_NN)
    return kernel_BNN


@torch.no_grad()
def mean_field(unary_BCN: Tensor, kernel_BNN: Tensor, iterations: int) -> Tensor:
    """Parallel mean-field updates with Potts compatibility (Krähenbühl & Koltun, Alg. 1).

    Q0 = softmax(-U), then Q <- softmax(-U + Q K): under Potts only the same-label message
    matters, the others being constant over the classes of a pixel.

    Args:
        unary_BCN: energies, lower is likelier.
        kernel_BNN: from `pairwise_matrix`.
        iterations: number of updates; 0 returns softmax(-U).

    Returns:
        posterior marginals, float32, shape (B, C, N).
    """
    # Messages reach 13 and are exponentiated, then held against 0.85 and 0.99: the three digits of
    # autocast's half precision are too few for that.
    with torch.autocast(unary_BCN.device.type, enabled=False):
        score_BCN = -unary_BCN.float()
        q_BCN = score_BCN.softmax(dim=1)
        # One product for all classes; the kernel is symmetric, so Q K is K Q.
        for _ in range(iterations):
            q_BCN = torch.baddbmm(score_BCN, q_BCN, kernel_BNN).softmax(dim=1)
        return q_BCN


def dense_crf(unary_BCHW: Tensor, image_B3HW: Tensor, weights: CrfWeights) -> Tensor:
    """Refine a batch of small class maps with the exact fully connected CRF.

    DSRG's released code hands over minus the probabilities as energies while training, which keeps
    a region near uniform until its mean probability is high enough.

    Args:
        unary_BCHW: energies, lower is likelier.
        image_B3HW: grey levels 0..255 on the same grid and device.
        weights: position widths in pixels of this grid.

    Returns:
        posterior marginals, float32, shape (B, C, H, W). No gradient.

    Raises:
        ValueError: if the shapes do not belong together.
    """
    check_fit(unary_BCHW, image_B3HW)
    kernel_BNN = pairwise_matrix(image_B3HW, weights)
    q_BCN = mean_field(unary_BCHW.flatten(start_dim=2), kernel_BNN, weights.iterations)
    return q_BCN.reshape(unary_BCHW.shape)


def check_fit(unary_BCHW: Tensor, image_B3HW: Tensor) -> None:
    """Check that images of three channels belong to the unaries.

    Raises:
        ValueError: if batch or size differ.
    """
    B, _, H, W = unary_BCHW.shape
    if image_B3HW.shape != (B, CHANNELS, H, W):
        unary, image = tuple(unary_BCHW.shape), tuple(image_B3HW.shape)
        raise ValueError(f"unary with shape {unary} does not fit image with shape {image}")


def _squared_differences(values_N: Tensor) -> Tensor:
    """All pairwise squared differences, (N, N).

    Not |a|^2 + |b|^2 - 2ab: a matrix product cancels badly and would obey a TF32 setting.
    """
    return (values_N[:, None] - values_N).square_()


def _normalise_(kernel_NN: Tensor, weight: float) -> Tensor:
    """Turn k into weight * N^-1/2 k N^-1/2, with N the row sums, in place."""
    scale_N = kernel_NN.sum(dim=0).rsqrt()
    return kernel_NN.mul_(scale_N).mul_((weight * scale_N)[:, None])
