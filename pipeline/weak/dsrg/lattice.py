"""Dense-CRF mean field in time linear in the pixels, on permutohedral lattices.

Gaussian filtering after Adams, Baek & Davis (Eurographics 2010), used for mean field as in
Krähenbühl & Koltun (NIPS 2011, §3). Pixels are embedded among the integer points of zero coordinate
sum; each spreads its values over the corners of its simplex (splat), the occupied points are
blurred along the lattice axes, and pixels read back (slice). All of it is sorting, gathering and
segment sums of torch, the same code on CPU and NVIDIA GPU. Apple's lack these sums: the CPU works
for them.

Shape legend: B images, D feature dimensions, S = D + 1 simplex corners and lattice axes, N pixels
of all images, V occupied lattice points, E = N * S splat entries, C classes, H rows, W columns.
"""

import functools
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.devices.device import without_mps
from pipeline.weak.dsrg.crf import CHANNELS, CrfWeights, check_fit
from pipeline.weak.dsrg.permutohedral import (
    barycentric,
    corner_keys,
    elevate,
    enclosing_simplex,
    find_neighbours,
)

# Pixels: with a position width below this, no two pixels touch a lattice point in common, nor
# neighbouring ones, and the exact kernel gives a pixel beside less than 0.001.
ALONE = 0.26


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
        splat: V x N, barycentric weights of the pixels around each lattice point, and a last row
            without entries: the value of points that are not occupied.
        blur: for each axis, half a point's neighbours added to it; (V + 1) x (V + 1).
        slice: N x (V + 1), the weights of splat by pixel.
    """

    splat: SparseRows
    blur: tuple[SparseRows, ...]
    slice: SparseRows

    @classmethod
    def build(cls, features_DN: Tensor, image_N: Tensor | None = None) -> "Lattice":
        """Embed features and index the lattice points they touch.

        Args:
            features_DN: features in units of the kernel's standard deviation, float32.
            image_N: which image each pixel belongs to, ascending from 0; None where it is one.

        Returns:
            the lattice, on the device of the features.

        Raises:
            ValueError: if the features span more lattice cells than a 64-bit key can name.
        """
        origin_SN, rank_SN, residual_SN = enclosing_simplex(elevate(features_DN))
        weight_E = _rows(barycentric(residual_SN, rank_SN)).flatten()
        key_SN, place_S = corner_keys(origin_SN, rank_SN, image_N)
        S, N = key_SN.shape
        # Sorted by lattice point, splatting becomes a sum over rows; stable, so that sums repeat.
        sorted_E, order_E = _rows(key_SN).flatten().sort(stable=True)
        key_V, point_E, count_V = torch.unique_consecutive(
            sorted_E, return_inverse=True, return_counts=True
        )
        pixel_E = order_E.int().div_(S, rounding_mode="floor")
        start_V = F.pad(count_V.cumsum(0), (1, 0)).int()
        start_V = torch.cat([start_V, start_V[-1:]])  # the row of what is not occupied
        # Slicing reads the same weights by pixel instead of by point.
        corner_E = torch.empty_like(pixel_E).scatter_(0, order_E, point_E.int())
        start_N = torch.arange(0, S * N + 1, S, dtype=torch.int32, device=key_V.device)
        splat = SparseRows(pixel_E, weight_E.index_select(0, order_E), start_V)
        slice_ = SparseRows(corner_E, weight_E, start_N)
        return cls(splat, _blur_rows(find_neighbours(key_V, place_S)), slice_)

    def filter(self, values_NC: Tensor) -> Tensor:
        """Splat, blur and slice.

        Args:
            values_NC: values to filter, float32, contiguous.

        Returns:
            their Gaussian sums, shape (N, C), times a constant that `normalised` cancels.
        """
        point_VC = self.splat.times(values_NC)
        # One axis after the other: the axes' kernels multiply to a Gaussian.
        for axis in self.blur:
            point_VC = axis.times(point_VC)
        return self.slice.times(point_VC)

    def normalised(self, weight: float) -> "Lattice":
        """A lattice whose `filter` is weight * N^-1/2 k N^-1/2 with N = k 1."""
        ones_N = self.slice.weight_E.new_ones(len(self.slice.start_R) - 1)
        scale_N = self.filter(ones_N[:, None])[:, 0].rsqrt()
        # Folded into the weights, so that filtering costs no more than before.
        splat_E = self.splat.weight_E * scale_N.index_select(0, self.splat.column_E)
        slice_NS = self.slice.weight_E.view(len(scale_N), -1) * (weight * scale_N[:, None])
        return replace(
            self,
            splat=replace(self.splat, weight_E=splat_E),
            slice=replace(self.slice, weight_E=slice_NS.flatten()),
        )


@torch.no_grad()
def lattice_crf(unary_BCHW: Tensor, image_B3HW: Tensor, weights: CrfWeights) -> Tensor:
    """Refine a batch of class maps with the fully connected CRF.

    The mean field of `pipeline.weak.dsrg.crf.dense_crf` in time N * C instead of N^2 * C. The
    images of a batch lie on one lattice side by side, which saves small images most of the calls.

    Args:
        unary_BCHW: energies, lower is likelier.
        image_B3HW: grey levels 0..255, same size and device.
        weights: position widths in pixels.

    Returns:
        posterior marginals, float32, shape (B, C, H, W). No gradient.

    Raises:
        ValueError: if the shapes do not belong together, or the widths are so narrow that the
            image spans more lattice cells than a 64-bit key can name.
    """
    home = without_mps(unary_BCHW.device)
    if home != unary_BCHW.device:
        return lattice_crf(unary_BCHW.to(home), image_B3HW.to(home), weights).to(unary_BCHW.device)
    B, C, H, W = unary_BCHW.shape
    check_fit(unary_BCHW, image_B3HW)
    place_2N, image_N = _positions(B, H, W, unary_BCHW.device)
    colour_3N = image_B3HW.float().transpose(0, 1).reshape(CHANNELS, -1)
    features_5N = torch.cat([place_2N / weights.theta_alpha, colour_3N / weights.theta_beta])
    # Colours differ by image, so this lattice is built each time; that of positions is cached.
    appearance = Lattice.build(features_5N, image_N).normalised(weights.bilateral)
    score_NC = -_rows(unary_BCHW.float().transpose(0, 1).reshape(C, -1))
    q_NC = _softmax(score_NC)
    for _ in range(weights.iterations):
        message_NC = appearance.filter(q_NC) + _smooth(q_NC, (B, H, W), weights)
        q_NC = _softmax(score_NC + message_NC)
    return q_NC.view(B, H, W, C).permute(0, 3, 1, 2)


def _smooth(q_NC: Tensor, size: tuple[int, int, int], weights: CrfWeights) -> Tensor:
    """The smoothness kernel's message, (N, C), for B images of H x W pixels."""
    if weights.theta_gamma < ALONE:
        return weights.gaussian * q_NC
    return _smoothness(size, weights.theta_gamma, weights.gaussian, q_NC.device).filter(q_NC)


