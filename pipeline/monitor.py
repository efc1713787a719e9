"""What is seen of a training while it runs: a line an epoch, a bar on a terminal, live curves.

Nothing here touches weights or random numbers, and no GPU is waited for: losses come from the rows
that are read anyway. The leading process shows, the others do not.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch

from pipeline.checkpoint import Checkpoints, Rows
from pipeline.curves import Curves, open_curves
from pipeline.distributed import world
from pipeline.history import means_and_last
from pipeline.optim import rates_of
from pipeline.params import Engine, Optimiser
from pipeline.progress import clock
from pipeline.record import peak_memory_mb

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass(frozen=True)
class Course:
    """How long a training is and how it is shown.

    Attributes:
        what: how its lines begin, such as "train: dual seed 0".
        steps: of the whole training.
        images: in the batch of a step, those of all processes.
        epoch: steps in an epoch; None where the training is counted in steps, which then has a line
            after each twentieth.
        tensorboard: whether event files are written, too (`engine.tensorboard`).
    """

    what: str
    steps: int
    images: int
    epoch: int | None
    tensorboard: bool

    @property
    def stride(self) -> int:
        """Steps between two lines."""
        return self.epoch or max(1, self.steps // 20)

    def place(self, step: int) -> str:
        """How far a step is, in words; the epoch is the one that it ends or lies in.

        >>> Course("", steps=2400, images=16, epoch=150, tensorboard=False).place(300)
        'epoch 2/16, step 300/2400'
        """
        steps = f"step {step}/{self.steps}"
        if self.epoch is None:
            return steps
        return f"epoch {-(-step // self.epoch)}/{-(-self.steps // self.epoch)}, {steps}"


def counted_in_steps(what: str, optimiser: Optimiser, engine: Engine) -> Course:
    """The course of a training whose optimiser says how long it is."""
    steps, images = optimiser.iterations, optimiser.batch_size
    return Course(what, steps, images, epoch=None, tensorboard=engine.tensorboard)


class Monitor:
    """Shows a training from where this process took it up, so that is where rates count from."""

    def __init__(
        self, course: Course, saved: Checkpoints, bar: "Progress | None", curves: list[Curves]
    ) -> None:
        """Watch the training whose rows `saved` collects."""
        self.course, self.saved, self.bar, self.curves = course, saved, bar, curves
        self.first = self.told = saved.done
        self.rows_told = self.rows_drawn = len(saved.rows)
        self.started = self.told_at = monotonic()
        self.idle = 0.0  # seconds since the last line in which others worked

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Not training in this block: it counts for the time left, and not for images/s."""
        begun = monotonic()
        yield
        self.idle += monotonic() - begun

    def after(self, step: int) -> None:
        """Show a step whose row, if it completes one, is among the rows with all its values."""
        if not world().leads:
            return
        if self.bar:
            self.bar.update(self.bar.task_ids[0], completed=step)
        new = self._since(self.rows_drawn)
        if new:
            rates = rates_of(self.saved.learner.optimiser)
            for curves in self.curves:
                for row in new:
                    curves.draw(row)
                curves.draw_more(step, rates)
            self.rows_drawn = len(self.saved.rows)
        passed = step // self.course.stride > self.told // self.course.stride
        if step == self.course.steps or (passed and self._since(self.rows_told)):
            self._tell(step)

    def _since(self, count: int) -> Rows:
        return self.saved.rows[count:]

    def _tell(self, step: int) -> None:
        """One line; the next one's means and images/s begin here."""
        now = monotonic()
        working = max(now - self.told_at - self.idle, 1e-9)
        per_second = (step - self.told) * self.course.images / working
        left = (now - self.started) / (step - self.first) * (self.course.steps - step)
        values = means_and_last(self._since(self.rows_told))
        parts = [
            self.course.place(step),
            *(f"{name} {value:.4g}" for name, value in values.items()),
            f"{per_second:.1f} images/s",
            f"{clock(left)} left",
            f"peak memory {peak_memory()}",
        ]
        show(f"{self.course.what}: {', '.join(parts)}", self.bar)
        for curves in self.curves:
            curves.draw_more(step, {"images_per_second": per_second})
        self.told, self.told_at, self.idle = step, now, 0.0
        self.rows_told = len(self.saved.rows)


def show(line: str, bar: "Progress | None") -> None:
    """Write a line to standard error, above the bar where there is one."""
    if bar:
        bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        print(line, file=sys.stderr, flush=True)


def peak_memory() -> str:
    """The most memory held so far: the GPU's in tensors where there is one in use, else RAM."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB of the GPU"
    return f"{peak_memory_mb() / 1000:.1f} GB"


@contextmanager
def watched(course: Course, saved: Checkpoints) -> Iterator[Monitor]:
    """Show a training in this block."""
    if not world().leads:
        yield Monitor(course, saved, None, [])
        return
    curves = open_curves(saved.name, saved.rows, saved.done, tensorboard=course.tensorboard)
    try:
        with bar_on_terminal(course, saved.done) as bar:
            yield Monitor(course, saved, bar, curves)
    finally:
        for each in curves:
            each.close()


@contextmanager
def bar_on_terminal(course: Course, done: int) -> Iterator[Any]:
    """A bar that vanishes at the end; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        bar.add_task(course.what, total=course.steps, completed=done)
        yield bar
