"""Curves that grow while a training runs: DVCLive's files and TensorBoard's."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from pipeline.runs.curves import EventFiles, LiveFiles, Rows, open_curves
from pipeline.settings.paths import LIVE, TENSORBOARD
from tests.events import scalars

LOSS = LIVE / "x" / "plots" / "metrics" / "loss.tsv"
ROWS: Rows = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "val_miou": 30.0}]


def test_dvclive_has_each_row_as_soon_as_it_is_drawn(workspace: Path) -> None:
    (live,) = open_curves("x", [], 0, tensorboard=False)
    assert isinstance(live, LiveFiles)
    live.draw(ROWS[0])
    assert LOSS.read_text() == "step\tloss\n1\t2.0\n"
    live.draw(ROWS[1])
    live.draw_more(2, {"learning_rate/new": 0.1})
    assert LOSS.read_text() == "step\tloss\n1\t2.0\n2\t1.0\n"
    assert LOSS.with_name("val_miou.tsv").read_text() == "step\tval_miou\n2\t30.0\n"
    live.close()
    written = {path.relative_to(LIVE / "x").as_posix() for path in (LIVE / "x").rglob("*.*")}
    assert written == {
        "metrics.json",
        "plots/metrics/loss.tsv",
        "plots/metrics/val_miou.tsv",
    }


def test_a_training_that_goes_on_has_no_step_twice(workspace: Path) -> None:
    """The first process drew steps 1 to 3 and was killed; its checkpoint is of step 2."""
    first = open_curves("x", [], 0, tensorboard=True)
    for curves in first:
        for row in (*ROWS, {"step": 3, "loss": 9.0}):
            curves.draw(row)
        curves.draw_more(3, {"images_per_second": 70.0})
    second = open_curves("x", ROWS, 2, tensorboard=True)
    for curves in second:
        curves.draw({"step": 3, "loss": 0.5})
        curves.draw_more(3, {"images_per_second": 60.0})
        curves.close()
    assert LOSS.read_text() == "step\tloss\n1\t2.0\n2\t1.0\n3\t0.5\n"
    assert scalars(TENSORBOARD / "x") == {
        "loss": [(1, 2.0), (2, 1.0), (3, 0.5)],
        "val_miou": [(2, 30.0)],
        "images_per_second": [(3, 60.0)],
    }


def test_a_training_that_starts_afresh_leaves_nothing_of_an_earlier_one(workspace: Path) -> None:
    for _ in range(2):
        for curves in open_curves("x", [], 0, tensorboard=True):
            curves.draw(ROWS[0])
            curves.close()
    assert LOSS.read_text() == "step\tloss\n1\t2.0\n"
    assert scalars(TENSORBOARD / "x") == {"loss": [(1, 2.0)]}


def test_event_files_that_are_asked_for_late_have_the_rows_from_before(workspace: Path) -> None:
    for curves in open_curves("x", ROWS, 2, tensorboard=True):
        curves.close()
    assert scalars(TENSORBOARD / "x")["loss"] == [(1, 2.0), (2, 1.0)]


def test_without_dvclive_there_are_no_live_curves(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("dvclive"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert open_curves("x", ROWS, 2, tensorboard=False) == []
    (events,) = open_curves("x", ROWS, 2, tensorboard=True)
    assert isinstance(events, EventFiles)
    events.close()
    assert not LIVE.exists()
