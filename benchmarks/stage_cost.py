"""What one stage costs: it runs as `python -m` runs it, in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

# The peak is read within the process: a parent would add its own.
CHILD = """
import json, runpy, sys, time
from pathlib import Path
from pipeline.base.record import peak_memory_mb

sys.argv = sys.argv[1:]
start = time.perf_counter()
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
finally:
    values = {"peak": peak_memory_mb(), "seconds": time.perf_counter() - start}
    Path("cost.json").write_text(json.dumps(values))
"""


@dataclass(frozen=True)
class Cost:
    """Megabytes and seconds of one stage."""

    peak: float
    seconds: float


def run_stage(folder: Path, stage: str, *arguments: str) -> Cost:
    """Run one stage in a folder, on one core; a failure stops the benchmark."""
    subprocess.run(
        [sys.executable, "-c", CHILD, f"stages.{stage}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return Cost(**json.loads((folder / "cost.json").read_text(encoding="utf-8")))
