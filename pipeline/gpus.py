"""One GPU for each stage that runs alone: queued experiments beside each other do not share one."""

import fcntl
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

VISIBLE = "CUDA_VISIBLE_DEVICES"
PAUSE = 1.0  # seconds between two looks for a free GPU

# Locks are held as long as the process lives, and let go by the system however it ends.
held: list[IO[str]] = []


def claim_gpu() -> None:
    """Take the first GPU that no other stage of this user holds; wait for one if all are taken.

    From then on this process sees that one alone. Where there are fewer than two, nothing is done.
    To be called before CUDA starts.
    """
    names = visible_gpus()
    if len(names) < 2:
        return
    waited = False
    while True:
        for name in names:
            if lock(name):
                os.environ[VISIBLE] = name
                return
        if not waited:
            print(f"waits for one of the GPUs {', '.join(names)}", file=sys.stderr, flush=True)
            waited = True
        time.sleep(PAUSE)


def visible_gpus() -> list[str]:
    """Names of the GPUs as CUDA_VISIBLE_DEVICES has them; their numbers where it is not set."""
    if VISIBLE in os.environ:
        return [name for name in os.environ[VISIBLE].split(",") if name]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def lock(name: str) -> bool:
    """Try to hold a GPU; whether it worked."""
    path = Path(tempfile.gettempdir()) / f"strong-weak-gpu-{os.getuid()}-{name}.lock"
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    held.append(file)
    return True
