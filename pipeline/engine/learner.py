"""What changes while a network is trained."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipeline.engine.ema import Average
from pipeline.engine.log import Log


@dataclass(frozen=True)
class Learner:
    """A network, its optimiser, rates and log; `average` follows the network where wanted."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    log: Log
    average: Average | None = None

    @property
    def scored(self) -> nn.Module:
        """What is validated, stored and scored: the average where there is one, or the network."""
        return self.network if self.average is None else self.average.module

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def gpu(self) -> Any:
        """The GPU's module in torch, which has random numbers of its own; None on a CPU."""
        return None if self.device.type == "cpu" else torch.get_device_module(self.device)

    def state(self) -> dict[str, Any]:
        """Everything a later process needs to resume, random numbers included."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            # The leader's, for all: every process draws the whole batch's numbers (layers.Dropout).
            "rng": torch.get_rng_state(),
            "device": self.device.type,
            "rng_gpu": self.gpu.get_rng_state() if self.gpu else None,
            **self.log.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a state."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["rng"])
        # Those of another kind of device cannot be taken up; that run also rounds otherwise.
        if self.gpu and state["device"] == self.device.type:
            self.gpu.set_rng_state(state["rng_gpu"])
        self.log.restore(state, self.device)
