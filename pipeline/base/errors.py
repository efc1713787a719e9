"""Exceptions for the user: their text names the file or key and what to do."""

from pathlib import Path


class UserError(Exception):
    """An error that the user can fix; stages print the message without a traceback."""

    exit_code = 1


class LostProcessesError(UserError):
    """Another process of this run ended; its own message says why."""

    exit_code = 75  # EX_TEMPFAIL: nothing is wrong with this process


def need(path: Path, stage: str) -> Path:
    """The path itself, if it exists.

    Args:
        path: an output of another stage.
        stage: module and arguments of that stage, such as "evaluate dual".

    Raises:
        UserError: it is missing; the message names the stage to run.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: run `python -m stages.{stage}` first")
    return path
