"""CI: the hosted workflow runs .ci/run wherever the project runs, and the script runs through."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML

from tests.settings import ROOT

SCRIPT = ROOT / ".ci" / "run"
STUB = '#!/bin/sh\necho "$(basename "$0") $*" >> "$LOG"\n'


def job() -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    return YAML(typ="safe", pure=True).load(text)["jobs"]["run"]


def test_the_workflow_runs_the_script_on_every_python_and_system() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    supported = SpecifierSet(project["requires-python"])
    matrix = job()["strategy"]["matrix"]
    assert matrix["python"] == [f"3.{n}" for n in range(100) if f"3.{n}" in supported]
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "macos"]
    assert job()["timeout-minutes"] == 90
    steps = job()["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert SCRIPT.stat().st_mode & 0o111 == 0o111
    for step in steps:
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/checkout@v4"))
    values = [value for step in steps for value in step.get("with", {}).values()]
    assert "${{ matrix.python }}" in values


@pytest.mark.parametrize(("user", "apt"), [("0", True), ("0", False), ("1000", True)])
def test_the_script_installs_a_browser_where_it_may(tmp_path: Path, user: str, apt: bool) -> None:
    """Run with commands that do nothing but say that they were called."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_bytes(SCRIPT.read_bytes())
    commands = tmp_path / "commands"
    stubs = [commands / "make", commands / "id", tmp_path / ".venv" / "bin" / "python"]
    for path in [*stubs, *([commands / "apt-get"] if apt else [])]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{STUB}[ $(basename $0) != id ] || echo {user}\n", "utf-8")
        path.chmod(0o755)
    for name in ("dirname", "basename"):
        (commands / name).symlink_to(f"/usr/bin/{name}")
    log = tmp_path / "log"
    subprocess.run(
        ["/bin/bash", tmp_path / ".ci" / "run"],
        env={"PATH": str(commands), "LOG": str(log)},
        check=True,
    )
    called = [line for line in log.read_text("utf-8").splitlines() if not line.startswith("id ")]
    assert any("chromium" in line for line in called) == (user == "0" and apt)
    assert any(line.startswith("apt-get") for line in called) == (user == "0" and apt)
    assert [line for line in called if line.startswith("make")] == [
        "make setup .venv/constraints.txt",
        "make repro verify",
        "make test",
    ]


def test_the_makefile_has_what_the_script_makes() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    targets = [
        name for line in re.findall(r"^make (.+)$", text, re.MULTILINE) for name in line.split()
    ]
    done = subprocess.run(
        ["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
