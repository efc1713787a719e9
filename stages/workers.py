"""Start one worker of `dvc queue` for each GPU: python -m stages.workers 0 1 2 3."""

import os
import re
import subprocess
import time
from typing import Annotated

import typer

from pipeline.errors import UserError
from stages.common import stage

WAIT = 60.0  # seconds for a worker to come up

Gpus = Annotated[list[str], typer.Argument(help="GPU numbers, as CUDA_VISIBLE_DEVICES knows them.")]


@stage
def main(gpus: Gpus) -> None:
    """Start a worker for each GPU; every queued experiment then sees that one GPU alone."""
    if workers():
        raise UserError("workers are running already: `dvc queue stop --wait` first")
    for count, gpu in enumerate(gpus, start=1):
        # DVC starts the workers that are missing up to `count`, each with the environment of its
        # start; so they are started one by one, and waited for.
        queue("start", "--jobs", str(count), CUDA_VISIBLE_DEVICES=gpu)
        deadline = time.monotonic() + WAIT
        while workers() < count:
            if time.monotonic() > deadline:
                raise UserError(f"no worker for GPU {gpu} after {WAIT:.0f} s; is anything queued?")
            time.sleep(0.5)
        typer.echo(f"worker {count}: GPU {gpu}")


def workers() -> int:
    """How many workers of this repository's queue are running."""
    found = re.search(r"Worker status: (\d+) active, (\d+) idle", queue("status"))
    return int(found[1]) + int(found[2]) if found else 0


def queue(*arguments: str, **environment: str) -> str:
    """Run `dvc queue`; what it prints.

    Raises:
        UserError: it failed; the message is its own.
    """
    command, variables = ["dvc", "queue", *arguments], {**os.environ, **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    typer.run(main)
