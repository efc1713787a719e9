"""--device and machine.device of the real commands: what they take, and what they refuse."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from pipeline.devices.device import prefer
from pipeline.devices.gpus import VISIBLE
from tests.models import write_small
from tests.settings import ROOT

ARGUMENTS = {
    **{"seeds": [], "dsrg": [], "teacher": [], "proxy": ["dsrg"], "train": ["dual", "0"]},
    **{"evaluate": ["dual"], "evaluate_dsrg": [], "ensemble": ["weak"]},
}
NEED_NONE = {
    **{"needs": [], "download": [], "split": [], "package": ["dual"], "report": [], "check": ["."]},
    **{"verify": [], "export": ["model.safetensors", "--out", "o"]},
}
FAR = "cuda:99"  # no machine has so many


@pytest.fixture(autouse=True)
def _as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with params.yaml alone; what a command in this process chose is taken back."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VISIBLE, os.environ.get(VISIBLE, "0").split(",")[0])
    yield
    prefer(None)


def call(stage: str, *arguments: str) -> Result:
    """The command, in this process: torch is here already."""
    app = typer.Typer()
    app.command()(importlib.import_module(f"stages.{stage}").main)
    return CliRunner().invoke(app, arguments)


def run(stage: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", f"stages.{stage}", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, capture_output=True, check=False,
    )  # fmt: skip


def choose(text: str) -> None:
    """Write a device into params.yaml."""
    params = Path("params.yaml")
    before = params.read_text("utf-8")
    assert "device: auto " in before
    params.write_text(before.replace("device: auto ", f"device: {text} "), "utf-8")


@pytest.mark.parametrize("stage", ARGUMENTS)
def test_a_device_that_is_none_is_refused_by_every_stage(stage: str) -> None:
    done = call(stage, *ARGUMENTS[stage], "--device", "gpu")
    assert done.exit_code == 1
    wanted = "auto, cpu, cuda, cuda:N with a number, or mps"
    assert done.stderr == f"error: --device: should be {wanted}, not 'gpu'\n"
    assert os.listdir() == ["params.yaml"]


@pytest.mark.parametrize("stage", NEED_NONE)
def test_what_computes_nothing_has_no_such_option(stage: str) -> None:
    done = call(stage, *NEED_NONE[stage], "--device", "cpu")
    assert done.exit_code == 2
    assert "--device" in done.stderr


def test_the_real_command_refuses_what_is_not_there() -> None:
    done = run("seeds", "--device", FAR)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: machine.device or --device: torch sees no {FAR} here")
    assert len(done.stderr.splitlines()) == 1
    assert os.listdir() == ["params.yaml"]


def test_the_option_wins_over_the_param() -> None:
    choose(FAR)
    assert f"torch sees no {FAR} here" in call("dsrg").stderr
    beyond = call("dsrg", "--device", "cpu").stderr
    assert beyond.startswith("error: data/dataset/classes.csv is not there: run `python -m stages")


def test_several_processes_on_one_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("pipeline.devices.launch.elastic_launch", lambda *_: pytest.fail("started"))
    params = Path("params.yaml")
    params.write_text(params.read_text("utf-8").replace("processes: 1 ", "processes: 2 "), "utf-8")
    done = call("proxy", "dsrg", "--device", "cuda:1")
    assert done.exit_code == 1
    assert "cuda:1 is one GPU, and there are 2 processes" in done.stderr


def test_predict_on_the_cpu_and_nowhere_else() -> None:
    write_small(Path())
    Image.radial_gradient("L").convert("RGB").save("a.png")
    done = run("predict", "model.safetensors", "a.png", "--out", "on-cpu", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert Image.open("on-cpu/masks/a.png").size == (256, 256)
    done = run("predict", "model.safetensors", "a.png", "--out", "nowhere", "--device", FAR)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: --device: torch sees no {FAR} here")
    assert not Path("nowhere").exists()
