"""Write the strong and weak lists and each variant's plan: data/split."""

import typer

from pipeline.settings.paths import PARAMS, SPLIT, record_file
from stages.command import ParamsFile, read_params, stage


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Decide which images keep their masks, and what each variant is trained on."""
    params = read_params(params_file)

    from pipeline.base.atomic import whole_folder
    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.split.split import write_split

    with whole_folder(SPLIT) as folder:
        summary = write_split(params, open_manifest(params), folder)
    write_record(record_file("split"), SPLIT / "weak.txt", summary=summary)
    typer.echo("; ".join(f"{name}: {text}" for name, text in summary.items()))
    typer.echo(f"wrote {SPLIT}")


if __name__ == "__main__":
    typer.run(main)
