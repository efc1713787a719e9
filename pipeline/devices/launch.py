"""Run a stage in several processes on this machine, by torch's own launcher (torchrun's)."""

import logging
import os
import signal
import sys
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from pipeline.base.errors import LostProcessesError, UserError
from pipeline.base.stopping import StoppedError
from pipeline.devices.device import pick_device


def launch(module: str, arguments: list[str], processes: int) -> None:
    """Run `python -m module arguments` in `processes` processes and wait for them.

    Cores are shared out among them unless OMP_NUM_THREADS says otherwise. When one fails or is
    killed, the others are stopped.

    Raises:
        UserError: there are more processes than GPUs, where there are any; or a process failed, and
            the message says which and why.
        StoppedError: this process was asked to stop, and stopped the others.
    """
    gpus = torch.cuda.device_count() if pick_device().type == "cuda" else processes
    if processes > gpus:
        raise UserError(
            f"machine.processes: {processes} processes, but there are {gpus} GPUs here; set it to "
            f"{gpus} at most"
        )
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // processes)))
    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # our message is shorter
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=module,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", module, *arguments)
    except ChildFailedError as error:
        raise UserError(explain(root_cause(error), processes)) from None
    except SignalException as error:
        raise StoppedError(error.sigval) from None


def usable_cores() -> int:
    """Cores this process may use; all of them where the system sets no limit, as on macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def root_cause(error: ChildFailedError) -> tuple[int, ProcessFailure]:
    """The failure that came first: not one of those that only lost another process."""
    own = {r: f for r, f in error.failures.items() if f.exitcode != LostProcessesError.exit_code}
    return min((own or error.failures).items(), key=lambda entry: entry[1].timestamp)


def explain(failed: tuple[int, ProcessFailure], processes: int) -> str:
    """One message for one failed process."""
    rank, failure = failed
    again = "the same command resumes from the last checkpoint, if there is one"
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        return f"process {rank} of {processes} was killed by {name}, the others stopped: {again}"
    if Path(failure.error_file).exists():  # left by stages.command.leave_word
        return str(failure.message)
    return f"process {rank} of {processes} failed, its traceback is above: {again}"
