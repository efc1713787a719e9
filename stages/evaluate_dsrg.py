"""Score the DSRG network itself on val: results/dsrg, data/predictions/dsrg."""

import typer

from pipeline.paths import DSRG, PARAMS, PREDICTIONS, RECORDS, RESULTS
from stages.common import ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Full images in one pass, as every variant is scored; tags and CRF are left out."""
    params = read_params(params_file)

    from pipeline.baseline import evaluate_dsrg
    from pipeline.manifest import open_manifest
    from pipeline.record import write_record

    folder = RESULTS / "dsrg"
    with start(params.engine) as world:
        metrics = evaluate_dsrg(
            params,
            open_manifest(params),
            dsrg=DSRG,
            predictions=PREDICTIONS / "dsrg",
            folder=folder,
        )
        if world.leads:
            write_record(RECORDS / "evaluate_dsrg.json", summary=metrics)
            typer.echo(f"dsrg: mIoU {metrics['miou']:.2f}")
            typer.echo(f"wrote {folder}")


if __name__ == "__main__":
    typer.run(main)
