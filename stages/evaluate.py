"""Score one variant's networks on val: results/*/*/<variant>.*, data/predictions/<variant>."""

from typing import Annotated

import typer

from pipeline.settings.paths import MODELS, PARAMS, PREDICTIONS, SPLIT, record_file, result_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(
    variant: Annotated[str, typer.Argument(help="One of the variants in params.yaml.")],
    params_file: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Score each of a variant's networks on whole val images, strong branch only."""
    params = read_params(params_file, device)

    from pipeline.base.record import write_record
    from pipeline.data.folds import describe_folds, repetitions
    from pipeline.data.manifest import open_manifest
    from pipeline.data.plan import read_plan
    from pipeline.evaluate.submission import ARCHIVE, SERVER
    from pipeline.evaluate.variant import evaluate_variant

    with start(params) as world:
        manifest = open_manifest(params)
        metrics = evaluate_variant(
            params,
            manifest,
            read_plan(SPLIT, variant),
            models=MODELS,
            predictions=PREDICTIONS / variant,
        )
        if world.leads:
            made = result_file(params.dataset, "confusion", variant)
            write_record(
                record_file(f"evaluate {variant}"), made, device=world.device, summary=metrics
            )
            times = len(repetitions(params.seeds, len(manifest.fold_sizes)))
            deviation = f" ± {metrics['miou_sd']:.2f}" if times > 1 else ""
            over = f"{len(params.seeds)} seed{'s' if len(params.seeds) > 1 else ''}"
            if manifest.fold_sizes:
                over += f" and {describe_folds(manifest.fold_sizes)}"
            typer.echo(f"{variant}: mIoU {metrics['miou']:.2f}{deviation} over {over}")
            typer.echo(f"wrote results/{params.dataset}/*/{variant}.*")
            archive = PREDICTIONS / variant / ARCHIVE
            if archive.exists():
                typer.echo(f"wrote {archive} for {SERVER}, which alone can score VOC test")


if __name__ == "__main__":
    typer.run(main)
