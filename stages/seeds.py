"""Train the classification network on the tags and place the seeds: data/seeds."""

import typer

from pipeline.settings.paths import PARAMS, SEEDS, record_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS, device: Device = None) -> None:
    """Train a classifier on the tags; write CAM seeds of objects, saliency seeds of background."""
    params = read_params(params_file, device)

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.weak.seeds.seeds import make_seeds

    batch = "cam.optimiser.batch_size", params.cam.optimiser.batch_size
    with start(params, batch) as world:
        summary = make_seeds(params, open_manifest(params), SEEDS)
        if world.leads:
            write_record(
                record_file("seeds"),
                SEEDS / "classifier.safetensors",
                device=world.device,
                summary=summary,
            )
            right, seeded = summary["tag_accuracy"], summary["seeded"]
            typer.echo(f"tags right: {right:.1f} %, seeded: {seeded:.1f} %")
            typer.echo(f"wrote {SEEDS}")


if __name__ == "__main__":
    typer.run(main)
