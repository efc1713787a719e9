"""What every stage script shares: its options, and errors a user reads in one line."""

import inspect
import json
import os
import time
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from pipeline.base.errors import LostProcessesError, UserError
from pipeline.base.stopping import listening
from stages.machine_errors import explain

if TYPE_CHECKING:
    from pipeline.settings.params import Params

ParamsFile = Annotated[Path, typer.Option("--params", help="The params file to read.")]
Device = Annotated[
    str | None,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps, in place of machine.device in params.yaml."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

P = ParamSpec("P")

# How often a thread of OpenMP looks for its next piece of work before it sleeps. The library's own
# 300,000 turns hold a core that another process may need: where all are busy, a step of two threads
# takes several times as long as of one (docs/scaling.md). Read when torch is loaded.
TURNS = "3000"


def yield_cores() -> None:
    """Have idle threads give up their core soon, unless the user's environment sets how they wait.

    No number depends on it: the threads do the same work.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = TURNS


def allow_fallback() -> None:
    """Have operations that torch lacks on Apple's GPUs run on the CPU, unless the user says no.

    Read when torch is loaded; other devices do not know it.
    """
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def read_params(path: Path, device: str | None = None) -> "Params":
    """Read params.yaml first of all: a mistake in it is reported before slow imports.

    Under DVC, also say which stage of how many begins.

    Args:
        path: the file.
        device: the option --device, which wins over machine.device.

    Raises:
        UserError: the file is refused, or the option names no device.
    """
    from pipeline.settings.params_file import load_params, with_device
    from stages.place import announce

    params = with_device(load_params(path), device)
    announce(params)
    return params


def stage(main: Callable[P, None]) -> Callable[..., None]:
    """Run `main`; an error the user can fix ends as one message and an exit code, no traceback.

    Adds the option --debug, with which the traceback comes, too.
    """

    @wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        debug = kwargs.pop("debug", False)
        yield_cores()
        allow_fallback()
        try:
            with listening():
                main(*args, **kwargs)
        except Exception as error:
            known = error if isinstance(error, UserError) else explain(error)
            if isinstance(error, EOFError) and known is None:  # Typer would only say "Aborted."
                raise RuntimeError("a file or a pipe ended too soon") from error
            if debug or known is None:
                raise
            # What the frames hold, such as processes that decode, ends now: while the interpreter
            # goes down it would take ten seconds.
            traceback.clear_frames(error.__traceback__)
            if not isinstance(known, LostProcessesError) and not leave_word(str(known)):
                typer.echo(f"error: {known}", err=True)
            raise typer.Exit(known.exit_code) from None

    option = inspect.Parameter(
        "debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug
    )
    signature = inspect.signature(main)
    parameters = [*signature.parameters.values(), option]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**main.__annotations__, "debug": Debug}
    return run


def leave_word(message: str) -> bool:
    """Leave an error message for torchrun, which shows the first of all its processes.

    Returns:
        whether there is a torchrun to read it.
    """
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path is None:
        return False
    word = {"message": message, "timestamp": int(time.time())}
    Path(path).write_text(json.dumps(word), encoding="utf-8")
    return True
