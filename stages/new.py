"""Make a project for photographs of one's own, beside the clone; no part of dvc.yaml."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from stages.command import stage

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder, to be made.")]
Data = Annotated[
    Path, typer.Option("--data", metavar="FOLDER", help="The folder with your photographs.")
]
Recipe = Annotated[
    str, typer.Option(help="folder-cpu, or folder: larger views, for a GPU or many photographs.")
]


@stage
def main(folder: Folder, data: Data, recipe: Recipe = "folder-cpu") -> None:
    """Make a project for photographs of your own.

    It is a clone of the code with params, results and history of its own. `git pull` in it brings
    what is new in the clone it was made from.
    """
    from pipeline.project.clone import make_project

    make_project(folder, data, recipe)
    typer.echo(f"made {folder}: recipe {recipe} for the photographs in {data}")
    typer.echo(f"next: cd {shlex.quote(str(folder))} && swseg run")


if __name__ == "__main__":
    typer.run(main)
