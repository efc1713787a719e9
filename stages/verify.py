"""Compare the run that is here with results/<data set>/checksums.txt; no part of dvc.yaml.

Exits with 1 where it fails: on the same kind of machine if anything differs, on another one if a
score is further from the list's than training seeds are from each other (results/spread.csv).
"""

from typing import Annotated

import typer

from pipeline.settings.paths import PARAMS, SPREAD, checksums_file
from stages.command import ParamsFile, read_params, stage

Write = Annotated[bool, typer.Option("--write", help="List this run instead, to be committed.")]


@stage
def main(write: Write = False, params_file: ParamsFile = PARAMS) -> None:
    """Say "identical", or which files differ and by how much scores do."""
    params = read_params(params_file)

    from pipeline.verify.compare import compare, read_allowed
    from pipeline.verify.listing import list_run, read_listing, write_listing

    path = checksums_file(params.dataset)
    if write:
        here = list_run(params)
        write_listing(path, here)
        typer.echo(f"wrote {path}: {len(here.digests)} files")
        return
    listed = read_listing(path)
    verdict = compare(listed, list_run(params), read_allowed(SPREAD, params.dataset))
    typer.echo("\n".join(verdict.lines))
    raise typer.Exit(0 if verdict.passes else 1)


if __name__ == "__main__":
    typer.run(main)
