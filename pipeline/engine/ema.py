"""The exponential moving average of a network over its training (mean teacher, Tarvainen 2017)."""

import copy
from typing import Any

import torch
from torch import nn


class Average:
    """Follows a network: its weights and buffers averaged over the steps, counters as they are.

    The first update copies the network. The k-th after it keeps min(decay, (1 + k) / (10 + k)) of
    the average, so that early on, when every step is far better than the last, it keeps little.

    torch.optim.swa_utils.AveragedModel does the same, but averages counters, too, and keeps its
    own count on the GPU, which every step would wait for.

    Attributes:
        module: the average, in eval mode and without gradients.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Start from a network on its device; `decay`: share kept in a step, after the warm-up."""
        self.module = copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in what the network has become in a step."""
        step, self.updates = self.updates, self.updates + 1
        keep = min(self.decay, (1 + step) / (10 + step)) if step else 0.0
        own, new = self.module.state_dict(), network.state_dict()
        smooth = [key for key, value in own.items() if value.is_floating_point()]
        # One kernel for all tensors; torch has no public name for it.
        torch._foreach_lerp_([own[k] for k in smooth], [new[k] for k in smooth], 1 - keep)
        for key in own.keys() - smooth:
            own[key].copy_(new[key])

    def state_dict(self) -> dict[str, Any]:
        """Everything a later process needs to resume."""
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state."""
        self.module.load_state_dict(state["module"])
        self.updates = int(state["updates"])
