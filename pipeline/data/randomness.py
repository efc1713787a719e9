"""Random numbers by key: every draw has its own generator, whatever was drawn before."""

import numpy as np


def rng(*key: int) -> np.random.Generator:
    """An independent generator for a key, such as (seed, step, slot): order does not matter."""
    # The length goes in, too: numpy fills short keys with zeros, so (1, 2) would equal (1, 2, 0).
    return np.random.default_rng(np.random.SeedSequence((len(key), *key)))
