"""How long a user waits for the first output."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.timing import Row, in_turns

STAGES = (
    *("download", "seeds", "dsrg", "proxy", "split", "train"),
    *("evaluate", "evaluate_dsrg", "ensemble", "package", "report", "predict", "export"),
)


def run(*command: str) -> None:
    """Run a command of this environment; a failure stops the benchmark."""
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)


def rows() -> Iterator[Row]:
    """`--help` of the slowest stage."""
    helps = in_turns(*(lambda s=s: run(f"stages.{s}", "--help") for s in STAGES), rounds=3)
    slowest = max(range(len(STAGES)), key=helps.__getitem__)
    what = "python -m stages.X --help, the slowest stage"
    yield Row(what, "budget", helps[slowest], 0.7, "s", 1.0, note=STAGES[slowest])
