"""Draw the score over the number of masks, from trainings on some of them; no part of dvc.yaml."""

from typing import Annotated

import typer

from pipeline.base.errors import UserError
from pipeline.settings.paths import PARAMS
from stages.command import Device, ParamsFile, read_params, stage

Masks = Annotated[
    str, typer.Option("--masks", help="Numbers of masks, such as 10,20,50; by default up to all.")
]
Draws = Annotated[int, typer.Option("--draws", min=1, help="Of the masks, each trained anew.")]


@stage
def main(
    masks: Masks = "", draws: Draws = 3, params_file: ParamsFile = PARAMS, device: Device = None
) -> None:
    """Find out what more masks and more tags would bring.

    Trains the networks of a finished run on some of its masks, several times. The report shows the
    curve; the same command goes on where it was stopped.
    """
    params = read_params(params_file, device)
    try:
        budgets = [int(number) for number in masks.split(",") if number]
    except ValueError:
        raise UserError(f"--masks: give numbers such as 10,20,50, not {masks!r}") from None

    from pipeline.data.manifest import open_manifest
    from pipeline.project.curve import run_curve
    from pipeline.report.curve import curve_file, read_points, words

    manifest = open_manifest(params)
    for point in run_curve(params, manifest, budgets, draws):
        typer.echo(
            f"{point.masks} masks, draw {point.draw}: {point.network} {point.miou:.2f} % mIoU "
            f"({point.tagged} others)"
        )
    for sentence in words(read_points(params, manifest)):
        typer.echo(sentence)
    typer.echo(f"in {curve_file(params.dataset)}; `swseg run` puts it into the report")


if __name__ == "__main__":
    typer.run(main)
