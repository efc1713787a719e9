"""A project small enough to be run many times over, and what of its outputs must never change."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from tests.settings import SMALL, copy_project, files_of, put, raw_values

CHANGES = {
    "variants": ["strong", "dual"],
    "ensembles": ["dual"],
    "cam.optimiser.iterations": 60,
    "dsrg.optimiser.iterations": 40,
    "train.iterations": 120,
    "train.validations": 4,
    "evaluate.batch_size": 1,
}
ENV = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
    "OMP_NUM_THREADS": "1",  # results are equal to the byte for the same number of threads
    "CHECKPOINT_SECONDS": "0.2",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# Every stage in an order that works, with what it leaves.
STAGES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("download",), ("data/dataset",)),
    (("seeds",), ("data/seeds",)),
    (("dsrg",), ("data/dsrg",)),
    (("proxy", "dsrg"), ("data/proxy/dsrg",)),
    (("split",), ("data/split",)),
    (("train", "strong", "0"), ("data/models/strong/0",)),
    (("train", "dual", "0"), ("data/models/dual/0",)),
    (("evaluate", "strong"), ("data/predictions/strong", "results/*/*/strong.*")),
    (("evaluate", "dual"), ("data/predictions/dual", "results/*/*/dual.*")),
    (("evaluate_dsrg",), ("data/predictions/dsrg", "results/*/*/dsrg.*")),
    (("ensemble", "dual"), ("results/*/*/ensemble_dual.*",)),
    (("report",), ("report",)),
)


@dataclass
class Tally:
    """What became of a kind of fault.

    Attributes:
        name: the kind.
        tried: how many there were.
        lost: what was lost or wrong, one line each.
        cut: how often DVC left its own dvc.lock cut, which was then taken away by hand.
    """

    name: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    cut: int = 0


def make_project(folder: Path, **changes: object) -> None:
    """The project's files with small params, further changed, as a repository of git and DVC."""
    copy_project(folder)
    values = put(put(put(raw_values(), SMALL), CHANGES), changes)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(values, file)
    for command in (["git", "init", "-q", "-b", "main"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, env=ENV, check=True)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with what it said."""
    return subprocess.run(command, cwd=cwd, env=ENV, text=True, capture_output=True, check=False)


def run_stage(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a stage's own command."""
    return run(sys.executable, "-m", f"stages.{name}", *arguments, cwd=cwd)


def digests(folder: Path, output: str) -> dict[str, str]:
    """SHA-256 of every file of an output, but for the page that tells times."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files_of(folder, output)
        if path.name != "run.html"
    }


def differing(folder: Path, whole: Path, *, absent: bool = False) -> list[str]:
    """Outputs that are not those of `whole` to the byte; where `absent`, missing ones are fine."""
    return [
        output
        for _, outputs in STAGES
        for output in outputs
        if not (absent and not files_of(folder, output))
        and digests(folder, output) != digests(whole, output)
    ]
