"""Lay everything out on one page, report/index.html, with tables and plots as files."""

import typer

from pipeline.settings.paths import PARAMS, REPORT
from stages.command import ParamsFile, read_params, stage


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Write the report: comparison, curves, per-class IoU, viewer, pictures, proxies, records."""
    params = read_params(params_file)

    from pipeline.base.atomic import whole_folder
    from pipeline.data.manifest import open_manifest
    from pipeline.report.page import comparison_text, write_report

    manifest = open_manifest(params)
    with whole_folder(REPORT) as folder:
        write_report(params, manifest, folder)
    typer.echo(comparison_text(params, manifest))
    typer.echo(f"open {REPORT / 'index.html'}")


if __name__ == "__main__":
    typer.run(main)
