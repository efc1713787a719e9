"""Every stage script: help at once, one-line errors, nothing written on a mistake."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.settings import ROOT

STAGES = [
    *("needs", "download", "seeds", "dsrg", "teacher", "proxy", "split", "train"),
    *("evaluate", "evaluate_dsrg", "ensemble", "package", "report"),
]
ARGUMENTS = {
    "proxy": ["dsrg"],
    "train": ["dual", "0"],
    "evaluate": ["dual"],
    "ensemble": ["weak"],
    "package": ["dual"],
}


def call(stage: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"stages.{stage}", *arguments],
        cwd=cwd, text=True, capture_output=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "100"},
    )  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_help_needs_nothing_heavy(stage: str) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['{stage}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('stages.{stage}', run_name='__main__')\n"
        "except SystemExit as leave:\n"
        "    assert not leave.code\n"
        "heavy = {'torch', 'dvc', 'dvclive', 'pandas', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--params" in done.stdout


@pytest.mark.parametrize("stage", STAGES)
def test_a_mistake_in_params_is_one_message(stage: str, tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text("utf-8").replace("neck_n: ", "neck_n: 1")
    (tmp_path / "params.yaml").write_text(text, "utf-8")
    done = call(stage, *ARGUMENTS.get(stage, []), cwd=tmp_path)
    assert done.returncode == 1
    assert "neck_n" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


# Those before any input; teacher is not needed by params.yaml.
@pytest.mark.parametrize("stage", [s for s in STAGES if s not in ("needs", "download", "teacher")])
def test_a_missing_input_names_the_stage_to_run(stage: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    done = call(stage, *ARGUMENTS.get(stage, []), cwd=tmp_path)
    assert done.returncode == 1
    assert "stages." in done.stderr
    assert "Traceback" not in done.stderr
