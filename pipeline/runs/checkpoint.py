"""Checkpoints of a training: stopped and resumed, it ends in the same bytes.

A checkpoint belongs to the code, the params and the data it came from (pipeline.runs.work_key).
"""

import sys
from pathlib import Path
from typing import Any, NoReturn, Protocol

from pipeline.base import stopping
from pipeline.devices.distributed import least, world
from pipeline.runs.resume import States
from pipeline.runs.work_folder import close_work, open_work, work_folder
from pipeline.runs.work_key import Key

AGREE_EVERY = 8  # steps between two times that processes ask each other whether to stop


class Stateful(Protocol):
    """What is trained."""

    def state(self) -> dict[str, Any]:
        """Everything a later process needs; called by all processes at once, or after a row."""

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a state."""


class Checkpoints:
    """The checkpoints of one training, at most two, in data/checkpoints/<name>-<key>.

    Attributes:
        folder: other files that the training needs until it ends may be here, too.
        done: steps done when it was resumed; 0 at the start.
    """

    def __init__(self, name: str, key: Key, learner: Stateful) -> None:
        """Restore the last whole checkpoint of a training, or start at step 0."""
        self.name, self.key, self.learner = name, key, learner
        self.folder: Path = work_folder(name, key)
        if world().leads:
            open_work(name, key)
        self.states = States(self.folder)
        self.done = 0
        latest = self.states.latest()
        if latest is not None:
            learner.restore(latest)
            self.done = int(latest["step"])
            if world().leads:
                print(f"{name}: resumes after step {self.done}", file=sys.stderr)

    def save(self, step: int) -> None:
        """Write a checkpoint after any step, in all processes at once."""
        state = self.learner.state()
        if world().leads:
            self.states.save(step, state)

    def after(self, step: int, row: bool) -> None:
        """Save and leave where asked to stop; else save after a row where the last one is old.

        Raises:
            StoppedError: asked to stop.
        """
        if self._asked(step):
            self.save(step)
            raise stopping.stop()
        # After a row the log has nothing to gather, so no other process has to hear of it.
        if row and world().leads and self.states.due():
            self.save(step)

    def leave(self, step: int) -> NoReturn:
        """Leave between two steps because there are no more batches: the stage is to stop.

        Raises:
            StoppedError: always.
        """
        if world().size == 1:  # the others may be in the middle of a step
            self.save(step)
        raise stopping.stop()

    def _asked(self, step: int) -> bool:
        """Whether to stop after this step, all processes together: a few steps can pass."""
        if world().size == 1:
            return stopping.asked()
        if step % AGREE_EVERY:
            return False
        return least(-float(stopping.asked())) < 0

    def clear(self) -> None:
        """Remove the folder: the training is over and its outputs are in their place."""
        if world().leads:
            close_work(self.name, self.key)
