"""Which device to run on, what differs by device, and how randomness is fixed."""

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
FIXED = (":4096:8", ":16:8")  # the workspaces with which cuBLAS repeats itself


@dataclass
class _Preference:
    """The kind of device that this process was told to use."""

    kind: str | None = None


_preference = _Preference()


def prefer(kind: str | None) -> None:
    """Have `pick_device` return `cpu`, `cuda` or `mps` in the whole process; None: what is best."""
    _preference.kind = kind


def pick_device() -> torch.device:
    """The device this process was told to use; else the first GPU where there is one, else the CPU.

    Apple's GPU must be asked for: nothing here was tried on one (docs/scaling.md).
    """
    if _preference.kind is not None:
        return torch.device(_preference.kind)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """The name of this process's GPU; MPS for Apple's; CPU."""
    kind = pick_device().type
    return str(torch.cuda.get_device_name()) if kind == "cuda" else kind.upper()


def placed(network: Network, device: torch.device | None = None) -> Network:
    """The network itself, moved to a device (None: this process's), laid out as is best there."""
    device = device or pick_device()
    return network.to(device, memory_format=layout(device))  # type: ignore[call-overload, no-any-return]


def layout(device: torch.device) -> torch.memory_format:
    """How images and weights lie in memory: channels last, but not on Apple's GPUs.

    There torch's batch norm computes wrong gradients of channels last (pytorch issue 175189), and
    its convolution long read weights wrongly that do not lie row by row (192212).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def without_mps(device: torch.device) -> torch.device:
    """The device itself; the CPU in place of Apple's GPU, for what torch lacks there."""
    return torch.device("cpu") if device.type == "mps" else device


def use_tf32(allowed: bool) -> None:
    """Whether NVIDIA GPUs may round the factors of float32 products to 10 bits."""
    # Not by fp32_precision: after that, torch refuses to tell these two, and torch.export asks.
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def use_deterministic(wanted: bool) -> None:
    """Whether NVIDIA GPUs repeat a run of the same seed to the last bit; CPUs do it anyway.

    From then on torch takes deterministic algorithms and refuses operations that have none. Of
    those a training needs, one is computed in another way (`losses.summed_cross_entropy`) and two
    are allowed, because their results do not depend on an order (`any_order`). To be called before
    CUDA starts, for cuBLAS reads its variable then.
    """
    kind = pick_device().type
    if wanted and kind == "mps":
        warnings.warn("engine.deterministic is for NVIDIA GPUs, left out on mps", stacklevel=2)
    if not wanted or kind != "cuda":
        return
    if os.environ.get(CUBLAS) not in FIXED:
        os.environ[CUBLAS] = FIXED[0]
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def in_order(values: Tensor) -> bool:
    """Whether sums of values on this tensor's device must be added in a fixed order."""
    return values.is_cuda and torch.are_deterministic_algorithms_enabled()


@contextmanager
def any_order() -> Iterator[None]:
    """Let operations pass that are the same in any order, such as the least of several integers."""
    if not torch.are_deterministic_algorithms_enabled():
        yield
        return
    torch.use_deterministic_algorithms(mode=False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=True)


def seed_everything(*seed: int) -> None:
    """Seed Python, NumPy and torch from a tuple of integers, such as (seed, stage)."""
    state = int(np.random.SeedSequence(seed).generate_state(1)[0])
    random.seed(state)
    np.random.seed(state)
    torch.manual_seed(state)
