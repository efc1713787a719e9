"""How the stages that run networks spread over processes."""

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipeline.distributed import World
    from pipeline.params import Engine


def start(
    engine: "Engine", batch: tuple[str, int] | None = None
) -> AbstractContextManager["World"]:
    """Meet the other processes of this run, after starting them if `engine.processes` asks for it.

    Where it does, this very command runs in so many processes and this one leaves when they are
    done. Under torchrun the processes are there already, and `engine.processes` is not looked at.
    A process that is alone takes one GPU for itself.

    Args:
        engine: that block of params.yaml.
        batch: for a training, how many images of a batch go together, after the name of the param
            that says so; each process needs one of them.

    Raises:
        UserError: that cannot be, which is told before processes start; or one of them failed.
    """
    if engine.processes > 1 and "RANK" not in os.environ:
        from pipeline.distributed import refuse_idle
        from pipeline.launch import launch

        if batch is not None:
            refuse_idle(*batch, engine.processes)
        launch(sys.modules["__main__"].__spec__.name, sys.argv[1:], engine.processes)  # type: ignore[union-attr]
        raise typer.Exit
    if "RANK" not in os.environ:
        from pipeline.gpus import claim_gpu

        claim_gpu()
    from pipeline.device import use_deterministic, use_tf32
    from pipeline.distributed import joined

    use_tf32(engine.tf32)
    use_deterministic(engine.deterministic)
    return joined()
