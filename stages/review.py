"""List tags that are worth a second look; no part of dvc.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.settings.paths import PARAMS
from stages.command import Device, ParamsFile, read_params, stage

Count = Annotated[int, typer.Option("--count", min=1, help="How many at most.")]
Folds = Annotated[int, typer.Option("--folds", min=2, help="Trainings of the classifier.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for review.csv and a page.")]


@stage
def main(
    count: Count = 100,
    folds: Folds = 5,
    out: Out = Path("review"),
    params_file: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """List tags that are worth a second look.

    Trains the classifier of the tags several times, each time without some of the photographs, and
    lists the tags that it did not expect in these: perhaps missing, and perhaps wrong.
    """
    params = read_params(params_file, device)

    from pipeline.choosing.report import REVIEW, write_review
    from pipeline.choosing.tag_review import review
    from pipeline.data.manifest import open_manifest
    from pipeline.devices.choice import take_device

    take_device(params.machine.device, wait=False)
    manifest = open_manifest(params)
    doubts, few = review(params, manifest, folds)
    write_review(manifest, doubts[:count], few, out)
    missing = sum(doubt.missing for doubt in doubts[:count])
    typer.echo(
        f"worth a look: {missing} tags that may be missing, {len(doubts[:count]) - missing} that "
        f"may be wrong, in {out / REVIEW}: open {out}/index.html"
    )


if __name__ == "__main__":
    typer.run(main)
