"""Everything at COCO's number of images: memory of each stage, and what DVC takes.

118,000 rendered scenes of 32 pixels, 5,000 to score on, one step of each training: `dvc repro`
from nothing in a clone of the last commit, then `dvc status` and `dvc repro` with nothing to do. It
takes long, so `make bench` leaves it out: python -m benchmarks coco_size.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.changed_params import changed_params, write_params
from benchmarks.stage_cost import ROOT
from benchmarks.timing import Row
from pipeline.settings.paths import PARAMS, RECORDS

IMAGES = {"strong": 20_000, "weak": 98_000, "val": 5_000}
MEMORY = 1000.0  # MB of a stage
WAIT = 60.0  # seconds to learn that there is nothing to do
SIDE = 32
TARGETS = list[str]()  # of dvc; empty: all stages
CHANGES = {
    **{f"download.shapes.{split}": count for split, count in IMAGES.items()},
    **{"download.shapes.size": SIDE, "variants": ["dual"], "train.crop": SIDE},
    **{f"{stage}.image_size": SIDE for stage in ("cam", "dsrg", "proxy")},
    **{f"{stage}.optimiser.iterations": 1 for stage in ("cam", "dsrg")},
    **{"train.iterations": 1, "train.validations": 0},
}


def rows() -> Iterator[Row]:
    """Peaks of the stages, and seconds of DVC."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        write_params(changed_params(folder / PARAMS, CHANGES), folder / PARAMS)
        whole = seconds(folder, "repro")
        images = f"{IMAGES['strong'] + IMAGES['weak']:,} images"
        stages = 0.0
        for path in sorted((folder / RECORDS).glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            stages += record["seconds"]
            yield Row(
                f"peak of {path.stem} at {images}",
                "budget",
                record["peak_memory_mb"],
                MEMORY,
                "MB",
                1.0,
                note=f"{record['seconds']:.0f} s",
            )
        note = f"the run took {whole:.0f} s, its stages {stages:.0f}"
        for command in ("status", "repro"):
            what = f"dvc {command}, {images}, nothing to do"
            yield Row(what, "budget", seconds(folder, command), WAIT, "s", 1.0, note=note)


def seconds(folder: Path, command: str) -> float:
    """How long a command of DVC takes."""
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command_line = [sys.executable, "-m", "dvc", command, "--quiet", *TARGETS]
    subprocess.run(command_line, cwd=folder, env=environment, check=True)
    return time.perf_counter() - start
