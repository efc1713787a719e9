"""Feature vectors for the tests of the permutohedral lattice."""

import torch
from torch import Tensor


def points(dimensions: int, count: int = 200, spread: float = 2.0) -> Tensor:
    """Normal points (D, N), repeatable for each D."""
    generator = torch.Generator().manual_seed(dimensions)
    return spread * torch.randn(dimensions, count, generator=generator)
