"""Tensors of a CPU that say they are on another device, as far as the code under test asks."""

from typing import Any

import torch
from torch import Tensor

# torch's device without values stands for a GPU that is not here.
ELSEWHERE = torch.device("meta")


class Elsewhere(Tensor):
    """Its `to` brings the values back; operations on it do not ask where it is."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Where it says it is."""
        return ELSEWHERE

    def to(self, *where: Any, **options: Any) -> Tensor:
        """The plain tensor, moved."""
        return self.as_subclass(Tensor).to(*where, **options)


def elsewhere(tensor: Tensor) -> Tensor:
    """A tensor that says it is on another device."""
    return tensor.as_subclass(Elsewhere)


def back_to_the_cpu(_device: torch.device) -> torch.device:
    """In place of `devices.device.without_mps`."""
    return torch.device("cpu")
