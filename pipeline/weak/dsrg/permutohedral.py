"""Geometry of the permutohedral lattice: where feature vectors lie and which points adjoin.

After Adams, Baek & Davis (Eurographics 2010): the lattice is the integer points of zero coordinate
sum in D + 1 dimensions, its cells are simplices found by rounding and ranking.

Shape legend: D feature dimensions, S = D + 1 simplex corners and lattice axes, N pixels, V occupied
lattice points.
"""

import math

import torch
from torch import Tensor


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
    # From the last axis on, each coordinate needs one sum only: D steps instead of D^2.
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
    # A coordinate's rank is how many residuals are larger; of equal ones the first ranks higher.
    for i in range(S):
        rank_SN[i + 1 :] += residual_SN[i] >= residual_SN[i + 1 :]
        rank_SN[:i] += residual_SN[i] > residual_SN[:i]
    # A rank outside of 0..S-1 belongs to the corner one multiple of S away.
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


def corner_keys(
    origin_SN: Tensor, rank_SN: Tensor, image_N: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Name each simplex corner by one integer.

    Corner k adds k to every coordinate of corner 0 and takes S off the k ranked last. All its
    coordinates leave remainder k modulo S, so key = S * (their quotients as digits) + k.

    Args:
        origin_SN: from `enclosing_simplex`.
        rank_SN: likewise.
        image_N: number of the image each pixel belongs to, ascending; images share no points.

    Returns:
        keys of corners 0..D with shape (S, N); place value of each coordinate's digit, (S,).

    Raises:
        ValueError: if the points span more cells than a 64-bit key can name.
    """
    S = origin_SN.shape[0]
    # Corners go one below corner 0; a spare digit keeps neighbours beyond a border from aliasing.
    low_D = origin_SN[:-1].amin(dim=1) - 1
    widths = (origin_SN[:-1].amax(dim=1) - low_D + 2).tolist()
    images = 1 if image_N is None else int(image_N[-1]) + 1
    cells = S * math.prod(widths) * images
    if cells >= 2**62:
        raise ValueError(f"features span {cells} lattice cells; widen the kernel")
    # The last coordinate follows from the zero sum. 32-bit keys sort in half the time.
    places = [math.prod(widths[:i]) for i in range(S - 1)] + [0]
    place_S = origin_SN.new_tensor(places, dtype=torch.int32 if cells < 2**31 else torch.int64)
    digit_DN = origin_SN[:-1] - low_D[:, None]
    packed_N = (digit_DN * place_S[:-1, None]).sum(dim=0, dtype=place_S.dtype)
    if image_N is not None:
        packed_N += image_N.to(place_S.dtype) * math.prod(widths)
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
    # Keys are sorted, so a neighbour is found by bisection, without a hash table.
    found_SV = torch.searchsorted(key_V, wanted_SV, out_int32=True)
    occupied_SV = key_V[found_SV.clamp(max=V - 1)] == wanted_SV
    ahead_SV = torch.where(occupied_SV, found_SV, V)
    point_SV = torch.arange(V, dtype=torch.int32, device=key_V.device).expand(S, V)
    behind_SV = ahead_SV.new_full((S, V + 1), V).scatter_(1, ahead_SV.long(), point_SV)
    return torch.stack([ahead_SV, behind_SV[:, :V]])
