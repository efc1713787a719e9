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
    A process that is alone takes one GPU for itself.

    Args:
        params: all of params.yaml.
        batch: for a training, how many images of a batch go together, after the name of the param
            that says so; each process needs one of them.

    Raises:
        UserError: there are more processes than images or GPUs; or one of them failed.
    """
    if params.machine.processes > 1 and "RANK" not in os.environ:
        from pipeline.devices.distributed import refuse_idle
        from pipeline.devices.launch import launch

        if batch is not None:
            refuse_idle(*batch, params.machine.processes)
        launch(sys.modules["__main__"].__spec__.name, sys.argv[1:], params.machine.processes)  # type: ignore[union-attr]
        raise typer.Exit
    if "RANK" not in os.environ:
        from pipeline.devices.gpus import claim_gpu

        claim_gpu()
    from pipeline.devices.device import use_deterministic, use_tf32
    from pipeline.devices.distributed import joined

    use_tf32(params.engine.tf32)
    use_deterministic(params.engine.deterministic)
    return joined()
