"""Dense-CRF mean field for full-resolution images, on permutohedral lattices.

Gaussian filtering after Adams, Baek & Davis (Eurographics 2010), used for mean field as in
Krähenbühl & Koltun (NIPS 2011, §3). Pixels are embedded among the integer points of zero coordinate
sum; each spreads its values over the corners of its simplex (splat), the occupied points are
blurred along the lattice axes, and pixels read back (slice). All of it is sorting, gathering and
segment sums of torch, the same code on CPU and GPU.

Shape legend: D feature dimensions, S = D + 1 simplex corners and lattice axes, N pixels, V occupied
lattice points, E = N * S splat entries, C classes, H rows, W columns.
"""

import functools
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.crf import CHANNELS, CrfWeights
from pipeline.permutohedral import (
    barycentric,
    corner_keys,
    elevate,
    enclosing_simplex,
    find_neighbours,
)


@dataclass(frozen=True)
class SparseRows:
    """Compressed sparse rows; R rows, E entries.

    Attributes:
        column_E: column of each entry, row by row, int32.
        weight_E: its weight.
        start_R: first entry of each row, then the total, int32, shape (R + 1,).
    """

    column_E: Tensor
    weight_E: Tensor
    start_R: Tensor

    def times(self, values: Tensor) -> Tensor:
        """Product with dense values, (columns, C) to (R, C).

        A bag sum: one reader adds up each output row in order, without atomics, so that results
        repeat to the bit. (Sparse tensors are as fast but still in beta.)
        """
        return F.embedding_bag(
            self.column_E,
            values,
            self.start_R,
            mode="sum",
            per_sample_weights=self.weight_E,
            include_last_offset=True,
        )


@dataclass(frozen=True)
class Lattice:
    """Permutohedral lattice of one set of feature vectors, ready to filter values.

    Attributes:
        splat: V x N, barycentric weights of the pixels around each lattice point.
        slice: N x V, the same weights by pixel.
        neighbour_2SV: from `find_neighbours`.
    """

    splat: SparseRows
    slice: SparseRows
    neighbour_2SV: Tensor

    @classmethod
    def build(cls, features_DN: Tensor) -> "Lattice":
        """Embed features and index the lattice points they touch.

        Args:
            features_DN: features in units of the kernel's standard deviation, float32.

        Returns:
            the lattice, on the device of the features.

        Raises:
            ValueError: if the features span more lattice cells than a 64-bit key can name.
        """
        origin_SN, rank_SN, residual_SN = enclosing_simplex(elevate(features_DN))
        weight_E = _rows(barycentric(residual_SN, rank_SN)).flatten()
        key_SN, place_S = corner_keys(origin_SN, rank_SN)
        S, N = key_SN.shape
        sorted_E, order_E = _rows(key_SN).flatten().sort(stable=True)
        key_V, point_E, count_V = torch.unique_consecutive(
            sorted_E, return_inverse=True, return_counts=True
        )
        pixel_E = order_E.int().div_(S, rounding_mode="floor")
        start_V = F.pad(count_V.cumsum(0), (1, 0)).int()
        corner_E = torch.empty_like(pixel_E).scatter_(0, order_E, point_E.int())
        start_N = torch.arange(0, S * N + 1, S, dtype=torch.int32, device=key_V.device)
        splat = SparseRows(pixel_E, weight_E.index_select(0, order_E), start_V)
        slice_ = SparseRows(corner_E, weight_E, start_N)
        return cls(splat, slice_, find_neighbours(key_V, place_S))

    def filter(self, values_NC: Tensor) -> Tensor:
        """Splat, blur and slice.

        Args:
            values_NC: values to filter, float32, contiguous.

        Returns:
            their Gaussian sums, shape (N, C), times a constant that `normalised` cancels.
        """
        point_VC = F.pad(self.splat.times(values_NC), (0, 0, 0, 1))  # + what is not occupied: 0
        for ahead_V, behind_V in self.neighbour_2SV.unbind(dim=1):
            around_VC = point_VC.index_select(0, ahead_V) + point_VC.index_select(0, behind_V)
            point_VC[:-1].add_(around_VC, alpha=0.5)
        return self.slice.times(point_VC)

    def normalised(self, weight: float) -> "Lattice":
        """A lattice whose `filter` is weight * N^-1/2 k N^-1/2 with N = k 1."""
        ones_N = self.slice.weight_E.new_ones(len(self.slice.start_R) - 1)
        scale_N = self.filter(ones_N[:, None])[:, 0].rsqrt()
        splat_E = self.splat.weight_E * scale_N.index_select(0, self.splat.column_E)
        slice_NS = self.slice.weight_E.view(len(scale_N), -1) * (weight * scale_N[:, None])
        return replace(
            self,
            splat=replace(self.splat, weight_E=splat_E),
            slice=replace(self.slice, weight_E=slice_NS.flatten()),
        )


@torch.no_grad()
def lattice_crf(unary_CHW: Tensor, image_3HW: Tensor, weights: CrfWeights) -> Tensor:
    """Refine one full-resolution class map with the fully connected CRF.

    The mean field of `pipeline.crf.dense_crf` in time N * C instead of N^2 * C.

    Args:
        unary_CHW: energies, lower is likelier.
        image_3HW: grey levels 0..255, same size and device.
        weights: position widths in pixels.

    Returns:
        posterior marginals, float32, shape (C, H, W). No gradient.

    Raises:
        ValueError: if the shapes do not belong together, or the widths are so narrow that the
            image spans more lattice cells than a 64-bit key can name.
    """
    C, H, W = unary_CHW.shape
    if image_3HW.shape != (CHANNELS, H, W):
        unary, image = tuple(unary_CHW.shape), tuple(image_3HW.shape)
        raise ValueError(f"unary with shape {unary} does not fit image with shape {image}")
    place_2N = _positions(H, W, unary_CHW.device) / weights.theta_alpha
    colour_3N = image_3HW.float().reshape(CHANNELS, H * W) / weights.theta_beta
    appearance = Lattice.build(torch.cat([place_2N, colour_3N])).normalised(weights.bilateral)
    smoothness = _smoothness(H, W, weights.theta_gamma, weights.gaussian, unary_CHW.device)
    score_CN = -unary_CHW.float().reshape(C, H * W)
    q_CN = score_CN.softmax(dim=0)
    for _ in range(weights.iterations):
        q_NC = _rows(q_CN)
        message_NC = appearance.filter(q_NC) + smoothness.filter(q_NC)
        q_CN = (score_CN + message_NC.t()).softmax(dim=0)
    return q_CN.reshape(C, H, W)


@functools.lru_cache(maxsize=4)
def _smoothness(
    height: int, width: int, theta: float, weight: float, device: torch.device
) -> Lattice:
    """Lattice over positions alone, cached because the images of a data set share few sizes."""
    return Lattice.build(_positions(height, width, device) / theta).normalised(weight)


def _positions(height: int, width: int, device: torch.device) -> Tensor:
    """Column and row of each pixel, float32, shape (2, N)."""
    pixel_N = torch.arange(height * width, device=device)
    return torch.stack([pixel_N % width, pixel_N.div(width, rounding_mode="floor")]).float()


def _rows(values_CN: Tensor) -> Tensor:
    """Contiguous (N, C) transpose; for few rows `stack` takes an eighth of `contiguous`'s time."""
    return torch.stack(values_CN.unbind(0), dim=1)
