"""Long work resumes where it was stopped, and no step is done twice.

A piece of work has a folder (pipeline.runs.work_folder). It holds the work's states, each named by
its step and the start of its SHA-256, and whatever else the work needs until it ends.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.base import stopping
from pipeline.base.atomic import exclusive, replace_folder, with_filename
from pipeline.base.digests import digest
from pipeline.base.progress import track
from pipeline.devices.distributed import led, wait_for_all, world
from pipeline.runs.work_folder import close_work, open_work, work_folder
from pipeline.runs.work_key import Key

EVERY = float(os.environ.get("CHECKPOINT_SECONDS", "120"))  # between two states
STATES = 2  # the last one may be damaged

Item = TypeVar("Item")


class States:
    """The states of one process's work in a folder, at most two."""

    def __init__(self, folder: Path) -> None:
        """States in `folder`, which is made with the first."""
        self.folder = folder
        self.saved_at = time.monotonic()

    def latest(self) -> dict[str, Any] | None:
        """The last state that was written whole; None where there is none."""
        for path in sorted(self.folder.glob("*.pt"), reverse=True):
            if path.stem.endswith(digest(path)):
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            print(f"{path} is damaged and left out", file=sys.stderr)
        return None

    def due(self) -> bool:
        """Whether the last state is old enough for another."""
        return time.monotonic() - self.saved_at >= EVERY

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state, then drop all but the last two.

        A full disk is reported and no reason to stop: there may be room again before the work ends.
        """
        self.saved_at = time.monotonic()
        part = self.folder / "part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                torch.save({**state, "step": step}, file)
            # Named by its own digest, so that a damaged state is recognised when it is read.
            part.replace(self.folder / f"{step:09d}-{digest(part)}.pt")
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            print(f"no checkpoint at step {step}, {self.folder}: {error}", file=sys.stderr)
            return
        # Only now: until the new state is in place the old ones count.
        for path in sorted(self.folder.glob("*.pt"))[:-STATES]:
            path.unlink()


@contextmanager
def resumable_folder(path: Path, name: str, key: Key) -> Iterator[Path]:
    """Yield a folder that replaces `path` if the block succeeds, and stays if it does not.

    The next run with the same key finds in it what the block had written; the work's other files
    may be beside it, and are removed when it is in place. Several processes share it.

    Raises:
        UserError: another run is at the same work.
    """
    part = work_folder(name, key) / "output"
    with led(exclusive(path)):
        if world().leads:
            open_work(name, key)
            part.mkdir(exist_ok=True)
        wait_for_all()
        try:
            yield part
        except OSError as error:
            raise with_filename(error, path)  # noqa: B904 - it is the same error
        wait_for_all()
        if world().leads:
            replace_folder(path, part)
            close_work(name, key)
    wait_for_all()


def walk(
    items: Sequence[Item],
    folder: Path | None,
    arrays: Mapping[str, NDArray[Any]],
    what: str | None,
) -> Iterator[Item]:
    """Go through this process's items, from where an earlier walk in `folder` was stopped.

    Args:
        items: this process's share.
        folder: in the work's folder, for this walk alone; None: nothing is saved.
        arrays: what the items are summed up in, changed in place; first filled with what was saved.
        what: name of the progress bar, or None for no bar.

    Yields:
        the items that are left. What is made of one must be in `arrays` and in files when the next
        is asked for.

    Raises:
        StoppedError: the stage was asked to stop; where it was is saved.
    """
    if folder is None:
        yield from track(items, what) if what else items
        return
    here = world()
    states = States(folder / f"{here.rank}-of-{here.size}")
    state = states.latest() or {"step": 0, "arrays": {}}
    for name, values in state["arrays"].items():
        arrays[name][...] = values.numpy()
    done = int(state["step"])
    if done and what and here.leads:
        print(f"{what}: resumes after {done}", file=sys.stderr)
    left = items[done:]
    with stopping.held():
        for count, item in enumerate(track(left, what) if what else left, start=done + 1):
            yield item
            if not stopping.asked() and not states.due():
                continue
            copies = {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}
            states.save(count, {"arrays": copies})
            if stopping.asked():
                raise stopping.stop()
