"""Work kept outside DVC's outputs: what was stopped goes on, and nothing is done twice.

Everything lies in data/checkpoints/<name>-<key>: states, each named by its step and the start of
its SHA-256, and what else a piece of work keeps until it ends.
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

from pipeline import stopping
from pipeline.atomic import exclusive, named, replace_folder
from pipeline.distributed import led, wait_for_all, world
from pipeline.keys import Key, close_work, digest, open_work, work_folder
from pipeline.progress import track

EVERY = float(os.environ.get("CHECKPOINT_SECONDS", "120"))  # between two states
KEEP = 2  # the last one may be damaged

Item = TypeVar("Item")


def claim(name: str, key: Key) -> None:
    """Make the work's folder; the leading process does (`keys.open_work`)."""
    if world().leads:
        open_work(name, key)


def release(name: str, key: Key) -> None:
    """Remove the work's folder: it is over; the leading process does (`keys.close_work`)."""
    if world().leads:
        close_work(name, key)


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
            print(f"{path} is damaged and passed over", file=sys.stderr)
        return None

    def due(self) -> bool:
        """Whether the last state is old enough for another."""
        return time.monotonic() - self.saved_at >= EVERY

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state, then drop all but the last two.

        A full disk is told and no reason to stop: it may be empty again before the work ends.
        """
        self.saved_at = time.monotonic()
        part = self.folder / "part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                torch.save({**state, "step": step}, file)
            part.replace(self.folder / f"{step:09d}-{digest(part)}.pt")
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            print(f"no checkpoint at step {step}, {self.folder}: {error}", file=sys.stderr)
            return
        for path in sorted(self.folder.glob("*.pt"))[:-KEEP]:
            path.unlink()


@contextmanager
def kept_folder(path: Path, name: str, key: Key) -> Iterator[Path]:
    """Yield a folder that replaces `path` if the block succeeds, and stays if it does not.

    The next run with the same key finds in it what the block had written; the work's other files
    may lie beside it, and go when it is in place. Several processes share it.

    Raises:
        UserError: another run is at the same work.
    """
    part = work_folder(name, key) / "output"
    with led(exclusive(path)):
        claim(name, key)
        if world().leads:
            part.mkdir(exist_ok=True)
        wait_for_all()
        try:
            yield part
        except OSError as error:
            raise named(error, path)  # noqa: B904 - it is the same error
        wait_for_all()
        if world().leads:
            replace_folder(path, part)
        release(name, key)
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
        folder: in the work's folder, for this walk alone; None: nothing is kept.
        arrays: what the items are summed up in, changed in place; first filled with what was kept.
        what: name of the progress bar, or None for no bar.

    Yields:
        the items that are left. What is made of one must be in `arrays` and in files when the next
        is asked for.

    Raises:
        StoppedError: the stage was asked to stop; where it was is kept.
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
        print(f"{what}: goes on after {done}", file=sys.stderr)
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
