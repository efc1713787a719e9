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
import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.crf import CHANNELS, CrfWeights


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


def elevate(features_DN: Tensor) -> Tensor:
    """Embed features isometrically, up to a factor, among points of zero coordinate sum.

    Adams et al., §3. The factor S * sqrt(2/3) gives splat, blur and slice together unit standard
    deviation in feature space.

    Args:
        features_DN: features in units of the kernel's standard deviation.

    Returns:
        coordinates with shape (S, N), in which lattice points are integer.
    """
    D, N = features_DN.shape
    elevated_SN = features_DN.new_empty(D + 1, N)
    suffix_N = features_DN.new_zeros(N)
    for i in range(D, 0, -1):
        scaled_N = features_DN[i - 1] * ((D + 1) * math.sqrt(2 / 3) / math.sqrt(i * (i + 1)))
        elevated_SN[i] = suffix_N - i * scaled_N
        suffix_N = suffix_N + scaled_N
    elevated_SN[0] = suffix_N
    return elevated_SN


def enclosing_simplex(elevated_SN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The simplex each point falls in (Adams et al., §3.2).

    Args:
        elevated_SN: from `elevate`.

    Returns:
        the corner whose coordinates are multiples of S, divided by S (int32); the rank of each
        coordinate's residual, 0 the largest (int64); that residual divided by S. All (S, N).
    """
    S = elevated_SN.shape[0]
    origin_SN = torch.round(elevated_SN / S)
    residual_SN = elevated_SN - origin_SN * S
    # Rounding left the zero-sum plane by this many multiples of S; shifted ranks step back to it.
    rank_SN = origin_SN.sum(dim=0).int().repeat(S, 1)
    for i in range(S):
        rank_SN[i + 1 :] += residual_SN[i] >= residual_SN[i + 1 :]
        rank_SN[:i] += residual_SN[i] > residual_SN[:i]
    step_SN = (rank_SN < 0).int() - (rank_SN >= S).int()
    rank_SN += S * step_SN
    return origin_SN.int() + step_SN, rank_SN.long(), residual_SN / S - step_SN


def barycentric(residual_SN: Tensor, rank_SN: Tensor) -> Tensor:
    """Barycentric weight of corners 0..D, shape (S, N) (Adams et al., Prop. 3).

    Args:
        residual_SN: from `enclosing_simplex`.
        rank_SN: likewise.

    Returns:
        weights with shape (S, N), summing to 1 for each point.
    """
    sorted_SN = torch.empty_like(residual_SN).scatter_(0, rank_SN, residual_SN)
    first_N = 1 + sorted_SN[-1] - sorted_SN[0]
    return torch.cat([first_N[None], (sorted_SN[:-1] - sorted_SN[1:]).flip(0)])


def corner_keys(origin_SN: Tensor, rank_SN: Tensor) -> tuple[Tensor, Tensor]:
    """Name each simplex corner by one integer.

    Corner k adds k to every coordinate of corner 0 and takes S off the k ranked last. All its
    coordinates leave remainder k modulo S, so key = S * (their quotients as digits) + k.

    Args:
        origin_SN: from `enclosing_simplex`.
        rank_SN: likewise.

    Returns:
        keys of corners 0..D with shape (S, N); place value of each coordinate's digit, (S,).

    Raises:
        ValueError: if the points span more cells than a 64-bit key can name.
    """
    S = origin_SN.shape[0]
    # Corners go one below corner 0; a spare digit keeps neighbours beyond a border from aliasing.
    low_D = origin_SN[:-1].amin(dim=1) - 1
    widths = (origin_SN[:-1].amax(dim=1) - low_D + 2).tolist()
    cells = S * math.prod(widths)
    if cells >= 2**62:
        raise ValueError(f"features span {cells} lattice cells; widen the kernel")
    # The last coordinate follows from the zero sum. 32-bit keys sort in half the time.
    places = [math.prod(widths[:i]) for i in range(S - 1)] + [0]
    place_S = origin_SN.new_tensor(places, dtype=torch.int32 if cells < 2**31 else torch.int64)
    digit_DN = origin_SN[:-1] - low_D[:, None]
    packed_N = (digit_DN * place_S[:-1, None]).sum(dim=0, dtype=place_S.dtype)
    ranked_SN = torch.empty_like(rank_SN, dtype=place_S.dtype)
    ranked_SN.scatter_(0, rank_SN, place_S[:, None].expand_as(rank_SN))
    taken_SN = ranked_SN.flip(0).cumsum(0, dtype=place_S.dtype).roll(1, 0)
    taken_SN[0] = 0
    k_S = torch.arange(S, dtype=place_S.dtype, device=place_S.device)
    return S * (packed_N - taken_SN) + k_S[:, None], place_S


def find_neighbours(key_V: Tensor, place_S: Tensor) -> Tensor:
    """Both neighbours of each occupied lattice point along each axis.

    One step along axis j adds 1 to every coordinate and takes S off coordinate j.

    Args:
        key_V: sorted unique keys.
        place_S: from `corner_keys`.

    Returns:
        indices of the points one step ahead and one behind, int32, shape (2, S, V); V where that
        point is not occupied.
    """
    V, S = key_V.numel(), place_S.numel()
    step_S1 = 1 - S * place_S[:, None]
    carry = S * (place_S.sum().to(key_V.dtype) - 1)  # remainder D -> 0: every quotient gains 1
    wanted_SV = key_V + torch.where(key_V % S == S - 1, step_S1 + carry, step_S1)
    found_SV = torch.searchsorted(key_V, wanted_SV, out_int32=True)
    occupied_SV = key_V[found_SV.clamp(max=V - 1)] == wanted_SV
    ahead_SV = torch.where(occupied_SV, found_SV, V)
    point_SV = torch.arange(V, dtype=torch.int32, device=key_V.device).expand(S, V)
    behind_SV = ahead_SV.new_full((S, V + 1), V).scatter_(1, ahead_SV.long(), point_SV)
    return torch.stack([ahead_SV, behind_SV[:, :V]])


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
