"""Score the DSRG network itself on val: results/*/dsrg.*, data/predictions/dsrg."""

import typer

from pipeline.settings.paths import DSRG, PARAMS, PREDICTIONS, record_file, result_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS, device: Device = None) -> None:
    """Score the DSRG network on whole val images in one pass, without tags or CRF."""
    params = read_params(params_file, device)

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.evaluate.dsrg_network import evaluate_dsrg

    with start(params) as world:
        metrics = evaluate_dsrg(
            params,
            open_manifest(params),
            dsrg=DSRG,
            predictions=PREDICTIONS / "dsrg",
        )
        if world.leads:
            made = result_file("confusion", "dsrg")
            write_record(record_file("evaluate_dsrg"), made, device=world.device, summary=metrics)
            typer.echo(f"dsrg: mIoU {metrics['miou']:.2f}")
            typer.echo("wrote results/*/dsrg.*")


if __name__ == "__main__":
    typer.run(main)
