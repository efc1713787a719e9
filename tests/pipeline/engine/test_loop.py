"""The training loop: steps, the log, looks at val, the refresh, and stopping between two steps."""

import math
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError, listening
from pipeline.engine.learner import Learner
from pipeline.engine.log import Log, Rows
from pipeline.engine.loop import Task, fit
from pipeline.runs.checkpoint import Checkpoints
from pipeline.runs.monitor import Course
from pipeline.runs.work_key import Key

STEPS, KEY = 200, Key({"for": "a test"})


class Numbered(NamedTuple):
    """A batch that is its number."""

    step: int
    ids: tuple[str, ...]


def course(steps: int) -> Course:
    return Course("x: train", steps, images=4, epoch=None, tensorboard=False)


def numbered(done: int, last: int) -> Iterator[Numbered]:
    for step in range(done + 1, last + 1):
        yield Numbered(step, (f"a{step}", f"b{step}"))


def test_it_is_gradient_descent_with_a_schedule(workspace: Path) -> None:
    """Minimise (w - b)^2 for batches b; by hand with rates 0.1, 0.1, 0.01."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 4.0)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2], gamma=0.1)
    log = Log("x", ("loss", "weight"), every=1)

    def losses(batch: Numbered) -> tuple[Tensor, Tensor]:
        loss = (network.weight[0, 0] - batch.step).square()
        return loss, torch.stack([loss, network.weight[0, 0]])

    learner = Learner(network, optimiser, schedule, log)
    task = Task(course(3), lambda done: numbered(done, 3), losses)
    fit(task, learner, Checkpoints("x", KEY, learner))
    by_hand, w = [], 4.0
    for batch, rate in ((1.0, 0.1), (2.0, 0.1), (3.0, 0.01)):
        by_hand.append({"step": batch, "loss": (w - batch) ** 2, "weight": w})
        w -= rate * 2 * (w - batch)
    assert log.rows == [pytest.approx(row, rel=1e-4) for row in by_hand]
    assert float(network.weight.detach()) == pytest.approx(w)


def train(
    hook: Callable[[int], Tensor | None],
    looks: frozenset[int] = frozenset(),
    score: Callable[[], float] | None = None,
) -> tuple[dict[str, Tensor], Rows]:
    """Train on noise; `hook` sees each step and may replace its loss."""
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 70, 0.5)
    learner = Learner(network, optimiser, schedule, Log("x: train", ("loss", "mean"), every=4))

    def losses(batch: Numbered) -> tuple[Tensor, Tensor]:
        inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(batch.step))
        loss = network(inputs).square().mean()
        other = hook(batch.step)
        loss = loss if other is None else loss * other
        return loss, torch.stack([loss, loss * 0 + batch.step])

    saved = Checkpoints("x", KEY, learner)
    task = Task(course(STEPS), lambda done: numbered(done, STEPS), losses, looks, score)
    fit(task, learner, saved)
    saved.clear()
    return network.state_dict(), learner.log.rows


def nothing(_: int) -> None:
    return None


def test_a_row_holds_the_means_of_its_steps(workspace: Path) -> None:
    _, rows = train(nothing)
    assert [row["step"] for row in rows] == list(range(4, STEPS + 1, 4))
    assert [row["mean"] for row in rows] == [i + 2.5 for i in range(0, STEPS, 4)]
    assert list(rows[0]) == ["step", "loss", "mean"]


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("at", [1, 2, 8, 103, STEPS])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_was_asked_to_stop_ends_in_the_same_bytes(
    at: int, sent: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, rows = train(nothing)
    done = []

    def hook(step: int) -> None:
        done.append(step)
        if step == at:
            os.kill(os.getpid(), sent)

    with pytest.raises(StoppedError, match=f"by {sent.name}") as stopped, listening():
        train(hook)
    assert stopped.value.exit_code == 128 + sent
    assert done[-1] == at  # the step was finished, and no other begun
    again, rows_again = train(done.append)
    assert done[at:] == list(range(at + 1, STEPS + 1))  # and none is done twice
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert rows == rows_again
    assert f"x: resumes after step {at}" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("at", [1, 103, STEPS])
def test_a_loss_that_is_not_finite_ends_it_with_step_and_images(
    workspace: Path, bad: float, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.runs.resume.EVERY", 0.0)
    with pytest.raises(UserError) as told:
        train(lambda step: torch.tensor(bad) if step == at else None)
    assert f"x: train: the loss is not finite at step {at}" in str(told.value)
    assert f"a{at}, b{at}" in str(told.value)
    whole, _ = train(nothing)  # resumes from what was good
    assert all(value.isfinite().all() for value in whole.values())


def test_a_training_whose_batches_end_is_stopping(workspace: Path) -> None:
    """The processes that decode obeyed a signal first: the steps so far are saved."""
    network = nn.Linear(1, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 5)
    learner = Learner(network, optimiser, schedule, Log("x", ("loss",), every=4))

    def losses(batch: Numbered) -> tuple[Tensor, Tensor]:
        loss = network.weight.sum()
        return loss, loss[None]

    saved = Checkpoints("x", KEY, learner)
    with pytest.raises(StoppedError):
        fit(Task(course(9), lambda done: numbered(done, 5), losses), learner, saved)
    again = Checkpoints("x", KEY, learner)
    assert again.done == 5


class Drawn:
    """Curves that remember what was drawn."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def draw(self, row: dict[str, float]) -> None:
        self.rows.append(dict(row))

    def draw_more(self, step: int, values: dict[str, float]) -> None:
        """Nothing more is of interest."""

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.usefixtures("workspace")
def test_a_look_that_is_cut_off_is_taken_again_and_no_step_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []
    looked: list[int] = []
    curves = Drawn()

    def opened(_name: str, rows: Rows, _done: int, *, tensorboard: bool) -> list[Drawn]:
        curves.rows = [dict(row) for row in rows]
        return [curves]

    monkeypatch.setattr("pipeline.runs.monitor.open_curves", opened)

    def score() -> float:
        looked.append(steps[-1] if steps else 0)
        if looked.count(6) == 1:
            raise KeyboardInterrupt
        return 50.0

    looks = frozenset({3, 6, STEPS})
    with pytest.raises(KeyboardInterrupt):
        train(steps.append, looks, score)
    _, rows = train(steps.append, looks, score)
    assert steps == list(range(1, STEPS + 1))
    assert looked == [3, 6, 6, STEPS]
    assert [row["step"] for row in rows if "val_miou" in row] == [3, 6, STEPS]
    assert curves.rows == rows  # the look that was taken again is drawn, too


def test_a_refresh_comes_between_two_steps_and_changes_the_batches(workspace: Path) -> None:
    network = nn.Linear(1, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 5)
    learner = Learner(network, optimiser, schedule, Log("x", ("loss",), every=1))
    happened: list[object] = []

    def batches(done: int) -> Iterator[Numbered]:
        happened.append(f"batches from {done}")
        return numbered(done, 3 if done < 3 else 5)

    def losses(batch: Numbered) -> tuple[Tensor, Tensor]:
        happened.append(batch.step)
        loss = network.weight.sum()
        return loss, loss[None]

    task = Task(
        course(5), batches, losses, refresh_after=3, refresh=lambda: happened.append("refresh")
    )
    fit(task, learner, Checkpoints("x", KEY, learner))
    assert happened == ["batches from 0", 1, 2, 3, "refresh", "batches from 3", 4, 5]
