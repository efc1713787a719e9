"""Batches from processes that decode (`machine.workers`); a user's error crosses over as it is.

torch hands over a worker's exception as the text of its traceback, and waits without end for a
batch that found no room in shared memory. Here a worker hands over the error itself.
"""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from pipeline.base import stopping
from pipeline.base.errors import UserError
from pipeline.devices.device import pick_device

ROOM = (
    "memory or shared memory (/dev/shm) ran out, most likely; set machine.workers lower (0 decodes "
    "in the main process): the same command resumes from the last checkpoint, if there is one"
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
            return UserError(f"machine.workers: there is no memory left to decode in; {ROOM}")


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
            return UserError(f"machine.workers: {str(error).splitlines()[0]}; {ROOM}")


def shared(batch: Any) -> Any:
    """A batch whose tensors, within nested tuples and lists, are copies in shared memory.

    torch would move them there in a thread whose errors are lost, and with them the worker's cache
    of decoded images, of which each tensor would be an open file.
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

    It ends early where the stage was asked to stop and its workers obeyed before it did.

    Raises:
        UserError: a file cannot be read, or a worker was killed.
    """
    batches = iter(
        DataLoader(
            Reader(dataset),
            batch_sampler=plan,
            num_workers=workers,
            collate_fn=Collate(collate),
            pin_memory=pick_device().type == "cuda",
            worker_init_fn=ignore_interrupts,
            # torch's common generator is dropout's: it must not depend on how often a training
            # was resumed.
            generator=torch.Generator(),
        )
    )
    if workers:
        # torch's handler raises wherever the main process is, even in the middle of a step.
        # Without it `next` finds within five seconds that a worker is gone.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except (RuntimeError, ConnectionError, EOFError) as error:
            if stopping.asked():
                return
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            batch = UserError(f"machine.workers: a process that decodes images was killed; {ROOM}")
        if isinstance(batch, UserError):
            del batches  # ends the workers
            raise batch
        yield batch


def ignore_interrupts(_worker: int) -> None:
    """Ctrl-C is for the main process, which ends its workers: none shows a traceback of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
