"""Where the project does not run, every command says so in one line."""

import subprocess
import sys

import pytest

from tests.settings import ROOT

NO_COMMANDS = ("__init__", "command", "machine_errors", "processes")
COMMANDS = sorted(p.stem for p in (ROOT / "stages").glob("*.py") if p.stem not in NO_COMMANDS)
FAKED = """
import runpy, sys
sys.platform = "win32"
runpy.run_module(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_windows_is_refused_in_one_line(name: str) -> None:
    command = [sys.executable, "-c", FAKED, f"stages.{name}"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    told = "error: win32 is not supported; use Linux, macOS or, on Windows, WSL\n"
    assert (done.returncode, done.stderr, done.stdout) == (1, told, "")
