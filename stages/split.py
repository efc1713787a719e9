"""Write the strong and weak lists and each variant's plan: data/split."""

import typer

from pipeline.paths import PARAMS, RECORDS, SPLIT
from stages.common import ParamsFile, read_params, stage


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Decide which images keep their masks, and what each variant is taught by."""
    params = read_params(params_file)

    from pipeline.atomic import whole_folder
    from pipeline.manifest import open_manifest
    from pipeline.record import write_record
    from pipeline.split import write_split

    with whole_folder(SPLIT) as folder:
        summary = write_split(params, open_manifest(params), folder)
    write_record(RECORDS / "split.json", summary=summary)
    typer.echo("; ".join(f"{name}: {text}" for name, text in summary.items()))
    typer.echo(f"wrote {SPLIT}")


if __name__ == "__main__":
    typer.run(main)
