"""The training loop of all three networks."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from pipeline import stopping
from pipeline.checkpoint import Checkpoints, Learner, Rows
from pipeline.distributed import least, total, world
from pipeline.errors import UserError
from pipeline.history import log
from pipeline.monitor import Course, watched

Batch = TypeVar("Batch")
AGREE_EVERY = 8  # steps between two times that processes ask each other whether to stop


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


def train_steps(
    saved: Checkpoints,
    batches: Iterable[Batch],
    losses: Callable[[Batch], tuple[Tensor, Tensor]],
    names_of: Callable[[int], Sequence[str]],
    *,
    names: tuple[str, ...],
    every: int,
    course: Course,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Train from the step after `saved.done` to the last; stop between two steps where asked to.

    Args:
        saved: the checkpoints of a learner.
        batches: those that are left.
        losses: as in `fit`.
        names_of: the ids of this process's images in the batch of a step.
        names: of what `losses` has logged.
        every: steps in a row of the log.
        course: how many steps the whole training has, and how it is shown.

    Yields:
        each step, and the means over `every` steps and all processes after each that completes
        them, else nothing. Whoever iterates appends them to `saved.rows` before asking for more.

    Raises:
        UserError: the loss is not finite; the last checkpoint is from before.
        StoppedError: asked to stop; a checkpoint of this step is written.
    """
    fitted = fit(saved.learner, batches, losses)
    bad_T, step = torch.tensor(math.inf), saved.done
    with stopping.held(), watched(course, saved) as monitor:
        for step, shown_T in enumerate(fitted, start=saved.done + 1):
            saved.sums = shown_T.clone() if saved.sums is None else saved.sums.add_(shown_T)
            bad_T = first_bad(bad_T, shown_T, step)  # read with the rows: reading waits for GPUs
            row, leave = step % every == 0, stop_after(step)
            if row or leave or step == course.steps:
                refuse_bad(bad_T, course.what, names_of)
            means = means_of(saved, names, every) if row else {}
            with monitor.paused():
                yield step, means
            monitor.after(step)
            if leave:
                saved.save(step)
                raise stopping.stop()
            if row:
                saved.offer(step)
    if step < course.steps:  # the processes that decode were stopped before this one came to look
        if world().size == 1:
            saved.save(step)
        raise stopping.stop()


def first_bad(bad_T: Tensor, shown_T: Tensor, step: int) -> Tensor:
    """The first step so far with a loss that is not finite, infinity while there is none."""
    finite_T = shown_T.isfinite().all()
    now_T = torch.where(finite_T, math.inf, float(step))
    return torch.minimum(bad_T.to(now_T.device), now_T)


def refuse_bad(bad_T: Tensor, what: str, names_of: Callable[[int], Sequence[str]]) -> None:
    """End a training whose loss was not finite.

    Raises:
        UserError: with the step, its images and the ways out.
    """
    step = least(float(bad_T))
    if step == math.inf:
        return
    images = ", ".join(names_of(int(step)))
    raise UserError(
        f"{what}: the loss is not finite at step {step:.0f}, whose batch is {images}. Lower the "
        "learning rate, or look at these images and masks; checkpoints from before are kept"
    )


def means_of(saved: Checkpoints, names: tuple[str, ...], every: int) -> dict[str, float]:
    """The named means over the last `every` steps and all processes; new sums begin."""
    assert saved.sums is not None
    means = (total(saved.sums) / every).tolist()
    saved.sums = None
    return dict(zip(names, means, strict=True))


def stop_after(step: int) -> bool:
    """Whether to stop after this step, all processes together: a few steps can pass until then."""
    if world().size == 1:
        return stopping.asked()
    if step % AGREE_EVERY:
        return False
    return least(-float(stopping.asked())) < 0


def train_to_end(
    saved: Checkpoints,
    batches: Iterable[Batch],
    losses: Callable[[Batch], tuple[Tensor, Tensor]],
    names_of: Callable[[int], Sequence[str]],
    *,
    names: tuple[str, ...],
    course: Course,
) -> Rows:
    """Train to the last step, with about fifty rows of log; arguments and errors as above.

    The state at the end is kept until `saved.clear`: what follows may be stopped, too.

    Returns:
        rows of step and named means.
    """
    if saved.done == course.steps:
        return saved.rows
    every = max(1, course.steps // 50)
    trained = train_steps(saved, batches, losses, names_of, names=names, every=every, course=course)
    for step, means in trained:
        log(saved.rows, step, **means)
    saved.save(course.steps)
    return saved.rows
