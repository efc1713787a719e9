"""The benchmarks' own rules: who takes turns, what counts as met, and what lands in the file."""

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import (
    coco_size,
    limits,
    markdown,
    operations,
    predicting,
    scale,
    whole_run,
)
from benchmarks.timing import Row, in_turns
from benchmarks.walk import commands
from tests.settings import ROOT, small_params

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


def test_what_a_photograph_costs_is_measured_by_the_real_stages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scale, "DISTINCT", 2)
    costs = scale.measure(12)
    assert {*scale.MEASURED} < {*costs}
    assert all(cost.peak > 30 and cost.seconds > 0 for cost in costs.values())
    ramp = {n: scale.Cost(400.0, 3.0 + 0.1 * n) for n in scale.SIZES}
    monkeypatch.setattr(scale, "measure", lambda n: dict.fromkeys(scale.MEASURED, ramp[n]))
    first, *_ = scale.rows()
    assert (first.ours, first.peer, first.met) == (pytest.approx(100), pytest.approx(100), True)
    assert first.note == "10.0 images/s, 118,000: 3.3 core-hours; 400 MB, then 400"


def test_the_table_and_the_file_hold_every_row(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"one": [row(2.0, 6.0, 3.0)], "two": [row(9.0, 6.0, 3.0), row(1.0, 6.0, 3.0)]}
    (workspace / "benchmarks").mkdir()
    monkeypatch.setattr(command, "DEFAULT", ("one", "two"))
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


def test_a_training_of_photographs_reads_files(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_dvc_runs_is_read_from_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"strong": 4, "weak": 8, "val": 3}
    changes = {f"download.shapes.{split}": count for split, count in few.items()}
    monkeypatch.setattr(coco_size, "IMAGES", few)
    monkeypatch.setattr(coco_size, "CHANGES", {**coco_size.CHANGES, **changes})
    monkeypatch.setattr(coco_size, "TARGETS", ["download"])
    peak, status, again = coco_size.rows()
    assert peak.name.startswith("peak of download at 12 images")
    assert status.unit == again.unit == "s"


def test_operations_are_those_of_convolutions() -> None:
    work = {w.stage: w for w in operations.works(small_params())}
    assert all(w.images > 0 and w.operations > 0 for w in work.values())
    layer, image = torch.nn.Conv2d(3, 5, 3, bias=False), torch.zeros(1, 3, 10, 12)
    assert operations.counted(lambda: layer(image)) == 2 * (8 * 10) * 5 * (3 * 3 * 3)


def test_a_newcomer_walks_by_the_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    walked = commands("ADDRESS", Path("../photos"), Path("../new"))
    for part in (part for typed, _ in walked for part in typed.split(" && ")):
        program = re.match(r"(git|make|swseg) \w+|cd \S+", part)
        assert program is not None, part
        assert program[0] in readme, part
