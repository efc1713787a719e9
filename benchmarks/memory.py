"""Peak memory of stages, for few images and for as many as COCO has."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.finished import ROOT, VARIANT, write_run
from benchmarks.timing import Row

SMALL, LARGE = 1_000, 118_000
BUDGET = 1000.0  # MB
STAGES = {"split": (), "evaluate": (VARIANT,), "report": ()}  # in the order they need each other

# Runs a stage as `python -m` would, in a process of its own, so that its peak is its own.
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


def measure(count: int) -> dict[str, Cost]:
    """The cost of each stage for `count` training images and as many val images."""
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), count)
        return {stage: run(Path(folder), stage, *rest) for stage, rest in STAGES.items()}


def run(folder: Path, stage: str, *arguments: str) -> Cost:
    """Run one stage in a folder; a failure stops the benchmark."""
    subprocess.run(
        [sys.executable, "-c", CHILD, f"stages.{stage}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return Cost(**json.loads((folder / "cost.json").read_text(encoding="utf-8")))


def rows() -> Iterator[Row]:
    """Peaks for as many images as COCO has, and what a hundredth of them takes."""
    small, large = measure(SMALL), measure(LARGE)
    for stage in STAGES:
        yield Row(
            f"peak of {stage} at {LARGE:,} images",
            "budget",
            large[stage].peak,
            BUDGET,
            "MB",
            1.0,
            note=f"{small[stage].peak:.0f} MB at {SMALL:,}; {large[stage].seconds:.0f} s",
        )
