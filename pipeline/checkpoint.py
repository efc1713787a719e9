"""The state of a training, kept so that one that was stopped ends in the same bytes.

A checkpoint belongs to the code, the params and the data it came from (pipeline.keys).
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.distributed import gathered, world
from pipeline.ema import Average
from pipeline.kept import States, claim, release
from pipeline.keys import Key, work_folder

Rows = list[dict[str, float]]


@dataclass(frozen=True)
class Learner:
    """What changes while a network learns; `average` follows the network where it is wanted."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    average: Average | None = None

    @property
    def scored(self) -> nn.Module:
        """What is validated, kept and scored: the average where there is one, or the network."""
        return self.network if self.average is None else self.average.module

    def state(self) -> dict[str, Any]:
        """Everything a later process needs to go on alike; random numbers included."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "rng": torch.get_rng_state(),
            "rng_gpu": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["rng"])
        if state["rng_gpu"] is not None:
            torch.cuda.set_rng_state(state["rng_gpu"])


class Checkpoints:
    """The checkpoints of one training, at most two, in data/checkpoints/<name>-<key>.

    Attributes:
        learner: what is trained.
        folder: what else the training has to keep until it ends may lie here, too.
        done: steps done.
        rows: what was logged so far.
        sums: of what is to be logged, since the last row; this process's share.
    """

    def __init__(self, name: str, key: Key, learner: Learner) -> None:
        """Take up the last whole checkpoint of a training, or begin at step 0."""
        self.name, self.key, self.learner = name, key, learner
        self.folder: Path = work_folder(name, key)
        claim(name, key)
        self.states = States(self.folder)
        self.done, self.rows = 0, Rows()
        self.sums: Tensor | None = None
        state = self.states.latest()
        if state is not None:
            self._take_up(state)

    def _take_up(self, state: dict[str, Any]) -> None:
        self.learner.restore(state)
        self.done, self.rows = int(state["step"]), list(state["rows"])
        if state["sums"] is not None:
            device = next(self.learner.network.parameters()).device
            sums_PT, here = state["sums"].to(device), world()
            # Another number of processes goes on with the same total, in the leading one.
            same = len(sums_PT) == here.size
            self.sums = sums_PT[here.rank] if same else sums_PT.sum(0) * here.leads
        if world().leads:
            print(f"{self.name}: goes on after step {self.done}", file=sys.stderr)

    def offer(self, step: int) -> None:
        """Write a checkpoint after a row if the last one is old enough; the leading process does.

        Then there are no sums, so no process has to hear of it.
        """
        if world().leads and self.states.due():
            self.states.save(step, self._state(None))

    def save(self, step: int) -> None:
        """Write a checkpoint after any step, in all processes at once."""
        sums_PT = None if self.sums is None else gathered(self.sums[None])
        if world().leads:
            self.states.save(step, self._state(sums_PT))

    def _state(self, sums_PT: Tensor | None) -> dict[str, Any]:
        return {**self.learner.state(), "rows": self.rows, "sums": sums_PT}

    def clear(self) -> None:
        """Remove the folder: the training is over and its outputs are in their place."""
        release(self.name, self.key)
