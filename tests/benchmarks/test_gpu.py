"""`make gpu`, rehearsed on a CPU in small sizes: every part, resuming, and the page."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import gpu, whole_run
from tests.settings import ROOT
from tests.trees import make_voc

app = gpu.typer.Typer()
app.command()(gpu.main)


@pytest.fixture(autouse=True)
def small(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_run, "DISTINCT", 2)


def called(*arguments: str, out: str = "out") -> str:
    result = CliRunner().invoke(app, [*arguments, "--out", out, "--toy"])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_every_part_gives_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part for part in gpu.parts_of() if part != "tests"]
    Path("out/toy").mkdir(parents=True)
    for part in parts:
        called("--part", part, out="out/toy")
    monkeypatch.setattr(gpu, "parts_of", list)
    called()
    found = json.loads(Path("out/toy/gpu.json").read_text("utf-8"))
    assert found["device"] == "CPU"
    tables = found["tables"]
    repeats = tables["Two trainings of one seed"]
    assert [line["same bytes"] for line in repeats] == [True, True]
    assert {line["precision"] for line in tables["Precision"]} == {*gpu.PRECISIONS}
    recipes = tables["A training of each recipe's network"]
    assert {line["recipe"] for line in recipes} == {*gpu.RECIPES}
    for line in recipes:
        assert line["steps"] == 2
        assert line["images/s"] > 0
        assert line["loss, first tenth"] > 0
    page = Path("out/toy/index.html").read_text("utf-8")
    assert all(f"<td>{name}" in page.replace("\n", "") for name in gpu.RECIPES)
    assert "<td>yes" in page.replace("\n", "")


def test_a_part_that_ended_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "parts_of", lambda: ["tests", "bench nothing"])
    first = called()
    assert "tests: " in first
    assert "bench nothing: " in first  # a name that is no benchmark is left out by its line
    lines = json.loads(Path("out/toy/tests.json").read_text("utf-8"))["lines"]
    assert len(lines) >= 3
    assert {line["result"] for line in lines} <= {"skipped", "passed"}
    assert called() == f"wrote {Path('out/toy/index.html').resolve()}\n"


def test_stages_on_photographs_go_on_where_they_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    make_voc(Path("voc"), sbd=False)
    monkeypatch.setattr(gpu, "parts_of", list)
    monkeypatch.setattr(gpu, "stages_of", lambda _params: ["needs", "download", "train dual 0"])
    said = called("--photographs", "voc", "--weights", "none")
    assert (
        f"stage train dual 0: failed, see {Path('out/toy').resolve()}/stage-train-dual-0.log"
        in said
    )
    assert "stages.split" in Path("out/toy/stage-train-dual-0.log").read_text("utf-8")
    monkeypatch.setattr(gpu, "stages_of", lambda _params: ["needs", "download"])
    assert "stage needs" not in called("--photographs", "voc", "--weights", "none")
    found = json.loads(Path("out/toy/gpu.json").read_text("utf-8"))
    stages = [line["stage"] for line in found["tables"]["Stages on photographs"]]
    assert stages == ["download", "needs"]
    assert Path("out/toy/photographs/data/dataset/manifest.csv").exists()


def test_the_stages_are_those_of_dvc() -> None:
    params = gpu.changed(ROOT / "recipes/voc-squeezenet.yaml", False, {})
    commands = list(gpu.stages_of(params))
    assert commands.index("dsrg") < commands.index("proxy dsrg") < commands.index("split")
    assert commands[-1] == "report"
    text = (ROOT / "dvc.yaml").read_text("utf-8")
    named = {line.split("stages.")[1].split()[0] for line in text.splitlines() if "cmd:" in line}
    assert {command.split()[0] for command in commands} == named - {"ensemble"}
