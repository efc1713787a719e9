"""Put one variant's first network into a file of its own: data/packages/<variant>."""

from typing import Annotated

import typer

from pipeline.paths import MODELS, PACKAGES, PARAMS, RECORDS, RESULTS, SPLIT
from stages.common import ParamsFile, read_params, stage


@stage
def main(
    variant: Annotated[str, typer.Argument(help="One of the variants in params.yaml.")],
    params_file: ParamsFile = PARAMS,
) -> None:
    """One file that needs no params.yaml, and a card; the weak branch stays behind."""
    params = read_params(params_file)

    from pipeline.atomic import whole_folder
    from pipeline.manifest import open_manifest
    from pipeline.package import MODEL, package, write_package
    from pipeline.plan import read_plan

    info, state = package(
        params,
        open_manifest(params),
        read_plan(SPLIT, variant),
        models=MODELS,
        records=RECORDS,
        results=RESULTS / variant,
    )
    with whole_folder(PACKAGES / variant) as folder:
        write_package(info, state, folder)
    size = (PACKAGES / variant / MODEL).stat().st_size / 1e6
    typer.echo(f"{variant}: seed {info.seed}, {size:.1f} MB without its weak branch")
    typer.echo(f"wrote {PACKAGES / variant}")


if __name__ == "__main__":
    typer.run(main)
