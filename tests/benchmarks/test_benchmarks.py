"""The benchmarks' own rules: who takes turns, what counts as met, and what lands in the file."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import (
    growth,
    limits,
    markdown,
    memory,
    predicting,
    recipes,
    whole_run,
)
from benchmarks.timing import Row, in_turns
from tests.settings import small_params

app = command.typer.Typer()
app.command()(command.main)


def row(ours: float, peer: float, target: float) -> Row:
    return Row("a", "b", ours, peer, "ms", target)


def test_a_ratio_says_how_much_better_we_are() -> None:
    assert row(2.0, 6.0, 3.0).ratio == 3.0
    assert row(2.0, 6.0, 3.0).met
    assert not row(2.1, 6.0, 3.0).met
    assert row(2.0, 6.0, 3.0).as_dict()["met"] is True


def test_sides_take_turns_and_the_first_round_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    clock = {"now": 0.0}
    cost = {"a": iter([9.0, 3.0, 2.0]), "b": iter([9.0, 5.0, 7.0])}

    def side(name: str) -> None:
        called.append(name)
        clock["now"] += next(cost[name])

    monkeypatch.setattr("time.perf_counter", lambda: clock["now"])
    assert in_turns(lambda: side("a"), lambda: side("b"), rounds=2) == [2.0, 5.0]
    assert called == ["a", "b"] * 3


def test_growth_is_measured_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SMALL", 50)
    monkeypatch.setattr(growth, "LARGE", 200)
    made = list(growth.rows())
    assert [r.unit for r in made] == ["µs an image", "µs an image", "MB"]
    assert all(r.ours > 0 and r.peer > 0 for r in made[:2])


def test_memory_is_that_of_the_real_stages() -> None:
    costs = memory.measure(12)
    assert list(costs) == ["split", "evaluate", "report"]
    assert all(cost.peak > 30 and cost.seconds > 0 for cost in costs.values())


def test_memory_is_held_against_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = {memory.SMALL: 500.0, memory.LARGE: 600.0}
    monkeypatch.setattr(
        memory, "measure", lambda count: dict.fromkeys(memory.STAGES, memory.Cost(peaks[count], 2))
    )
    made = list(memory.rows())
    assert [(r.ours, r.peer, r.met) for r in made] == [(600.0, memory.BUDGET, True)] * 3
    assert made[0].note == "500 MB at 1,000; 2 s"


def test_the_table_and_the_file_hold_every_row(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"one": [row(2.0, 6.0, 3.0)], "two": [row(9.0, 6.0, 3.0), row(1.0, 6.0, 3.0)]}
    (workspace / "benchmarks").mkdir()
    monkeypatch.setattr(command, "MODULES", ("one", "two"))
    monkeypatch.setattr(
        command,
        "import_module",
        lambda name: type("M", (), {"rows": staticmethod(lambda: rows[name.split(".")[1]])}),
    )
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    assert "3.00x" in result.output
    assert "MISSED" in result.output
    path = workspace / "benchmarks/latest.json"
    written = json.loads(path.read_text("utf-8"))
    assert [entry["met"] for entry in written] == [True, False, True]
    keys = {"name", "ours", "peer", "unit", "ratio", "target", "met", "commit", "device"}
    assert keys <= set(written[0])
    rows["one"] = [row(4.0, 6.0, 3.0)]
    CliRunner().invoke(app, ["one"])  # replaces its own rows and keeps the others
    renewed = json.loads(path.read_text("utf-8"))
    assert [entry["ours"] for entry in renewed] == [4.0, 9.0, 1.0]
    assert renewed[1:] == written[1:]


def test_an_unknown_name_is_refused() -> None:
    result = CliRunner().invoke(app, ["speed"])
    assert result.exit_code == 2
    assert "no benchmark 'speed'" in result.output


def test_a_training_step_is_the_same_with_and_without_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = pytest.importorskip("benchmarks.training")
    monkeypatch.setattr(training, "size", lambda _: (2, 32))
    plain, ours = training.dual_step(None), training.dual_step(small_params().engine)
    for _ in range(3):
        torch.testing.assert_close(plain(), ours(), rtol=1e-4, atol=1e-4)
    made = list(training.rows())
    assert len(made) == 4
    assert all(r.ours > 0 and r.peer > 0 for r in made)
    assert all(r.limit and r.limit < r.ours for r in made[:2])


def test_a_recipe_is_measured_in_a_process_of_its_own() -> None:
    found = recipes.measure(Path("params.yaml"))
    assert found["seconds"] > 0
    assert found["peak"] > 100


def test_the_main_run_trains_on_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_run, "DISTINCT", 2)
    params = small_params(**{"train.epochs": 1, "train.decay_epoch": 1})
    done = whole_run.train_dual(params, strong=3, weak=4)
    assert done.seconds > 0
    assert done.steps == len(done.losses) == 2  # halves of two


def test_limits_are_rates() -> None:
    assert limits.memory_rate("cpu") > 1e8
    assert limits.matrix_rate("cpu", torch.float32) > 1e8


def test_the_page_shows_the_last_measurement() -> None:
    """docs/benchmarks.md is written from latest.json, not by hand."""
    entries = json.loads(Path("benchmarks/latest.json").read_text("utf-8"))
    text = Path("docs/benchmarks.md").read_text("utf-8")
    assert markdown.table(entries) in text


def test_predicting_is_measured_by_the_real_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "IMAGES", 2)
    monkeypatch.setattr(predicting, "ROUNDS", 1)
    monkeypatch.setattr(predicting, "LARGE_IMAGES", 2)
    monkeypatch.setattr(predicting, "LARGE", (300, 200))
    first, *others = predicting.rows()
    assert first.ours > 0.5  # torch alone takes longer to import
    assert len(others) == 3
    assert all(row.ours > 0 and row.peer > 0 for row in others)
    assert all(" MB" in row.note for row in others[1:])
