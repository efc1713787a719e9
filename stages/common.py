"""What every stage script shares: the params option, and errors a user reads in one line."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from pipeline.errors import UserError

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
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None

    return run
