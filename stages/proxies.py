"""Write the masks that were made from tags as annotations to correct; no part of dvc.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.base.errors import UserError
from pipeline.settings.paths import PARAMS, resolve_user_path
from stages.annotations import FEWEST, Specks, Tool, summary
from stages.command import ParamsFile, read_params, stage

Names = Annotated[
    list[str] | None, typer.Argument(help="Images, by name; all that have no mask by default.")
]
As = Annotated[Tool, typer.Option("--as", help="The tool that is to edit them.")]
Out = Annotated[Path, typer.Option("--out", help="Where the tool's folder goes.")]
Generator = Annotated[
    str | None, typer.Option("--generator", help="Whose; the first of proxy.generators by default.")
]


@stage
def main(
    tool: As,
    out: Out,
    names: Names = None,
    generator: Generator = None,
    specks: Specks = FEWEST,
    params_file: ParamsFile = PARAMS,
) -> None:
    """Write masks made from tags, to be corrected.

    To correct one is less work than to draw it. `swseg join` takes those back that were changed.
    """
    params = read_params(params_file)
    if params.dataset != "folder":
        raise UserError("these are photographs of a data set; this is for a folder of one's own")

    from pipeline.data.manifest import open_manifest
    from pipeline.editable.exchange import Export
    from pipeline.editable.join import find_own
    from pipeline.editable.proxies import export_masks, read_proxy, without_mask

    manifest = open_manifest(params)
    photographs = find_own(resolve_user_path(params.data_root))
    chosen = generator or params.proxy.generators[0]
    keys = without_mask(manifest, names or [], photographs, chosen)
    export = Export(tool, out / tool, manifest.classes, specks)
    export_masks(((key, read_proxy(key, chosen)) for key in keys), photographs, export)
    export.finish()
    typer.echo(summary(export, tool))
    typer.echo(f"when some are corrected: swseg join {export.folder} --data {params.data_root}")


if __name__ == "__main__":
    typer.run(main)
