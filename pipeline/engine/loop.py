"""The training loop of all three networks: classifier, DSRG's network, dual-branch network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from pipeline.base import stopping
from pipeline.devices.distributed import world
from pipeline.engine.learner import Learner
from pipeline.runs.checkpoint import Checkpoints
from pipeline.runs.monitor import Course, watched


class HasIds(Protocol):
    """A batch that knows its images."""

    @property
    def ids(self) -> Sequence[str]:
        """Ids of this process's images."""


Batch = TypeVar("Batch", bound=HasIds)


@dataclass(frozen=True)
class Task(Generic[Batch]):
    """What a network is trained on, and what happens on the way.

    Attributes:
        course: how many steps there are, and how they are shown.
        batches: from the number of steps done to the batches that are left; of several processes
            each gets its share of every batch.
        losses: from a batch to this process's share of the loss (a scalar) and of the terms to log
            (a vector); over all processes they sum to the whole batch's.
        looks: the steps after which val is scored.
        score: scores val, in percent mIoU.
        refresh_after: the step after which the network makes its proxies itself; None: never.
        refresh: makes them; `batches` finds them.
    """

    course: Course
    batches: Callable[[int], Iterator[Batch]]
    losses: Callable[[Batch], tuple[Tensor, Tensor]]
    looks: frozenset[int] = frozenset()
    score: Callable[[], float] | None = None
    refresh_after: int | None = None
    refresh: Callable[[], None] | None = None


def fit(task: Task[Batch], learner: Learner, saved: Checkpoints) -> None:
    """Train from the step after `saved.done` to the last one.

    Args:
        task: batches, losses, and what happens on the way.
        learner: what is trained, in place; its log gets a row now and then.
        saved: the learner's checkpoints. The last one stays until `saved.clear`: what follows the
            training may be stopped, too.

    Raises:
        UserError: the loss is not finite; the last checkpoint is from before.
        StoppedError: asked to stop; a checkpoint of the last step is written if there was time.
    """
    log = learner.log

    def look(step: int) -> None:
        if task.score is None or step not in task.looks or log.has(step, "val_miou"):
            return
        if step > saved.done:
            saved.save(step)  # a stop while val is scored must repeat no step
        log.measure(step, val_miou=task.score())
        learner.network.train()

    with stopping.held():
        look(saved.done)  # one that a stop cut short; curves, which draw a row once, open after it
        with watched(task.course, saved.name, saved.done, log.rows, learner.optimiser) as monitor:
            batches = task.batches(saved.done)
            for step in range(saved.done + 1, task.course.steps + 1):
                if task.refresh is not None and step - 1 == task.refresh_after:
                    saved.save(step - 1)  # making proxies takes a while
                    with monitor.paused():
                        task.refresh()
                    batches = task.batches(step - 1)
                batch = next(batches, None)
                if batch is None:  # the processes that decode obeyed a stop before this one saw it
                    saved.leave(step - 1)
                loss, terms_T = task.losses(batch)
                learner.optimiser.zero_grad(set_to_none=True)
                (loss * world().size).backward()  # DistributedDataParallel averages gradients
                learner.optimiser.step()
                learner.schedule.step()
                if learner.average:
                    learner.average.update(learner.network)
                # In this order: the look adds val to the log's row, the monitor shows a row once,
                # and a checkpoint has both.
                row = log.add(step, terms_T.detach(), batch.ids)
                with monitor.paused():
                    look(step)
                monitor.after(step)
                saved.after(step, row)
    saved.save(task.course.steps)  # what follows, such as placing seeds, may be stopped, too
