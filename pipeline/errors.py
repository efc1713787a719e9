"""The one exception a user may see: its text names the file or key and the way out."""

from pathlib import Path


class UserError(Exception):
    """Something the user can mend; stages print the message without a traceback."""


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
