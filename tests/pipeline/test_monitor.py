"""What is seen of a training: its lines, its rates by a clock that stands still, its bar."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline import monitor as module
from pipeline.checkpoint import Checkpoints, Learner
from pipeline.distributed import World
from pipeline.engine import train_steps
from pipeline.history import log
from pipeline.keys import Key
from pipeline.monitor import Course
from pipeline.paths import LIVE

PEAK = "peak memory 1.5 GB"


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """An empty folder, a clock that stands still, no DVCLive and a known peak of memory."""
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    monkeypatch.setattr(module, "peak_memory_mb", lambda: 1500)
    monkeypatch.setattr("pipeline.curves._open_live", lambda _folder: None)
    return clock


def checkpoints() -> Checkpoints:
    optimiser = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 5)
    return Checkpoints("x", Key({"for": "a test"}), Learner(nn.Linear(2, 1), optimiser, schedule))


def course(steps: int = 12, epoch: int | None = 4) -> Course:
    return Course("train: x", steps, images=16, epoch=epoch, tensorboard=False)


def train(
    saved: Checkpoints, course: Course, clock: Clock, *, every: int = 1
) -> Iterator[tuple[int, dict[str, float]]]:
    """Steps of two seconds each, whose losses are their numbers."""
    weight = nn.Parameter(torch.tensor(1.0))

    def losses(step: int) -> tuple[Tensor, Tensor]:
        clock.now += 2.0
        return weight.square(), torch.tensor([float(step), 2.0 * step])

    left = range(saved.done + 1, course.steps + 1)
    names = ("loss", "term")
    return train_steps(saved, left, losses, lambda _: [], names=names, every=every, course=course)


def run(saved: Checkpoints, course: Course, clock: Clock, *, every: int = 1) -> None:
    for step, means in train(saved, course, clock, every=every):
        log(saved.rows, step, **means)


def test_a_line_an_epoch(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    saved = checkpoints()
    for step, means in train(saved, course(), clock):
        log(saved.rows, step, **means)
        if step == 8:
            clock.now += 40.0  # val is scored: no images are trained, but it takes its time
            log(saved.rows, step, val_miou=52.25)
    assert capsys.readouterr().err.splitlines() == [
        # Sixteen images in two seconds are 8.0 a second; eight steps of two seconds are left.
        f"train: x: epoch 1/3, step 4/12, loss 2.5, term 5, 8.0 images/s, 0:16 left, {PEAK}",
        # (8 steps of 2 s and 40 s) / 8 steps = 7 s a step for the four steps left.
        "train: x: epoch 2/3, step 8/12, loss 6.5, term 13, val_miou 52.25, 8.0 images/s, "
        f"0:28 left, {PEAK}",
        f"train: x: epoch 3/3, step 12/12, loss 10.5, term 21, 8.0 images/s, 0:00 left, {PEAK}",
    ]


def test_a_training_that_goes_on_counts_from_there(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = checkpoints()
    saved.done = 6
    log(saved.rows, 6, loss=900.0)  # an earlier process's
    clock.now += 1000.0
    run(saved, course(), clock)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("train: x: epoch 2/3, step 8/12, loss 7.5, term 15, 8.0 images/s, ")
    assert "0:08 left" in lines[0]
    assert len(lines) == 2


def test_a_training_counted_in_steps_has_twenty_lines(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    run(checkpoints(), course(200, None), clock, every=4)
    lines = capsys.readouterr().err.splitlines()
    assert [re.findall(r"step (\d+)/200", line) for line in lines] == [
        [str(step)] for step in range(10, 201, 10)
    ]
    # Rows of steps 1 to 4 and 5 to 8 are read by step 10; 9 and 10 are in the next line's.
    assert "step 10/200, loss 4.5, term 9, 8.0 images/s, 6:20 left" in lines[0]
    assert "step 20/200, loss 14.5, term 29," in lines[1]


def test_an_epoch_shorter_than_a_row_waits_for_it(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    run(checkpoints(), course(12, 2), clock, every=5)
    lines = capsys.readouterr().err.splitlines()
    assert [re.findall(r"epoch (\d+)/6, step (\d+)", line)[0] for line in lines] == [
        ("3", "5"),
        ("5", "10"),
        ("6", "12"),
    ]
    assert "loss" not in lines[2]  # the last two steps fill no row


def test_only_the_leading_process_shows(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "world", lambda: World(1, 2))
    run(checkpoints(), course(), clock)
    assert capsys.readouterr().err == ""
    assert not LIVE.exists()


def test_where_there_is_no_terminal_lines_are_plain(
    clock: Clock, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    run(checkpoints(), course(), clock)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 3
    assert not re.search(r"[^\n\x20-\x7e]", printed.err)  # no control characters, no \r


def test_a_terminal_has_a_bar_that_vanishes_under_lines_that_stay(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    reader, writer = os.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        run(checkpoints(), course(), clock)
    os.set_blocking(reader, False)
    shown = os.read(reader, 1 << 20).decode()
    os.close(reader)
    assert "━" in shown
    assert shown.count("images/s") == 3
    screen = after_it_was_drawn(shown)
    assert [line[:22] for line in screen if line] == [
        "train: x: epoch 1/3, s",
        "train: x: epoch 2/3, s",
        "train: x: epoch 3/3, s",
    ]


def after_it_was_drawn(shown: str) -> list[str]:
    """What stands on a terminal at the end: text, line feeds, and the three controls rich uses."""
    lines, row = [""], 0
    for text, control in re.findall(r"([^\x1b\r\n]+)|(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", shown):
        if text:
            lines[row] += text
        elif control == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif control.endswith("A"):
            row -= int(control[2:-1])
        elif control == "\x1b[2K":
            lines[row] = ""
        elif control == "\r":
            pass  # rich erases the line next
    return lines
