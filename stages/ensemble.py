"""Score the average of `strong` and another variant on val: results/ensemble_<variant>."""

from typing import Annotated

import typer

from pipeline.paths import MODELS, PARAMS, RECORDS, RESULTS, SPLIT
from stages.common import ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(
    variant: Annotated[str, typer.Argument(help="The variant to average with `strong`.")],
    params_file: ParamsFile = PARAMS,
) -> None:
    """Two networks, their probabilities averaged for lambda from 0 to 1 (Fig. 6)."""
    params = read_params(params_file)

    from pipeline.ensemble import evaluate_ensemble
    from pipeline.manifest import open_manifest
    from pipeline.record import write_record
    from pipeline.variants import PAPERS_LAMBDA

    folder = RESULTS / f"ensemble_{variant}"
    with start(params.engine) as world:
        metrics = evaluate_ensemble(
            params, open_manifest(params), variant, split=SPLIT, models=MODELS, folder=folder
        )
        if world.leads:
            write_record(RECORDS / f"ensemble-{variant}.json", summary=metrics)
            typer.echo(f"{variant} and strong: mIoU {metrics['miou']:.2f} at {PAPERS_LAMBDA}")
            typer.echo(f"wrote {folder}")


if __name__ == "__main__":
    typer.run(main)
