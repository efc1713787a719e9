"""Train the network of generator `self` on the strong masks: data/teacher."""

import typer

from pipeline.settings.needs import leave_out, needed_by
from pipeline.settings.paths import PARAMS, TEACHER, record_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS, device: Device = None) -> None:
    """Train as variant strong is trained, on the masks that stage split leaves to the networks."""
    params = read_params(params_file, device)
    if not needed_by(params)["teacher"]:
        typer.echo(leave_out("teacher", TEACHER))
        return

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.split.split import draw_lists
    from pipeline.train.teacher import train_teacher

    with start(params, ("train.batch_size", params.train.batch_size)) as world:
        manifest = open_manifest(params)
        summary = train_teacher(params, manifest, draw_lists(params, manifest), TEACHER)
        if world.leads:
            made = TEACHER / "network.safetensors"
            write_record(record_file("teacher"), made, device=world.device, summary=summary)
            scores = ", ".join(f"{key} {value:.4g}" for key, value in summary.items())
            typer.echo(f"teacher: {scores}")
            typer.echo(f"wrote {TEACHER}")


if __name__ == "__main__":
    typer.run(main)