@functools.lru_cache(maxsize=4)
def _smoothness(
    size: tuple[int, int, int], theta: float, weight: float, device: torch.device
) -> Lattice:
    """Lattice over positions alone, cached because the images of a data set share few sizes."""
    place_2N, image_N = _positions(*size, device)
    return Lattice.build(place_2N / theta, image_N).normalised(weight)


def _positions(batch: int, height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Column and row of each pixel, float32, shape (2, N); the number of its image, (N,)."""
    pixel_N = torch.arange(height * width, device=device)
    place_2N = torch.stack([pixel_N % width, pixel_N.div(width, rounding_mode="floor")]).float()
    image_N = torch.arange(batch, device=device).repeat_interleave(height * width)
    return place_2N.repeat(1, batch), image_N


def _blur_rows(neighbour_2SV: Tensor) -> tuple[SparseRows, ...]:
    """One axis after the other: a point, plus half of the two points beside it."""
    _, S, V = neighbour_2SV.shape
    own_SV = torch.arange(V, dtype=torch.int32, device=neighbour_2SV.device).expand(1, S, V)
    column_S3V = torch.cat([own_SV, neighbour_2SV]).transpose(0, 1)
    # The added row is the value of points that are not occupied: it stays 0.
    column_SE = F.pad(column_S3V, (0, 1), value=V).transpose(1, 2).flatten(start_dim=1)
    weight_E = column_SE.new_tensor([1.0, 0.5, 0.5], dtype=torch.float32).repeat(V + 1)
    start_V = torch.arange(0, 3 * V + 4, 3, dtype=torch.int32, device=neighbour_2SV.device)
    return tuple(SparseRows(column_E, weight_E, start_V) for column_E in column_SE)


def _softmax(score_NC: Tensor) -> Tensor:
    """Softmax of each row; over a handful of columns torch's own takes ten times as long."""
    if score_NC.shape[1] >= 16:
        return score_NC.softmax(dim=1)
    return _rows(score_NC.t().contiguous().softmax(dim=0))


def _rows(values_CN: Tensor) -> Tensor:
    """Contiguous (N, C) transpose; for few rows `stack` takes an eighth of `contiguous`'s time."""
    return torch.stack(values_CN.unbind(0), dim=1)
