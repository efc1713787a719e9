"""The training loop: steps, means, losses that are not finite, and stopping between two steps."""

import math
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline.checkpoint import Checkpoints, Learner
from pipeline.engine import first_bad, fit, train_to_end
from pipeline.errors import UserError
from pipeline.keys import Key
from pipeline.monitor import Course
from pipeline.stopping import StoppedError, listening

STEPS, KEY = 200, Key({"for": "a test"})


def test_fit_is_gradient_descent_with_a_schedule() -> None:
    """Minimise (w - b)^2 for batches b; by hand with rates 0.1, 0.1, 0.01."""
    weight = nn.Parameter(torch.tensor(4.0))
    optimiser = torch.optim.SGD([weight], lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2], gamma=0.1)

    def losses(batch: float) -> tuple[Tensor, Tensor]:
        loss = (weight - batch).square()
        return loss, torch.stack([loss, weight])

    learner = Learner(nn.Module(), optimiser, schedule)
    shown = list(fit(learner, [1.0, 2.0, 3.0], losses))
    by_hand, w = [], 4.0
    for batch, rate in ((1.0, 0.1), (2.0, 0.1), (3.0, 0.01)):
        by_hand.append([(w - batch) ** 2, w])
        w -= rate * 2 * (w - batch)
    assert [row.tolist() for row in shown] == [pytest.approx(row, rel=1e-4) for row in by_hand]
    assert float(weight.detach()) == pytest.approx(w)
    assert not any(row.requires_grad for row in shown)


def train(hook: Callable[[int], Tensor | None]) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """Train on noise; `hook` sees each step and may replace its loss."""
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    learner = Learner(network, optimiser, torch.optim.lr_scheduler.StepLR(optimiser, 70, 0.5))

    def losses(step: int) -> tuple[Tensor, Tensor]:
        inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
        loss = network(inputs).square().mean()
        other = hook(step)
        loss = loss if other is None else loss * other
        return loss, torch.stack([loss, loss * 0 + step])

    saved = Checkpoints("x", KEY, learner)
    left = range(saved.done + 1, STEPS + 1)
    rows = train_to_end(
        saved,
        left,
        losses,
        lambda step: [f"a{step}", f"b{step}"],
        names=("loss", "mean"),
        course=Course("x: train", STEPS, images=4, epoch=None, tensorboard=False),
    )
    saved.clear()
    return network.state_dict(), rows


def nothing(_: int) -> None:
    return None


def test_means_come_at_every_so_manieth_step(workspace: Path) -> None:
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
    assert f"x: goes on after step {at}" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("at", [1, 103, STEPS])
def test_a_loss_that_is_not_finite_ends_it_with_step_and_images(
    workspace: Path, bad: float, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kept.EVERY", 0.0)
    with pytest.raises(UserError) as told:
        train(lambda step: torch.tensor(bad) if step == at else None)
    assert f"x: train: the loss is not finite at step {at}" in str(told.value)
    assert f"a{at}, b{at}" in str(told.value)
    whole, _ = train(nothing)  # goes on from what was good
    assert all(value.isfinite().all() for value in whole.values())


def test_the_first_bad_step_is_kept() -> None:
    bad = torch.tensor(math.inf)
    for step, shown in enumerate(([1.0, 2.0], [1.0, math.nan], [1.0, 1.0], [math.inf, 1.0]), 1):
        bad = first_bad(bad, torch.tensor(shown), step)
    assert float(bad) == 2
