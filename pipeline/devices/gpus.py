"""One GPU for each stage of one process, so that parallel experiments do not share one."""

import os
import sys
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

VISIBLE = "CUDA_VISIBLE_DEVICES"
PAUSE = 1.0  # seconds between attempts

# Locks last as long as the process; the system releases them however it ends.
held: list[FileLock] = []


def claim_gpu(number: int | None = None) -> None:
    """Take the first GPU that no other stage of this user holds; wait for one if all are taken.

    From then on this process sees only that one. With fewer than two GPUs, nothing is done. To be
    called before CUDA starts.

    Args:
        number: take this one of the visible GPUs; None: any.
    """
    names = visible_gpus()
    if len(names) < 2:
        return
    if number is not None:
        names = [names[number]]
    waited = False
    while True:
        for name in names:
            if lock(name):
                see_gpu(name)
                print(f"takes GPU {name}", file=sys.stderr, flush=True)
                return
        if not waited:
            which = "" if len(names) == 1 else "one of the GPUs "
            print(f"waiting for {which or 'GPU '}{', '.join(names)}", file=sys.stderr, flush=True)
            waited = True
        time.sleep(PAUSE)


def see_gpu(name: str) -> None:
    """Have this process see one GPU alone; to be called before CUDA starts."""
    os.environ[VISIBLE] = name


def visible_gpus() -> list[str]:
    """The GPUs in CUDA_VISIBLE_DEVICES; all numbers if that is not set."""
    if VISIBLE in os.environ:
        return [name for name in os.environ[VISIBLE].split(",") if name]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def lock(name: str) -> bool:
    """Try to lock a GPU; whether that worked."""
    path = Path(tempfile.gettempdir()) / f"strong-weak-gpu-{os.getuid()}-{name}.lock"
    claim = FileLock(path)
    try:
        claim.acquire(blocking=False)
    except Timeout:
        return False
    held.append(claim)
    return True
