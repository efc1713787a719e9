"""Add the annotations that a person has corrected to a folder's masks; no part of dvc.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.base.errors import UserError
from stages.command import stage

Corrected = Annotated[
    Path, typer.Argument(help="The folder that swseg wrote, with the tool's file in it; or that.")
]
Data = Annotated[Path, typer.Option("--data", help="The folder of photographs.")]


@stage
def main(corrected: Corrected, data: Data) -> None:
    """Add corrected annotations to a folder's masks.

    Only what a person has changed counts: it is written into the folder corrected/ there.
    """
    if not data.is_dir():
        raise UserError(f"--data: {data} is no folder; give the one that holds images/")

    from pipeline.datasets.folder.layout import CORRECTED
    from pipeline.editable.join import join

    joined = join(corrected, data.resolve())
    where = data / CORRECTED
    typer.echo(f"{len(joined.changed)} images were changed; their masks are in {where}")
    if joined.unchanged:
        typer.echo(f"{len(joined.unchanged)} are as they were written and are left out")


if __name__ == "__main__":
    typer.run(main)
