"""Deep seeded region growing (DSRG §3.2 as released): 8-connected, static seeds, tags only.

On an NVIDIA GPU everything runs batched in torch, without a copy to the host; on a CPU a compiled
flood (`pipeline.weak.dsrg.growing_cpu`) is fifty times faster than that. Apple's GPUs lack some of
the operations, so for them the CPU grows.
Shape legend: B batch, C classes (0 = background), h w grid.
"""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.data.seeds import UNSEEDED
from pipeline.devices.device import any_order, without_mps


def grow(
    seeds_Bhw: Tensor,
    posterior_BChw: Tensor,
    tags_BC: Tensor,
    *,
    theta_foreground: float = 0.85,
    theta_background: float = 0.99,
) -> Tensor:
    """Grow seeds over confident pixels that are 8-connected to a seed of the same class.

    A pixel passes when its most probable class among the image's tags has a posterior above the
    threshold (the posterior is not renormalised over the tags). Components of equal label among
    passing pixels and uncontradicted seeds are taken whole if they hold a seed of their class;
    pixels that are seeds of another class never change, though they may connect.

    Args:
        seeds_Bhw: class index of each seed, 255 elsewhere; integer tensor.
        posterior_BChw: CRF-refined probabilities.
        tags_BC: which classes an image holds; boolean, background on.
        theta_foreground: threshold of object classes (strict).
        theta_background: threshold of the background (strict).

    Returns:
        grown seeds, same shape and dtype as `seeds_Bhw`, 255 = unlabelled. No gradient.
    """
    thetas = (theta_background, theta_foreground)
    home = without_mps(seeds_Bhw.device)
    seeds, posterior = seeds_Bhw.detach().to(home), posterior_BChw.detach().to(home)
    tags = tags_BC.to(home)
    compiled = compiled_growing() if home.type == "cpu" else None
    if compiled is None:
        return grow_in_torch(seeds, posterior, tags, thetas).to(seeds_Bhw.device)
    arrays = seeds.to(torch.uint8).numpy(), posterior.float().numpy(), tags.numpy()
    grown = compiled(*arrays, np.array(thetas, dtype=np.float32))
    return torch.from_numpy(grown).to(seeds_Bhw)


@functools.cache
def compiled_growing() -> Callable[..., Any] | None:
    """`growing_cpu.grow_batch`, or None where numba is not installed, with one warning."""
    try:
        from pipeline.weak.dsrg.growing_cpu import grow_batch
    except ImportError:
        warnings.warn("numba is not installed: regions grow in torch, slower", stacklevel=2)
        return None
    compiled: Callable[..., Any] = grow_batch
    return compiled


def grow_in_torch(
    seeds_Bhw: Tensor, posterior_BChw: Tensor, tags_BC: Tensor, thetas: tuple[float, float]
) -> Tensor:
    """The same in batched torch; `thetas` are the thresholds of background and objects."""
    allowed_BChw = posterior_BChw.masked_fill(~tags_BC[:, :, None, None], -1.0)
    confidence_Bhw, best_Bhw = allowed_BChw.max(dim=1)
    # The background must be surer: what it takes wrongly no seed takes back.
    threshold_Bhw = torch.where(best_Bhw == 0, *thetas)
    best_Bhw = best_Bhw.to(seeds_Bhw.dtype)
    candidate_Bhw = torch.where(confidence_Bhw > threshold_Bhw, best_Bhw, seeds_Bhw)
    # A seed that its own pixel contradicts starts nothing, and stays as it is.
    start_Bhw = (candidate_Bhw == seeds_Bhw) & (seeds_Bhw != UNSEEDED)
    reached_Bhw = reach(start_Bhw, candidate_Bhw)
    return torch.where(reached_Bhw & (seeds_Bhw == UNSEEDED), candidate_Bhw, seeds_Bhw)


def reach(start_Bhw: Tensor, labels_Bhw: Tensor) -> Tensor:
    """Pixels joined to a start pixel by an 8-connected path of equal label; 255 joins nothing."""
    root_BN = components(labels_Bhw)
    start_BN = start_Bhw.flatten(1).to(torch.int64)
    with any_order():
        held_BN = torch.zeros_like(root_BN).scatter_reduce(1, root_BN, start_BN, "amax")
    return held_BN.gather(1, root_BN).view_as(start_Bhw).bool()


def components(labels_Bhw: Tensor) -> Tensor:
    """8-connected components of equal label, by hooking and pointer jumping.

    Each round, every component hooks to the smallest neighbouring component and all pointers are
    shortened to their roots. A component that has no smaller neighbour gets one (or is hooked to)
    within the next round, so two rounds at least halve their number: 2 log2(hw) rounds settle any
    grid. On a GPU all of them run, because asking whether a round changed anything would stop the
    device; on a CPU asking is free and most grids settle in five.

    Args:
        labels_Bhw: integer tensor; pixels of 255 stay alone.

    Returns:
        int64 tensor with shape (B, h*w): the smallest flat index of each pixel's component.
    """
    batch, h, w = labels_Bhw.shape
    count = h * w
    own_BN = torch.arange(count, device=labels_Bhw.device).expand(batch, count)
    same_8Bhw = (_neighbours(labels_Bhw, UNSEEDED) == labels_Bhw) & (labels_Bhw != UNSEEDED)
    depth = max(1, math.ceil(math.log2(count)))
    root_BN = own_BN
    for _ in range(2 * depth):
        around_8Bhw = _neighbours(root_BN.view(batch, h, w), count)
        least_Bhw = torch.where(same_8Bhw, around_8Bhw, count).amin(dim=0)
        least_BN = torch.minimum(least_Bhw.flatten(1), root_BN)
        with any_order():
            parent_BN = own_BN.scatter_reduce(1, root_BN, least_BN, "amin")
        for _ in range(depth):
            parent_BN = parent_BN.gather(1, parent_BN)
        previous_BN, root_BN = root_BN, parent_BN.gather(1, root_BN)
        if root_BN.device.type == "cpu" and torch.equal(root_BN, previous_BN):
            break
    return root_BN


def _neighbours(values_Bhw: Tensor, outside: int) -> Tensor:
    """The eight neighbours of every pixel, (8, B, h, w); `outside` beyond the border."""
    h, w = values_Bhw.shape[-2:]
    padded = F.pad(values_Bhw, (1, 1, 1, 1), value=outside)
    shifts = [(dy, dx) for dy in range(3) for dx in range(3) if (dy, dx) != (1, 1)]
    return torch.stack([padded[:, dy : dy + h, dx : dx + w] for dy, dx in shifts])
