"""Bring the data set and write its manifest: data/dataset."""

import typer

from pipeline.settings.paths import DATASET, PARAMS, record_file
from pipeline.settings.registry import BACKBONES
from stages.command import ParamsFile, read_params, stage


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Render, download or read the data set; write one manifest for all kinds."""
    params = read_params(params_file)
    if params.backbone_block is not None:
        # A network that cannot serve is refused now, not after hours of downloads.
        BACKBONES.load(params.backbone).check(params.backbone_block, params.backbone_weights)

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.datasets.reading.class_counts import scored_lines
    from pipeline.datasets.reading.download import download

    counts = download(params, DATASET)
    write_record(record_file("download"), DATASET / "manifest.csv", summary=counts)
    typer.echo(f"{params.dataset}: " + ", ".join(f"{n} {split}" for split, n in counts.items()))
    for line in scored_lines(open_manifest(params)):
        typer.echo(line)
    typer.echo(f"wrote {DATASET / 'manifest.csv'}")


if __name__ == "__main__":
    typer.run(main)
