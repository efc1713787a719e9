"""What a stage ran on: versions, device, commit, seconds; kept beside the results it explains."""

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

from pipeline.atomic import whole_file

PACKAGES = ("torch", "torchvision", "numpy", "numba", "scipy", "pillow", "dvc")
STARTED = time.time()
STATUS = Path("/proc/self/status")  # of Linux


def write_record(path: Path, **details: object) -> None:
    """Write one stage's record.

    Args:
        path: data/records/<stage>.json.
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
        "packages": {name: _version(name) for name in PACKAGES},
        **details,
    }
    with whole_file(path) as part:
        part.write_text(json.dumps(record, indent=2) + "\n", "utf-8", newline="\n")


def peak_memory_mb() -> int:
    """The most memory this process has held, in MB.

    `getrusage` starts a process off with the peak of the one that started it, so a small stage
    would show the memory of a large parent; it is asked only where there is no /proc.
    """
    if STATUS.exists():
        _, found, rest = STATUS.read_text(encoding="utf-8").partition("VmHWM:")
        if found:
            return int(rest.split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def commit() -> str | None:
    """The commit the working tree is at, with + where files were changed since."""
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
    """Name of the GPU if torch was used with one, else CPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "CPU"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
