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

from pipeline.base.progress import duration
from pipeline.base.record import peak_memory_mb
from pipeline.devices.distributed import world
from pipeline.runs.curves import Curves, Rows, open_curves
from pipeline.settings.params import Optimiser, Params

if TYPE_CHECKING:
    from rich.progress import Progress


MEASURED = "val_"  # names of what is measured now and then begin so


@dataclass(frozen=True)
class Course:
    """How long a training is and how it is shown.

    Attributes:
        what: how its lines begin, such as "train: dual seed 0".
        steps: of the whole training.
        images: in the batch of a step, those of all processes.
        epoch: steps in an epoch; None where the training is counted in steps, which then has a line
            after each twentieth.
        tensorboard: whether event files are written, too (`machine.tensorboard`).
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


def counted_in_steps(what: str, optimiser: Optimiser, steps: int, params: Params) -> Course:
    """The course of a training that is counted in steps."""
    images, tensorboard = optimiser.batch_size, params.machine.tensorboard
    return Course(what, steps, images, epoch=None, tensorboard=tensorboard)


def rates_of(optimiser: torch.optim.Optimizer) -> dict[str, float]:
    """The rates of the next step, each under the name of its parameters."""
    groups = enumerate(optimiser.param_groups)
    return {f"learning_rate/{group.get('name', i)}": group["lr"] for i, group in groups}


def means_and_last(rows: Rows) -> dict[str, float]:
    """Of each name but the step its mean over the rows; of what is measured the last value.

    >>> means_and_last([{"step": 1, "loss": 3.0, "val_miou": 5.0}, {"step": 2, "loss": 1.0}])
    {'loss': 2.0, 'val_miou': 5.0}
    """
    means = {}
    for name in dict.fromkeys(name for row in rows for name in row if name != "step"):
        values = [row[name] for row in rows if name in row]
        means[name] = values[-1] if name.startswith(MEASURED) else sum(values) / len(values)
    return means


class Monitor:
    """Shows a training from the step where this process started; rates count from there."""

    def __init__(
        self,
        course: Course,
        done: int,
        rows: Rows,
        optimiser: torch.optim.Optimizer,
        bar: "Progress | None",
        curves: list[Curves],
    ) -> None:
        """Watch a training from the step after `done`; its log appends to `rows`."""
        self.course, self.rows, self.optimiser = course, rows, optimiser
        self.bar, self.curves = bar, curves
        self.first = self.told = done
        self.rows_told = self.rows_drawn = len(rows)
        self.started = self.told_at = monotonic()
        self.idle = 0.0  # seconds since the last line that were not spent on training

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
        new = self.rows[self.rows_drawn :]
        if new:
            for curves in self.curves:
                for row in new:
                    curves.draw(row)
                curves.draw_more(step, rates_of(self.optimiser))
            self.rows_drawn = len(self.rows)
        passed = step // self.course.stride > self.told // self.course.stride
        if step == self.course.steps or (passed and self.rows[self.rows_told :]):
            self._tell(step)

    def _tell(self, step: int) -> None:
        """One line; the next one's means and images/s begin here."""
        now = monotonic()
        working = max(now - self.told_at - self.idle, 1e-9)
        per_second = (step - self.told) * self.course.images / working
        left = (now - self.started) / (step - self.first) * (self.course.steps - step)
        values = means_and_last(self.rows[self.rows_told :])
        parts = [
            self.course.place(step),
            *(f"{name} {value:.4g}" for name, value in values.items()),
            f"{per_second:.1f} images/s",
            f"{duration(left)} left",
            f"peak memory {peak_memory()}",
        ]
        show(f"{self.course.what}: {', '.join(parts)}", self.bar)
        for curves in self.curves:
            curves.draw_more(step, {"images_per_second": per_second})
        self.told, self.told_at, self.idle = step, now, 0.0
        self.rows_told = len(self.rows)


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
def watched(
    course: Course, name: str, done: int, rows: Rows, optimiser: torch.optim.Optimizer
) -> Iterator[Monitor]:
    """Show a training in this block; `name` is that of its curves, the rest as for `Monitor`."""
    if not world().leads:
        yield Monitor(course, done, rows, optimiser, None, [])
        return
    curves = open_curves(name, rows, done, tensorboard=course.tensorboard)
    try:
        with bar_on_terminal(course, done) as bar:
            yield Monitor(course, done, rows, optimiser, bar, curves)
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
