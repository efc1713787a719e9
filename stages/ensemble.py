"""Score the average of `strong` and another variant on val: results/*/*/ensemble_<variant>.*."""

from typing import Annotated

import typer

from pipeline.settings.paths import MODELS, PARAMS, SPLIT, record_file, result_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(
    variant: Annotated[str, typer.Argument(help="The variant to average with `strong`.")],
    params_file: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Average the probabilities of `strong` and another variant, lambda from 0 to 1 (Fig. 6)."""
    params = read_params(params_file, device)

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.evaluate.ensemble import evaluate_ensemble
    from pipeline.settings.variants import PAPERS_LAMBDA

    with start(params) as world:
        metrics = evaluate_ensemble(
            params, open_manifest(params), variant, split=SPLIT, models=MODELS
        )
        if world.leads:
            made = result_file(params.dataset, "confusion", f"ensemble_{variant}")
            write_record(
                record_file(f"ensemble {variant}"), made, device=world.device, summary=metrics
            )
            typer.echo(f"{variant} and strong: mIoU {metrics['miou']:.2f} at {PAPERS_LAMBDA}")
            typer.echo(f"wrote results/{params.dataset}/*/ensemble_{variant}.*")


if __name__ == "__main__":
    typer.run(main)
