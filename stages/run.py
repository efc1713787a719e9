"""Run all stages in a project's folder, as an experiment of DVC; no part of dvc.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.base.errors import UserError
from pipeline.settings.paths import PARAMS, REPORT
from stages.command import stage

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "-S",
        "--set-param",
        metavar="KEY=VALUE",
        help="A value for params.yaml, where it stays; may be given several times.",
    ),
]
Name = Annotated[
    str | None, typer.Option("-n", "--name", help="The experiment's; by default one is made up.")
]


@stage
def main(settings: Settings = None, name: Name = None) -> None:
    """Train, score and report, as far as needed.

    Runs the stages that something has changed for: photographs, masks, tags, code or params. All
    values are checked before params.yaml changes. A run that was stopped goes on.
    """
    if not (PARAMS.exists() and Path("dvc.yaml").exists()):
        raise UserError("this folder is no project; go to one, or make one with `swseg new`")
    from pipeline.project.settings import check_settings

    check_settings(settings or [])

    from pipeline.project.experiment import run_experiment

    page = REPORT / "index.html"
    before = page.stat().st_mtime_ns if page.exists() else None
    made = run_experiment(settings or [], name)
    if page.stat().st_mtime_ns == before:
        typer.echo(f"nothing has changed since the last run: open {page}")
    typer.echo(f"kept as experiment {made}; `dvc exp show` compares all of them")


if __name__ == "__main__":
    typer.run(main)
