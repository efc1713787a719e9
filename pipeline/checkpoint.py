"""Training state kept outside DVC's outputs: a training that was stopped goes on from the last.

A checkpoint belongs to the code, the params and the data it came from. Anything else starts afresh.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.distributed import world
from pipeline.ema import Average
from pipeline.params import Params
from pipeline.paths import CHECKPOINTS

EVERY = 120.0  # seconds between two checkpoints
KEEP = 2  # the last one may be damaged by a full disk
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

    What else a training has to keep until it ends may lie in the folder, too.
    """

    def __init__(self, name: str, key: str, learner: Learner) -> None:
        """Checkpoints of `learner`, which is what `name` and `key` say (see `key_of`)."""
        self.folder = CHECKPOINTS / f"{name}-{key}"
        self.learner = learner
        self.saved_at = time.monotonic()

    def resume(self) -> tuple[int, Rows]:
        """Take up the last whole checkpoint.

        Returns:
            steps done and the rows logged so far; 0 and none where there is nothing to take up.
        """
        for path in sorted(self.folder.glob("*.pt"), reverse=True):
            state = read(path)
            if state is not None:
                self.learner.restore(state)
                if world().leads:
                    print(f"goes on after step {state['step']}", file=sys.stderr)
                return int(state["step"]), list(state["rows"])
        return 0, []

    def offer(self, step: int, rows: Rows) -> None:
        """Write a checkpoint if the last one is old enough; the leading process does."""
        if not world().leads or time.monotonic() - self.saved_at < EVERY:
            return
        self.saved_at = time.monotonic()
        write(self.folder, {**self.learner.state(), "step": step, "rows": rows})
        for path in sorted(self.folder.glob("*.pt"))[:-KEEP]:
            path.unlink()

    def clear(self) -> None:
        """Remove the folder: the training is over. States go first: none outlives its files."""
        if world().leads and self.folder.exists():
            for path in self.folder.glob("*.pt"):
                path.unlink()
            shutil.rmtree(self.folder)


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write a state to a file named by its step and the start of its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "part"
    torch.save(state, part)
    part.replace(folder / f"{state['step']:09d}-{digest(part)}.pt")


def read(path: Path) -> dict[str, Any] | None:
    """A state that was written whole; None, with a word, for a damaged file."""
    if not path.stem.endswith(digest(path)):
        print(f"{path} is damaged and passed over", file=sys.stderr)
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def digest(path: Path) -> str:
    """Sixteen digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def key_of(params: Params, files: Iterable[Path], *parts: object) -> str:
    """Twelve digits that change with the params, the project's code, the files and the parts."""
    # What else is compared, processes, workers and the report change nothing in a training. What
    # it takes from its variant stands in its plan, one of the `parts`.
    others = dict.fromkeys(("variants", "ensembles", "seeds", "neck_n", "report"), True)
    exclude: Any = {"engine": {"processes", "workers"}, "train": {"extras"}, **others}
    values = params.model_dump(exclude=exclude)
    code = Path(__file__).parent.rglob("*.py")
    contents = [digest(path) for path in (*sorted(code), *files)]
    text = json.dumps([values, contents, [repr(part) for part in parts], torch.__version__])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
