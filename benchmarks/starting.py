"""How long a person waits before anything happens."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import Row, in_turns

STAGES = (
    *("download", "seeds", "dsrg", "proxy", "split", "train"),
    *("evaluate", "evaluate_dsrg", "ensemble", "package", "report", "predict", "export"),
)


def run(*command: str) -> None:
    """Run a command of this environment; a failure stops the benchmark."""
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)


def rows() -> Iterator[Row]:
    """`--help` of the slowest stage, and `dvc repro` where there is nothing to do."""
    helps = in_turns(*(lambda s=s: run(f"stages.{s}", "--help") for s in STAGES), rounds=3)
    slowest = max(range(len(STAGES)), key=helps.__getitem__)
    yield Row(
        "python -m stages.X --help, the slowest stage",
        "budget",
        helps[slowest],
        0.7,
        "s",
        1.0,
        note=STAGES[slowest],
    )
    if Path("data/records").is_dir():
        (seconds,) = in_turns(lambda: run("dvc", "repro"), rounds=3)
        yield Row("dvc repro with nothing to do", "budget", seconds, 2.0, "s", 1.0)
