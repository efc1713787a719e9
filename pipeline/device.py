"""Which device to run on, and how randomness is fixed."""

import random

import numpy as np
import torch


def pick_device() -> torch.device:
    """The first GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def use_tf32(allowed: bool) -> None:
    """Whether NVIDIA GPUs may round the factors of float32 products to 10 bits; else no device."""
    precision = "tf32" if allowed else "ieee"
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.conv.fp32_precision = precision  # type: ignore[attr-defined]


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
