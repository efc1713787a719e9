"""The log: the first bad step, shared rows, the last values, and its CSV."""

import math
from pathlib import Path

import pytest
import torch

from pipeline.base.errors import UserError
from pipeline.engine.log import Log, write_history


def test_the_first_bad_step_is_named() -> None:
    log = Log("x", ("a", "b"), every=4)
    shown = ([1.0, 2.0], [1.0, math.nan], [1.0, 1.0], [math.inf, 1.0])
    with pytest.raises(
        UserError, match="x: the loss is not finite at step 2, whose batch is i2, j2"
    ):
        for step, terms in enumerate(shown, 1):
            log.add(step, torch.tensor(terms), (f"i{step}", f"j{step}"))


def test_a_bad_loss_is_never_saved() -> None:
    log = Log("x", ("a",), every=4)
    log.add(1, torch.tensor([math.nan]), ("i",))
    with pytest.raises(UserError, match="step 1"):
        log.state()


def test_sums_survive_a_stop_between_two_rows() -> None:
    log, again = (Log("x", ("a",), every=4) for _ in range(2))
    for step in (1, 2, 3):
        assert not log.add(step, torch.tensor([float(step)]), ())
    again.restore(log.state(), torch.device("cpu"))
    assert again.add(4, torch.tensor([4.0]), ())
    assert again.rows == [{"step": 4, "a": 2.5}]


def test_calls_for_one_step_share_a_row() -> None:
    log = Log("x", ("loss",), every=1)
    log.measure(1, loss=2.0)
    log.measure(2, loss=1.0)
    log.measure(2, val_miou=30.0)
    assert log.has(2, "val_miou")
    assert not log.has(1, "loss")
    log.measure(4, loss=0.5)
    assert log.rows == [
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": 1.0, "val_miou": 30.0},
        {"step": 4, "loss": 0.5},
    ]
    assert log.last() == {"step": 4, "loss": 0.5, "val_miou": 30.0}
    assert not log.has(4, "val_miou")
    assert not Log("x", (), every=1).has(0, "loss")


def test_rows_with_different_keys(tmp_path: Path) -> None:
    rows = [{"step": 5, "loss": 1 / 3}, {"step": 10, "loss": 1e-9, "val_miou": 50.0}]
    write_history(tmp_path / "history.csv", rows)
    assert (tmp_path / "history.csv").read_bytes() == (
        b"step,loss,val_miou\n5,0.333333,\n10,1e-09,50\n"
    )


def test_no_rows(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [])
    assert (tmp_path / "history.csv").read_bytes() == b"\n"
