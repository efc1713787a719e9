"""Batches from processes that decode (`engine.workers`), and one clear word when one of them fails.

torch hands over a worker's exception as the text of its traceback, and waits without end for a
batch that found no room in shared memory. Here a worker hands over the error itself.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from pipeline import stopping
from pipeline.errors import UserError

ROOM = (
    "memory or shared memory (/dev/shm) ran out, most likely; set engine.workers lower (0 decodes "
    "in the main process): the same command goes on from the last checkpoint, if there is one"
)


@dataclass(frozen=True)
class Reader(Dataset[Any]):
    """A data set whose user errors are handed over as values."""

    dataset: Dataset[Any]

    def __getitem__(self, item: Any) -> Any:
        """The data set's sample, or the error that kept it from being read."""
        try:
            return self.dataset[item]
        except UserError as error:
            return error
        except MemoryError:
            return UserError(f"engine.workers: there is no memory left to decode in; {ROOM}")


@dataclass(frozen=True)
class Collate:
    """Makes a batch of samples, in a worker in shared memory; or hands on an error among them."""

    collate: Callable[[list[Any]], Any]

    def __call__(self, samples: list[Any]) -> Any:
        """The batch or the first error."""
        for sample in samples:
            if isinstance(sample, UserError):
                return sample
        batch = self.collate(samples)
        if get_worker_info() is None:
            return batch
        try:
            return shared(batch)
        except RuntimeError as error:
            return UserError(f"engine.workers: {str(error).splitlines()[0]}; {ROOM}")


def shared(batch: Any) -> Any:
    """A batch whose tensors, within nested tuples and lists, are copies in shared memory.

    torch would move them there in a thread whose errors reach nobody, and with them what a worker
    keeps decoded: each tensor there is an open file.
    """
    if isinstance(batch, Tensor):
        return batch.clone().share_memory_()
    if isinstance(batch, list | tuple):
        parts = [shared(part) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


def loader(
    dataset: Dataset[Any],
    plan: Sampler[list[Any]],
    workers: int,
    collate: Callable[[list[Any]], Any],
) -> Iterator[Any]:
    """Load the batches of a plan in `workers` processes; 0: in this one.

    The loader gets a generator of its own: torch's common one is dropout's, and must not depend on
    how often a training was taken up again.

    It ends before its time where the stage was asked to stop and so were its workers.

    Raises:
        UserError: a file cannot be read, or a worker was killed.
    """
    batches = iter(
        DataLoader(
            Reader(dataset),
            batch_sampler=plan,
            num_workers=workers,
            collate_fn=Collate(collate),
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=leave_interrupts,
            generator=torch.Generator(),
        )
    )
    failure: UserError | None = None
    while failure is None:
        try:
            with watch().waiting() if workers else nullcontext():
                batch = next(batches)
        except StopIteration:
            return
        except (RuntimeError, ConnectionError, EOFError) as error:
            said = words_of_death(error) or words_of_silence(error, workers)
            if said is None:
                raise
            if stopping.asked():
                return  # the signal went to the workers, too
            failure = UserError(f"engine.workers: a process that decodes {said}; {ROOM}")
        else:
            if isinstance(batch, UserError):
                failure = batch
            else:
                yield batch
    del batches  # ends the other workers
    raise failure


def words_of_death(error: BaseException) -> str | None:
    """What torch says of a dead worker, such as "(pid 7) is killed by signal: Killed"; else None.

    The signal is named by the cause, if torch has wrapped it.
    """
    start = "DataLoader worker "
    if not str(error).startswith(f"{start}(pid"):
        return None
    cause = error.__cause__ and words_of_death(error.__cause__)
    return cause or str(error).removeprefix(start).split(". ")[0].strip().rstrip(".")


def words_of_silence(error: BaseException, workers: int) -> str | None:
    """What to say where a worker fell silent while it handed over a batch; else None.

    Its socket breaks before the signal of its death is heard.
    """
    if not workers or isinstance(error, RuntimeError):
        return None
    time.sleep(0.2)
    try:
        watch().handler(signal.SIGCHLD, None)
    except RuntimeError as death:
        return words_of_death(death)
    return "fell silent"


def leave_interrupts(_worker: int) -> None:
    """Ctrl-C is for the main process, which ends its workers: none shows a traceback of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Watch:
    """The signal handler that tells of dead workers, asleep but while a batch is waited for.

    torch's own raises wherever the main process is just then, be it in the middle of writing a
    file or of ending.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], object]) -> None:
        """Wrap torch's handler."""
        self.handler, self.awake = handler, False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise torch's RuntimeError if a worker has died and a batch is waited for."""
        if self.awake:
            self.handler(number, frame)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Be awake; workers that died before are told of at once."""
        self.awake = True
        try:
            self.handler(signal.SIGCHLD, None)
            yield
        finally:
            self.awake = False


def watch() -> Watch:
    """The one watch of this process, put in the place of torch's handler when first wanted."""
    handler = signal.getsignal(signal.SIGCHLD)
    if isinstance(handler, Watch):
        return handler
    made = Watch(handler if callable(handler) else lambda *_: None)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, made)
    return made
