"""Train the classification network on the tags and place the seeds: data/seeds."""

import typer

from pipeline.paths import PARAMS, RECORDS, SEEDS
from stages.common import ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """CAM seeds of the objects and gradient-saliency seeds of the background."""
    params = read_params(params_file)

    from pipeline.manifest import open_manifest
    from pipeline.record import write_record
    from pipeline.seeds import make_seeds

    batch = "cam.optimiser.batch_size", params.cam.optimiser.batch_size
    with start(params.engine, batch) as world:
        summary = make_seeds(params, open_manifest(params), SEEDS)
        if world.leads:
            write_record(RECORDS / "seeds.json", summary=summary)
            right, seeded = summary["tag_accuracy"], summary["seeded"]
            typer.echo(f"tags right: {right:.1f} %, seeded: {seeded:.1f} %")
            typer.echo(f"wrote {SEEDS}")


if __name__ == "__main__":
    typer.run(main)
