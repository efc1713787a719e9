"""Training curves as tables: one row a step, whatever was measured of it."""

from pathlib import Path

from pipeline.history import has, last_values, log, means_and_last, write_history


def test_rows_with_different_keys(tmp_path: Path) -> None:
    rows = [{"step": 5, "loss": 1 / 3}, {"step": 10, "loss": 1e-9, "val_miou": 50.0}]
    write_history(tmp_path / "history.csv", rows)
    assert (tmp_path / "history.csv").read_bytes() == (
        b"step,loss,val_miou\n5,0.333333,\n10,1e-09,50\n"
    )


def test_no_rows(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [])
    assert (tmp_path / "history.csv").read_bytes() == b"\n"


def logged() -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    log(rows, 1, loss=2.0)
    log(rows, 2, loss=1.0)
    log(rows, 2, val_miou=30.0)
    log(rows, 3)
    log(rows, 4, loss=0.5)
    return rows


def test_calls_for_one_step_share_a_row() -> None:
    rows = logged()
    assert rows == [
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": 1.0, "val_miou": 30.0},
        {"step": 4, "loss": 0.5},
    ]
    assert last_values(rows) == {"step": 4, "loss": 0.5, "val_miou": 30.0}
    assert has(rows[:2], 2, "val_miou")
    assert not has(rows[:2], 1, "loss")
    assert not has(rows, 4, "val_miou")
    assert not has([], 0, "loss")


def test_losses_are_means_and_scores_the_last() -> None:
    rows = [*logged(), {"step": 5, "val_miou": 40.0}]
    assert means_and_last(rows) == {"loss": 3.5 / 3, "val_miou": 40.0}
    assert means_and_last([]) == {}
