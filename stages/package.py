"""Put one variant's first network into a file of its own: data/packages/<variant>."""

from typing import Annotated

import typer

from pipeline.settings.paths import MODELS, PACKAGES, PARAMS, SPLIT
from stages.command import ParamsFile, read_params, stage


@stage
def main(
    variant: Annotated[str, typer.Argument(help="One of the variants in params.yaml.")],
    params_file: ParamsFile = PARAMS,
) -> None:
    """Write one model file that needs no params.yaml, and its card; the weak branch is left out."""
    params = read_params(params_file)

    from pipeline.base.atomic import whole_folder
    from pipeline.data.manifest import open_manifest
    from pipeline.data.plan import read_plan
    from pipeline.model.package import MODEL, package, write_package

    info, state = package(
        params,
        open_manifest(params),
        read_plan(SPLIT, variant),
        models=MODELS,
    )
    with whole_folder(PACKAGES / variant) as folder:
        write_package(info, state, folder)
    size = (PACKAGES / variant / MODEL).stat().st_size / 1e6
    typer.echo(f"{variant}: seed {info.seed}, {size:.1f} MB without its weak branch")
    typer.echo(f"wrote {PACKAGES / variant}")


if __name__ == "__main__":
    typer.run(main)
