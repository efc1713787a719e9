"""Stages that are stopped half-way: the same command resumes, and ends in the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.settings import ROOT, SMALL, files_of, late, put, raw_values, remove

ENV = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
CHANGES = {"variants": ["strong", "dual"], "ensembles": ["dual"], "seeds": [0, 1]}
CHANGES |= {"evaluate.batch_size": 1, "cam.optimiser.batch_size": 2}
CHAIN = [
    *(["download"], ["seeds"], ["dsrg"], ["proxy", "dsrg"], ["split"]),
    *(["train", variant, seed] for variant in ("strong", "dual") for seed in "01"),
    *(["evaluate", "dual"], ["evaluate_dsrg"], ["ensemble", "dual"]),
]
# What of a stage to slow down, what it leaves, and how it is stopped.
CASES = [
    (["seeds"], "weak.seeds.seeds", "place_seeds", ["data/seeds"], signal.SIGKILL),
    (["proxy", "dsrg"], "weak.proxy.proxy", "write_mask", ["data/proxy/dsrg"], signal.SIGTERM),
    (["proxy", "dsrg"], "weak.proxy.quality", "image_iou", ["data/proxy/dsrg"], signal.SIGKILL),
    (
        ["evaluate", "dual"],
        "scoring.score",
        "write_mask",
        ["data/predictions/dual", "results/*/*/dual.*"],
        signal.SIGTERM,
    ),
    (
        ["evaluate_dsrg"],
        "scoring.score",
        "write_mask",
        ["data/predictions/dsrg", "results/*/*/dsrg.*"],
        signal.SIGKILL,
    ),
    (
        ["ensemble", "dual"],
        "evaluate.ensemble",
        "joined",
        ["results/*/*/ensemble_dual.*"],
        signal.SIGTERM,
    ),
]
IDS = ["seeds", "proxy", "quality", "evaluate", "evaluate_dsrg", "ensemble"]

pytestmark = pytest.mark.slow


def run(*arguments: str, cwd: Path) -> str:
    """Run a stage that must succeed; what it said on the way."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=cwd, env=ENV, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage ran undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(put(put(raw_values(), SMALL), CHANGES), file)
    for name, *arguments in CHAIN:
        run(f"stages.{name}", *arguments, cwd=folder)
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def files(folder: Path, output: str) -> dict[str, bytes]:
    """Every file of an output, which is a folder or a pattern of files."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in files_of(folder, output)}


@pytest.mark.parametrize(("command", "module", "function", "outputs", "sent"), CASES, ids=IDS)
def test_a_stage_that_was_stopped_goes_on(
    whole: Path,
    copy: Path,
    command: list[str],
    module: str,
    function: str,
    outputs: list[str],
    sent: signal.Signals,
) -> None:
    for output in outputs:
        remove(copy, output)
    process = subprocess.Popen(
        [sys.executable, "-c", late(module, function, command[0], 0.1), *command[1:]],
        cwd=copy,
        env={**ENV, "CHECKPOINT_SECONDS": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(states := list((copy / "data/checkpoints").rglob("*-of-1/*.pt"))) < 2:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    done = max(int(path.name.split("-")[0]) for path in states)
    process.send_signal(sent)
    asked = time.monotonic()
    said = process.communicate()[1]
    assert process.returncode == (-9 if sent == signal.SIGKILL else 143), said
    assert time.monotonic() - asked < 10
    assert "Traceback" not in said
    assert not files(copy, outputs[0])
    again = run(f"stages.{command[0]}", *command[1:], cwd=copy)
    went_on = [int(line.split()[-1]) for line in again.splitlines() if "resumes after" in line]
    assert went_on[-1] >= done
    for output in outputs:
        assert files(copy, output) == files(whole, output) != {}
    assert not list((copy / "data/checkpoints").iterdir())


def test_two_runs_of_one_stage_do_not_mix(copy: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", late("weak.proxy.proxy", "write_mask", "proxy", 5.0), "dsrg"],
        cwd=copy, env=ENV, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (copy / "data/proxy/.dsrg.part").exists():
        assert process.poll() is None
        time.sleep(0.02)
    command = [sys.executable, "-c", "import pipeline.base.atomic as a, runpy; a.PATIENCE = 0.5; "
               "runpy.run_module('stages.proxy', run_name='__main__')", "dsrg"]  # fmt: skip
    second = subprocess.run(command, cwd=copy, env=ENV, text=True, capture_output=True, check=False)
    process.kill()
    process.wait()
    assert second.returncode == 1
    assert "error: another process is using data/proxy/dsrg" in second.stderr
    run("stages.proxy", "dsrg", cwd=copy)


def test_debug_shows_the_traceback(copy: Path) -> None:
    (copy / "data/dataset/manifest.csv").unlink()
    command = [sys.executable, "-m", "stages.split"]
    for arguments, traceback in (([], False), (["--debug"], True)):
        done = subprocess.run(
            [*command, *arguments], cwd=copy, env=ENV, text=True, capture_output=True, check=False
        )
        assert done.returncode == 1
        assert "manifest.csv is not there" in done.stderr
        assert ("Traceback" in done.stderr) == traceback
