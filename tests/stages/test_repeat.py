"""The same seed gives the same files, byte for byte, in processes that share nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.settings import ROOT, SMALL, put, raw_values

VARIANT = "dual+ema+confidence+refresh+consistency"
STAGES = (["seeds"], ["dsrg"], ["proxy", "dsrg"], ["split"], ["train", VARIANT, "0"])
CHANGES = {
    "variants": [VARIANT],
    "train.iterations": 8,
    "train.validations": 1,
    "extras.consistency_threshold": 0.1,
    "cam.dropout": 0.5,
    "dsrg.dropout": 0.5,
}

pytestmark = pytest.mark.slow


def stage(folder: Path, *arguments: str, hashes: str) -> None:
    """Run a stage; `hashes` seeds Python's hashes, and with them the order of sets."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": hashes}
    command = [sys.executable, "-m", f"stages.{arguments[0]}", *arguments[1:]]
    done = subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that is data, and none that says when it was made."""
    files = (path for path in (folder / "data").rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    kept = {name: path for name, path in named.items() if "/records/" not in name}
    return {name: path.read_bytes() for name, path in kept.items() if "/live/" not in name}


def test_two_runs_leave_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    with (first / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(put(put(raw_values(), SMALL), CHANGES), file)
    stage(first, "download", hashes="1")
    shutil.copytree(first, second)
    for arguments in STAGES:
        stage(first, *arguments, hashes="1")
        stage(second, *arguments, hashes="2")
    one, two = contents(first), contents(second)
    assert f"data/models/{VARIANT}/0/network.safetensors" in one
    assert any(name.startswith("data/proxy/dsrg/masks/") for name in one)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
