"""A small repository in which the real `dvc repro` ran, for the tests that use DVC."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.settings import ROOT, copy_project, put

ENV = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@example.invalid",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@example.invalid",
    "OMP_NUM_THREADS": "2",
}
TINY = {
    "download.shapes.strong": 8,
    "download.shapes.weak": 16,
    "download.shapes.val": 8,
    "download.shapes.size": 32,
    "cam.image_size": 32,
    "cam.width": 8,
    "cam.optimiser.iterations": 6,
    "cam.optimiser.batch_size": 4,
    "dsrg.image_size": 32,
    "dsrg.width": 8,
    "dsrg.optimiser.iterations": 4,
    "dsrg.optimiser.batch_size": 4,
    "proxy.image_size": 32,
    "train.iterations": 4,
    "train.crop": 32,
    "train.batch_size": 4,
    "train.neck_width": 8,
    "train.validations": 2,
    "report.rows": 2,
    "variants": ["strong", "dual"],
    "neck_n": 3,
}


def run(*command: str, cwd: Path) -> str:
    """Run a command that must succeed; its standard output and error together."""
    done = subprocess.run(
        command, cwd=cwd, env=ENV, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


def stages_run(output: str) -> list[str]:
    """Names of the stages DVC ran, in order."""
    return re.findall(r"Running stage '([^']+)'", output)


def fill_repository(folder: Path, **changes: Any) -> None:
    """Put the project's files and tiny params into a new repository, and run `dvc repro`."""
    copy_project(folder)
    yaml = YAML()
    params = put(yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8")), TINY | changes)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    run("git", "init", "-q", "-b", "main", cwd=folder)
    run("dvc", "init", "-q", cwd=folder)
    output = run("dvc", "repro", cwd=folder)
    (folder / ".git" / "repro.txt").write_text(output, "utf-8")
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-qm", "results", cwd=folder)
