"""Train the DSRG network, its seeds growing in every step: data/dsrg."""

import typer

from pipeline.paths import DSRG, PARAMS, RECORDS, SEEDS
from stages.common import ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Seeded region growing inside the training loop of a segmentation network."""
    params = read_params(params_file)

    from pipeline.dsrg import train_dsrg
    from pipeline.manifest import open_manifest
    from pipeline.record import write_record
    from pipeline.seeds import read_seeds

    batch = "dsrg.optimiser.batch_size", params.dsrg.optimiser.batch_size
    with start(params.engine, batch) as world:
        manifest = open_manifest(params)
        summary = train_dsrg(params, manifest, read_seeds(SEEDS, manifest), DSRG)
        if world.leads:
            write_record(RECORDS / "dsrg.json", summary=summary)
            seeded, grown = summary["seeded"], summary["grown"]
            typer.echo(f"seeded {seeded:.1f} % of the grid, grown to {grown:.1f} %")
            typer.echo(f"wrote {DSRG}")


if __name__ == "__main__":
    typer.run(main)
