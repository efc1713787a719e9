"""How the stages that run networks spread over processes."""

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipeline.devices.distributed import World
    from pipeline.settings.params import Params


def start(
    params: "Params", batch: tuple[str, int] | None = None
) -> AbstractContextManager["World"]:
    """Meet the other processes of this run, after starting them if `machine.processes` asks for it.

    Where it does, this command runs in that many processes, and this one ends when they are done.
    Under torchrun the processes are there already, and `machine.processes` is not read.
    Each computes on the device of `machine.device`; one that is alone takes one GPU for itself.

    Args:
        params: all of params.yaml.
        batch: for a training, how many images of a batch go together, after the name of the param
            that says so; each process needs one of them.

    Raises:
        UserError: the device is not there; there are more processes than images or GPUs; or one
            of them failed.
    """
    from pipeline.devices.choice import take_device

    alone = "RANK" not in os.environ
    processes = params.machine.processes if alone else int(os.environ.get("WORLD_SIZE", "1"))
    take_device(params.machine.device, processes)
    if alone and processes > 1:
        from pipeline.devices.distributed import refuse_idle
        from pipeline.devices.launch import launch

        if batch is not None:
            refuse_idle(*batch, processes)
        launch(sys.modules["__main__"].__spec__.name, sys.argv[1:], processes)  # type: ignore[union-attr]
        raise typer.Exit
    from pipeline.devices.device import use_deterministic, use_tf32
    from pipeline.devices.distributed import joined

    use_tf32(params.engine.tf32)
    use_deterministic(params.engine.deterministic)
    return joined()
