"""Say which of the stages that make proxies this run needs: data/needs."""

import typer

from pipeline.settings.paths import NEEDS, PARAMS
from stages.command import ParamsFile, read_params, stage


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Write yes or no for each stage that some generators do without."""
    params = read_params(params_file)

    from pipeline.base.atomic import whole_folder
    from pipeline.settings.needs import needed_by, write_needs

    with whole_folder(NEEDS) as folder:
        write_needs(params, folder)
    for name, users in needed_by(params).items():
        typer.echo(f"{name}: {'needed by ' + ', '.join(users) if users else 'not needed'}")


if __name__ == "__main__":
    typer.run(main)
