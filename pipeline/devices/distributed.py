"""Several processes as one: each takes its share of every batch and every list, sums are the whole.

Started by torchrun, or by `machine.processes` (pipeline.devices.launch). In one process everything
here is a no-op, so the code that uses it reads the same either way.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from pipeline.base.atomic import whole_folder
from pipeline.base.errors import LostProcessesError, UserError
from pipeline.base.stopping import die_with_parent
from pipeline.devices.device import device_name, pick_device

T = TypeVar("T")
Number = TypeVar("Number", bound=np.number[Any])


@dataclass(frozen=True)
class World:
    """The processes of a run: how many, and which of them this is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    @property
    def device(self) -> str:
        """Name of what this process computes on."""
        return device_name()

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's items: every `size`-th one.

        >>> World(1, 3).share("abcdefg")
        'be'
        """
        return items[self.rank :: self.size]


def world() -> World:
    """The world this process is in; alone unless `joined`."""
    if dist.is_available() and dist.is_initialized():
        return World(dist.get_rank(), dist.get_world_size())
    return World()


def refuse_idle(key: str, size: int, processes: int) -> None:
    """Refuse more processes than images in a batch, or in the part a branch owns.

    Raises:
        UserError: there are more processes than images; the message names the params `key`.
    """
    if size < processes:
        raise UserError(
            f"{key}: {size} images for {processes} processes; raise it or set machine.processes to "
            f"{size} at most"
        )


@contextmanager
def joined() -> Iterator[World]:
    """Meet the other processes that torchrun started: over NCCL on GPUs, over gloo on CPUs.

    Raises:
        UserError: there are more processes on this machine than GPUs.
        LostProcessesError: another process ended before its time.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    die_with_parent()
    on_gpus = pick_device().type == "cuda"
    if on_gpus:
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise UserError(f"more processes than the {gpus} GPUs; set machine.processes lower")
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if on_gpus else "gloo")
    try:
        yield world()
    except RuntimeError as error:
        # A peer that is gone shows as a failed collective: gloo has no exception of its own.
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise LostProcessesError(f"process {world().rank} lost the others") from error
        raise
    dist.destroy_process_group()


class _Total(torch.autograd.Function):
    """Sum over all processes; what flows back is the sum of what every process sends back."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        result = values.clone()
        dist.all_reduce(result)
        return result

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        result = gradients[0].clone()
        dist.all_reduce(result)
        return result


def total(values: Tensor) -> Tensor:
    """Sum of a tensor over all processes, which all get it; differentiable."""
    if world().size == 1:
        return values
    summed: Tensor = _Total.apply(values)
    return summed


def gathered(own: Tensor) -> Tensor:
    """All rows of a batch that processes hold as `World.share` deals it out, in its order."""
    here = world()
    if here.size == 1:
        return own
    count = int(total(torch.tensor(len(own), device=own.device)))
    whole = own.new_zeros(count, *own.shape[1:])
    whole[here.rank :: here.size] = own
    return total(whole)


def least(value: float) -> float:
    """The least of a number that each process has."""
    if world().size == 1:
        return value
    values = torch.tensor(value, dtype=torch.float64, device=pick_device())
    dist.all_reduce(values, op=dist.ReduceOp.MIN)
    return float(values)


def total_array(values: NDArray[Number]) -> NDArray[Number]:
    """Sum of an array over all processes, which all get it."""
    if world().size == 1:
        return values
    summed = total(torch.from_numpy(np.ascontiguousarray(values)).to(pick_device()))
    array: NDArray[Number] = summed.cpu().numpy()
    return array


def wait_for_all() -> None:
    """Return when every process has come here: what they wrote before is there for all."""
    if world().size > 1:
        dist.barrier()


@contextmanager
def led(context: AbstractContextManager[object]) -> Iterator[None]:
    """Enter a context in the leading process alone."""
    if not world().leads:
        yield
        return
    with context:
        yield


@contextmanager
def shared_folder(path: Path) -> Iterator[Path]:
    """`atomic.whole_folder` for all processes: the leading one makes it and moves it into place."""
    if world().size == 1:
        with whole_folder(path) as part:
            yield part
        return
    if world().leads:
        with whole_folder(path) as part:
            dist.broadcast_object_list([part], src=0)
            yield part
            dist.barrier()  # all have written
        dist.barrier()  # it is in place
        return
    message: list[Any] = [None]
    dist.broadcast_object_list(message, src=0)
    yield message[0]
    dist.barrier()
    dist.barrier()
