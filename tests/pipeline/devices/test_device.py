"""Seeds: fixed where they should be, and never the same for two purposes."""

import random

import numpy as np
import torch

from pipeline.data.randomness import rng
from pipeline.devices.device import pick_device, seed_everything, use_tf32


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_seed_everything_fixes_all_three_generators() -> None:
    seed_everything(3, 1)
    first = draw()
    seed_everything(3, 1)
    assert draw() == first
    seed_everything(3, 2)
    assert not set(draw()) & set(first)


def test_a_key_fixes_its_generator() -> None:
    assert rng(1, 2, 3).random() == rng(1, 2, 3).random()
    assert rng(1, 2, 3).random() != rng(3, 2, 1).random()


def test_keys_of_other_length_share_nothing() -> None:
    """numpy fills short keys with zeros: (seed, stream, epoch) must not meet a view's key."""
    keys = [(1,), (1, 0), (1, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0, 0), (0, 1), (0, 1, 0)]
    assert len({float(rng(*key).random()) for key in keys}) == len(keys)


def test_device_is_there() -> None:
    assert torch.zeros(1, device=pick_device()).item() == 0


def test_what_was_said_of_tf32_can_be_asked() -> None:
    """torch.export asks, in the same process after a stage perhaps."""
    for allowed in (True, False):
        use_tf32(allowed)
        assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == allowed
