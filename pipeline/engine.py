"""The training loop of all three networks, and how a network is made ready for it."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.checkpoint import Checkpoints, Learner, Rows
from pipeline.device import pick_device
from pipeline.distributed import total, world
from pipeline.errors import UserError
from pipeline.layers import Dropout
from pipeline.params import Engine
from pipeline.progress import track

Batch = TypeVar("Batch")
Forward = Callable[..., Tensor]


def fit(
    learner: Learner, batches: Iterable[Batch], losses: Callable[[Batch], tuple[Tensor, Tensor]]
) -> Iterator[Tensor]:
    """One optimiser step a batch.

    Args:
        learner: network, optimiser, and the schedule of its rates.
        batches: this process's shares of the batches.
        losses: from a batch to this process's share of the loss (a scalar) and of whatever is to
            be logged (a vector); summed over the processes they are the whole batch's.

    Yields:
        what is to be logged, this process's share, without gradient.
    """
    for batch in batches:
        loss, shown_T = losses(batch)
        learner.optimiser.zero_grad(set_to_none=True)
        (loss * world().size).backward()  # DistributedDataParallel takes the mean of gradients
        learner.optimiser.step()
        learner.schedule.step()
        if learner.average:
            learner.average.update(learner.network)
        yield shown_T.detach()


def logged(
    shown: Iterable[Tensor], names: tuple[str, ...], every: int
) -> Iterator[dict[str, float]]:
    """Means of what `fit` yields, over each `every` steps and over all processes.

    Yields:
        after each step that completes them the named means, after every other step nothing in it.
    """
    sums_T: Tensor | None = None
    for step, shown_T in enumerate(shown, start=1):
        sums_T = shown_T.clone() if sums_T is None else sums_T.add_(shown_T)
        if step % every:
            yield {}
            continue
        means = (total(sums_T) / every).tolist()
        yield dict(zip(names, means, strict=True))
        sums_T.zero_()


def train_to_end(
    saved: Checkpoints,
    batches: Callable[[int], Iterable[Batch]],
    losses: Callable[[Batch], tuple[Tensor, Tensor]],
    *,
    names: tuple[str, ...],
    steps: int,
    what: str,
) -> Rows:
    """Train from the last checkpoint on, if there is one, to the last step.

    Args:
        saved: the checkpoints of a learner.
        batches: from the number of steps done to the batches that are left.
        losses: as in `fit`.
        names: of what `losses` has logged.
        steps: of the whole training.
        what: name of the progress bar.

    Returns:
        about fifty rows of step and named means.
    """
    done, rows = saved.resume()
    shown = track(fit(saved.learner, batches(done), losses), what, steps - done)
    for step, means in enumerate(logged(shown, names, max(1, steps // 50)), start=done + 1):
        if means:
            rows.append({"step": step, **means})
            saved.offer(step, rows)
    saved.clear()
    return rows


def prepare(network: nn.Module, engine: Engine, batch_size: int) -> Forward:
    """Move a network to this process's device, ready to train.

    Args:
        network: changed in place: channels last, in training mode.
        engine: precision, and whether to compile.
        batch_size: images of the whole batch.

    Returns:
        the network's forward pass to train with: compiled, under autocast and with gradients
        averaged over the processes as far as asked for; its output is float32.
    """
    device = pick_device()
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, Dropout):
            module.batch_size = batch_size
    forward: nn.Module = network
    if engine.compile and compiler_works(device):
        forward = torch.compile(network)  # type: ignore[assignment]
    if world().size > 1:
        forward = DistributedDataParallel(forward, gradient_as_bucket_view=True)
    return precisely(forward, engine)


def precisely(forward: Forward, engine: Engine) -> Forward:
    """A forward pass, under autocast as far as `engine` asks for it; its output is float32."""
    device = pick_device()
    half = engine.precision == "bf16" and bf16_works(device)

    def precise(*inputs: object) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
            output: Tensor = forward(*inputs)
        return output.float()

    return precise


def share_of(key: str, size: int) -> int:
    """How many of `size` images this process takes.

    Raises:
        UserError: there are more processes than images; the message names the params `key`.
    """
    here = world()
    if size < here.size:
        raise UserError(f"{key}: {size} images for {here.size} processes; raise it or use fewer")
    return len(range(here.rank, size, here.size))


def compiler_works(device: torch.device) -> bool:
    """Whether torch.compile has its compiler here; says so once where it has not."""
    try:
        torch.compile(lambda values: values.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:
        # Whatever a toolchain can lack: a C++ compiler, Triton, headers, a writable cache.
        say_once(f"engine.compile: no compiler works here ({type(error).__name__}), left out")
        return False
    return True


def bf16_works(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16; says so once where it does not."""
    if device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False):
        return True
    say_once("engine.precision: this GPU has no bfloat16, float32 is used")
    return False


def say_once(message: str) -> None:
    """Tell what is done otherwise than asked for: one process, one time."""
    if world().leads:
        warnings.warn(message, stacklevel=1)
