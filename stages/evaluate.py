"""Score one variant's networks on val: results/<variant>, data/predictions/<variant>."""

from typing import Annotated

import typer

from pipeline.paths import MODELS, PARAMS, PREDICTIONS, RECORDS, RESULTS, SPLIT
from stages.common import ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(
    variant: Annotated[str, typer.Argument(help="One of the variants in params.yaml.")],
    params_file: ParamsFile = PARAMS,
) -> None:
    """Full images, strong branch only, one confusion matrix a network."""
    params = read_params(params_file)

    from pipeline.manifest import open_manifest
    from pipeline.plan import read_plan
    from pipeline.record import write_record
    from pipeline.score import evaluate_variant
    from pipeline.submission import ARCHIVE, SERVER

    folder = RESULTS / variant
    with start(params.engine) as world:
        metrics = evaluate_variant(
            params,
            open_manifest(params),
            read_plan(SPLIT, variant),
            models=MODELS,
            predictions=PREDICTIONS / variant,
            folder=folder,
        )
        if world.leads:
            write_record(RECORDS / f"evaluate-{variant}.json", summary=metrics)
            deviation = f" ± {metrics['miou_sd']:.2f}" if len(params.seeds) > 1 else ""
            score = f"mIoU {metrics['miou']:.2f}{deviation} over {len(params.seeds)} seed(s)"
            typer.echo(f"{variant}: {score}")
            typer.echo(f"wrote {folder}")
            archive = PREDICTIONS / variant / ARCHIVE
            if archive.exists():
                typer.echo(f"wrote {archive} for {SERVER}, which alone can score VOC test")


if __name__ == "__main__":
    typer.run(main)
