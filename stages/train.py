"""Train one variant with one seed: data/models/<variant>/<seed>."""

from typing import Annotated

import typer

from pipeline.settings.paths import PARAMS, SPLIT, model_dir, record_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(
    variant: Annotated[str, typer.Argument(help="One of the variants in params.yaml.")],
    seed: Annotated[int, typer.Argument(min=0, help="Training seed.")],
    params_file: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Train a single-branch or the dual-branch network on one variant's labels."""
    params = read_params(params_file, device)

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.data.plan import read_plan
    from pipeline.train.train import smallest_part, train_network

    folder = model_dir(variant, seed)
    plan = read_plan(SPLIT, variant)
    batch = "train.batch_size", smallest_part(params, plan)
    with start(params, batch) as world:
        summary = train_network(params, open_manifest(params), plan, seed, folder)
        if world.leads:
            record = record_file(f"train {variant} {seed}")
            write_record(
                record, folder / "network.safetensors", device=world.device, summary=summary
            )
            scores = ", ".join(f"{key} {value:.4g}" for key, value in summary.items())
            typer.echo(f"{variant}, seed {seed}: {scores}")
            typer.echo(f"wrote {folder}")


if __name__ == "__main__":
    typer.run(main)
