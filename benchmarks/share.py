"""What DVC itself takes of a run: hashing, caching and comparing, beside the stages' commands."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.timing import Row

ROOT = Path(__file__).parents[1]
SHARE = 0.05  # of a run may be DVC's
DEFAULT_RUN = 471.0  # seconds of `dvc repro` with params.yaml as it is; docs/benchmarks.md

ENV = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
}

# Training is cut to a few steps: every file of the default run is there, and little else.
SHORT = {
    "cam.optimiser.iterations": 4,
    "dsrg.optimiser.iterations": 4,
    "train.iterations": 4,
    "train.validations": 0,
}

# Runs a command and notes its seconds, so that the rest of `dvc repro` is DVC's.
TIMED = """
import subprocess, sys, time
start = time.perf_counter()
code = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
with open("seconds.txt", "a") as file:
    print(time.perf_counter() - start, file=file)
sys.exit(code)
"""


def run(folder: Path, *command: str) -> float:
    """Seconds of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=ENV, check=True, capture_output=True)
    return time.perf_counter() - start


def make_repository(folder: Path) -> None:
    """An empty repository of git and DVC with the command that notes its seconds."""
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    (folder / "timed.py").write_text(TIMED, "utf-8")


def own_seconds(folder: Path, *targets: str) -> float:
    """Seconds of `dvc repro` without those of the stages' commands."""
    notes = folder / "seconds.txt"
    notes.unlink(missing_ok=True)
    wall = run(folder, "dvc", "repro", *targets)
    lines = notes.read_text("utf-8").split() if notes.exists() else []
    return wall - sum(map(float, lines))


def copy_project(folder: Path) -> None:
    """The pipeline with its default data set and hardly any training."""
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", folder / ".dvcignore")
    stages = (ROOT / "dvc.yaml").read_text("utf-8")
    (folder / "dvc.yaml").write_text(stages.replace("python -m", "python timed.py -m"), "utf-8")
    yaml = YAML(typ="safe", pure=True)
    values = yaml.load((ROOT / "params.yaml").read_text("utf-8"))
    for key, value in SHORT.items():
        put(values, key, value)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(values, file)


def put(values: dict[str, Any], dotted: str, value: object) -> None:
    """Set a value by its dotted key."""
    *blocks, key = dotted.split(".")
    for block in blocks:
        values = values[block]
    values[key] = value


def rows() -> Iterator[Row]:
    """The files of the default run, with nearly no training between them."""
    with tempfile.TemporaryDirectory() as name:
        make_repository(Path(name))
        copy_project(Path(name))
        yield Row(
            "DVC's own time in the default pipeline, 1,650 images",
            f"{100 * SHARE:.0f} % of its {DEFAULT_RUN:.0f} s",
            own_seconds(Path(name)),
            SHARE * DEFAULT_RUN,
            "s",
            1.0,
        )
