"""Which device to run on, and how randomness is fixed."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
FIXED = (":4096:8", ":16:8")  # the workspaces with which cuBLAS repeats itself


def pick_device() -> torch.device:
    """The first GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def use_tf32(allowed: bool) -> None:
    """Whether NVIDIA GPUs may round the factors of float32 products to 10 bits."""
    # Not by fp32_precision: after that, torch refuses to tell these two, and torch.export asks.
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def use_deterministic(wanted: bool) -> None:
    """Whether GPUs repeat a run of the same seed to the last bit; CPUs do it anyway.

    From then on torch takes deterministic algorithms and refuses operations that have none. Of
    those a training needs, one is computed in another way (`losses.summed_cross_entropy`) and two
    are allowed, because their results do not depend on an order (`any_order`). To be called before
    CUDA starts, for cuBLAS reads its variable then.
    """
    if not wanted or not torch.cuda.is_available():
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


def rng(*key: int) -> np.random.Generator:
    """An independent generator for a key, such as (seed, step, slot): order does not matter."""
    # The length goes in, too: numpy fills short keys with zeros, so (1, 2) would equal (1, 2, 0).
    return np.random.default_rng(np.random.SeedSequence((len(key), *key)))
