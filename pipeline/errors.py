"""The exceptions a user may see: their text names the file or key and the way out."""

from pathlib import Path


class UserError(Exception):
    """Something the user can mend; stages print the message without a traceback."""

    exit_code = 1


class LostProcessesError(UserError):
    """Another process of this run ended; its own message says why."""

    exit_code = 75  # EX_TEMPFAIL: nothing is wrong with this process


def need(path: Path, stage: str) -> Path:
    """The path itself, if it is there.

    Args:
        path: what another stage writes.
        stage: module and arguments of that stage, such as "evaluate dual".

    Raises:
        UserError: it is not there; the message names the stage to run.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: run `python -m stages.{stage}` first")
    return path
