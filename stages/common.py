"""What every stage script shares: the params option, and errors a user reads in one line."""

import json
import os
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from pipeline.errors import LostProcessesError, UserError

if TYPE_CHECKING:
    from pipeline.params import Params

ParamsFile = Annotated[Path, typer.Option("--params", help="The params file to read.")]

P = ParamSpec("P")


def read_params(path: Path) -> "Params":
    """Check params.yaml first of all: a mistake in it is told before anything heavy is imported."""
    from pipeline.params import load_params

    return load_params(path)


def stage(main: Callable[P, None]) -> Callable[P, None]:
    """Run `main`; print what a user can mend as one message and exit with 1, not a traceback."""

    @wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            main(*args, **kwargs)
        except UserError as error:
            if not isinstance(error, LostProcessesError) and not leave_word(str(error)):
                typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.exit_code) from None

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
