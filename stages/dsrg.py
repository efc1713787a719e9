"""Train the DSRG network, its seeds growing in every step: data/dsrg."""

import typer

from pipeline.settings.paths import DSRG, PARAMS, SEEDS, record_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS, device: Device = None) -> None:
    """Train a segmentation network while its seeds grow in every step."""
    params = read_params(params_file, device)

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.data.seeds import read_seeds
    from pipeline.weak.dsrg.dsrg import train_dsrg

    batch = "dsrg.optimiser.batch_size", params.dsrg.optimiser.batch_size
    with start(params, batch) as world:
        manifest = open_manifest(params)
        summary = train_dsrg(params, manifest, read_seeds(SEEDS, manifest), DSRG)
        if world.leads:
            write_record(
                record_file("dsrg"),
                DSRG / "network.safetensors",
                device=world.device,
                summary=summary,
            )
            seeded, grown = summary["seeded"], summary["grown"]
            typer.echo(f"seeded {seeded:.1f} % of the grid, grown to {grown:.1f} %")
            typer.echo(f"wrote {DSRG}")


if __name__ == "__main__":
    typer.run(main)
