"""One run of the pipeline as an experiment of DVC, without DVC's own lines."""

import logging
from collections.abc import Sequence

from dvc.exceptions import DvcException, ReproductionError
from dvc.repo import Repo

from pipeline.base.errors import UserError


def run_experiment(settings: Sequence[str], name: str | None) -> str:
    """Run what `settings` and changed files make necessary, as `dvc exp run -S` does.

    What stages print goes to the terminal.

    Args:
        settings: `key=value`, checked already.
        name: of the experiment; None lets DVC choose one.

    Returns:
        the experiment's name.

    Raises:
        UserError: a stage failed, which has said why, or DVC refuses the run.
    """
    logging.getLogger("dvc").setLevel(logging.ERROR)  # each stage says that it begins
    try:
        with Repo() as repo:
            made = repo.experiments.run(params=list(settings), name=name)
            (revision,) = made
            return str(repo.experiments.get_exact_name([revision])[revision])
    except ReproductionError as error:
        raise UserError(
            f"{error}: see above. What was finished is kept: the same command goes on from there"
        ) from error
    except DvcException as error:
        raise UserError(f"DVC: {error}") from error
