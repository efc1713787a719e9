"""What a stage ran on: versions, device, commit, seconds.

Records differ from run to run, so they are no output of a stage, and nothing DVC hashes reads them.
"""

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.base.atomic import whole_file
from pipeline.base.digests import digest

PROJECT = "strong-weak-segmentation"
PACKAGES = ("torch", "torchvision", "numpy", "numba", "scipy", "pillow", "dvc")
STARTED = time.time()
STATUS = Path("/proc/self/status")  # of Linux


def write_record(path: Path, made: Path, **details: object) -> None:
    """Write one stage's record.

    Args:
        path: data/records/<stage>.json.
        made: a file this run wrote, by which the record is known to belong to what lies here.
        details: anything else worth keeping, such as the summary a stage prints.
    """
    record = {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "seconds": round(time.time() - STARTED, 1),
        "peak_memory_mb": peak_memory_mb(),
        "commit": commit(),
        "experiment": os.environ.get("DVC_EXP_NAME"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "device": device(),
        "visible_gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "packages": {PROJECT: __version__, **{name: _version(name) for name in PACKAGES}},
        "made": {"file": made.as_posix(), "sha256": digest(made)},
        **details,
    }
    with whole_file(path) as part:
        part.write_text(json.dumps(record, indent=2) + "\n", "utf-8", newline="\n")


def read_record(path: Path) -> dict[str, Any]:
    """A stage's record; empty where none is of the files that lie here.

    DVC brings outputs from its caches and from other machines, and no records with them.
    """
    if not path.exists():
        return {}
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    made = values.get("made", {"file": ""})  # earlier versions noted none
    file = Path(made["file"])
    return values if file.is_file() and digest(file) == made["sha256"] else {}


def peak_memory_mb() -> int:
    """The most memory this process has used, in MB.

    `getrusage` counts the peak of the parent process, too, so it is used only without /proc.
    """
    if STATUS.exists():
        _, found, rest = STATUS.read_text(encoding="utf-8").partition("VmHWM:")
        if found:
            return int(rest.split()[0]) // 1024
    per_mb = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // per_mb


def commit() -> str | None:
    """The commit of the working tree, with + if files have changed since."""
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def device() -> str:
    """Name of the GPU where torch is loaded and sees one, else CPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "CPU"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
