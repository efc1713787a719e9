"""Training curves as tables and as DVCLive's files."""

import builtins
import csv
from pathlib import Path
from typing import Any

import pytest

from pipeline.curves import Curves
from pipeline.history import write_history


def test_rows_with_different_keys(tmp_path: Path) -> None:
    rows = [{"step": 5, "loss": 1 / 3}, {"step": 10, "loss": 1e-9, "val_miou": 50.0}]
    write_history(tmp_path / "history.csv", rows)
    assert (tmp_path / "history.csv").read_bytes() == (
        b"step,loss,val_miou\n5,0.333333,\n10,1e-09,50\n"
    )


def test_no_rows(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [])
    assert (tmp_path / "history.csv").read_bytes() == b"\n"


def fill(folder: Path) -> Curves:
    with Curves(folder, []) as curves:
        curves.log(1, loss=2.0)
        curves.log(2, loss=1.0)
        curves.log(2, val_miou=30.0)
        curves.log(3, loss=0.5)
    return curves


def test_calls_for_one_step_share_a_row(tmp_path: Path) -> None:
    curves = fill(tmp_path)
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["step"], r["loss"], r["val_miou"]) for r in rows] == [
        ("1", "2", ""),
        ("2", "1", "30"),
        ("3", "0.5", ""),
    ]
    assert curves.last() == {"step": 3, "loss": 0.5, "val_miou": 30.0}


def test_dvclive_gets_the_same_points(tmp_path: Path) -> None:
    pytest.importorskip("dvclive")
    fill(tmp_path)
    folder = tmp_path / "live" / "plots" / "metrics"
    assert (folder / "loss.tsv").read_text() == "step\tloss\n1\t2.0\n2\t1.0\n3\t0.5\n"
    assert (folder / "val_miou.tsv").read_text() == "step\tval_miou\n2\t30.0\n"
    assert not (tmp_path / "live" / "dvc.yaml").exists()
    assert not list(tmp_path.rglob("*.html"))


def test_without_dvclive_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("dvclive"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    fill(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_a_broken_run_leaves_no_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), Curves(tmp_path, []) as curves:
        curves.log(1, loss=1.0)
        raise ValueError("broken")
    assert not (tmp_path / "history.csv").exists()
