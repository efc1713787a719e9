"""What is seen of a training: its lines, its rates by a clock that stands still, its bar."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.devices.distributed import World
from pipeline.engine.log import Log
from pipeline.runs import monitor as module
from pipeline.runs.monitor import Course, means_and_last, watched
from pipeline.settings.paths import LIVE

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
    monkeypatch.setattr("pipeline.runs.curves._open_live", lambda _folder: None)
    return clock


def course(steps: int = 12, epoch: int | None = 4) -> Course:
    return Course("train: x", steps, images=16, epoch=epoch, tensorboard=False)


def run(
    course: Course,
    clock: Clock,
    *,
    every: int = 1,
    done: int = 0,
    rows: list[dict[str, float]] | None = None,
    look: Callable[[int], float | None] = lambda _: None,
) -> None:
    """Steps of two seconds each, whose losses are their numbers; `look` scores val, or not."""
    log = Log("train: x", ("loss", "term"), every)
    log.rows = [] if rows is None else rows
    optimiser = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    with watched(course, "x", done, log.rows, optimiser) as monitor:
        for step in range(done + 1, course.steps + 1):
            clock.now += 2.0
            log.add(step, torch.tensor([float(step), 2.0 * step]), ())
            with monitor.paused():
                score = look(step)
            if score is not None:
                log.measure(step, val_miou=score)
            monitor.after(step)


def test_losses_are_means_and_scores_the_last() -> None:
    rows = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "val_miou": 30.0}]
    rows += [{"step": 4, "loss": 0.5}, {"step": 5, "val_miou": 40.0}]
    assert means_and_last(rows) == {"loss": 3.5 / 3, "val_miou": 40.0}
    assert means_and_last([]) == {}


def test_a_line_an_epoch(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def look(step: int) -> float | None:
        if step != 8:
            return None
        clock.now += 40.0  # val is scored: no images are trained on, but it takes its time
        return 52.25

    run(course(), clock, look=look)
    assert capsys.readouterr().err.splitlines() == [
        # Sixteen images in two seconds are 8.0 a second; eight steps of two seconds are left.
        f"train: x: epoch 1/3, step 4/12, loss 2.5, term 5, 8.0 images/s, 0:16 left, {PEAK}",
        # (8 steps of 2 s and 40 s) / 8 steps = 7 s a step for the four steps left.
        "train: x: epoch 2/3, step 8/12, loss 6.5, term 13, val_miou 52.25, 8.0 images/s, "
        f"0:28 left, {PEAK}",
        f"train: x: epoch 3/3, step 12/12, loss 10.5, term 21, 8.0 images/s, 0:00 left, {PEAK}",
    ]


def test_a_resumed_training_counts_from_there(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.now += 1000.0
    run(course(), clock, done=6, rows=[{"step": 6, "loss": 900.0}])  # an earlier process's
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("train: x: epoch 2/3, step 8/12, loss 7.5, term 15, 8.0 images/s, ")
    assert "0:08 left" in lines[0]
    assert len(lines) == 2


def test_a_training_counted_in_steps_has_twenty_lines(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    run(course(200, None), clock, every=4)
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
    run(course(12, 2), clock, every=5)
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
    run(course(), clock)
    assert capsys.readouterr().err == ""
    assert not LIVE.exists()


def test_where_there_is_no_terminal_lines_are_plain(
    clock: Clock, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    run(course(), clock)
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
        run(course(), clock)
    shown = all_of(reader)
    assert "━" in shown
    assert shown.count("images/s") == 3
    screen = after_it_was_drawn(shown)
    assert [line[:22] for line in screen if line] == [
        "train: x: epoch 1/3, s",
        "train: x: epoch 2/3, s",
        "train: x: epoch 3/3, s",
    ]


def all_of(reader: int) -> str:
    """What was written to a terminal that is closed; the system may hand it over in parts."""
    shown = b""
    with os.fdopen(reader, "rb", buffering=0) as terminal, suppress(OSError):  # EIO: no more
        while part := terminal.read(1 << 16):
            shown += part
    return shown.decode()


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
