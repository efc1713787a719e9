"""Score the DSRG network itself on val: results/*/*/dsrg.*, data/predictions/dsrg."""

import typer

from pipeline.settings.needs import leave_out, leave_out_results, needed_by
from pipeline.settings.paths import DSRG, PARAMS, PREDICTIONS, record_file, result_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS, device: Device = None) -> None:
    """Score the DSRG network on whole val images in one pass, without tags or CRF."""
    params = read_params(params_file, device)
    if not needed_by(params)["dsrg"]:
        leave_out("evaluate_dsrg", PREDICTIONS / "dsrg")
        typer.echo(leave_out_results(params.dataset, "dsrg"))
        return

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
            made = result_file(params.dataset, "confusion", "dsrg")
            write_record(record_file("evaluate_dsrg"), made, device=world.device, summary=metrics)
            typer.echo(f"dsrg: mIoU {metrics['miou']:.2f}")
            typer.echo(f"wrote results/{params.dataset}/*/dsrg.*")


if __name__ == "__main__":
    typer.run(main)
