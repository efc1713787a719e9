"""List the photographs that are worth most to draw next; no part of dvc.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.base.errors import UserError
from pipeline.settings.paths import PARAMS, resolve_user_path
from stages.annotations import FEWEST, Specks, Tool, summary
from stages.command import Device, ParamsFile, read_params, stage

Count = Annotated[int, typer.Option("--count", min=1, help="How many.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for next.csv, a page and annotations.")]
As = Annotated[
    Tool | None, typer.Option("--as", help="Write what the network finds, for this tool to edit.")
]
Marked = Annotated[
    Path | None, typer.Option("--marked", help="A list saved in the viewer; these go first.")
]
By = Annotated[
    str, typer.Option("--by", help="balanced, doubt, both or random: docs/labelling.md.")
]


@stage
def main(
    count: Count = 20,
    out: Out = Path("next"),
    tool: As = None,
    marked: Marked = None,
    by: By = "balanced",
    specks: Specks = FEWEST,
    params_file: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """List the photographs worth most to draw next.

    They are among those with tags and no mask. Each comes with the reason, and about as many
    corners as its outlines have.
    """
    params = read_params(params_file, device)
    if params.dataset != "folder":
        raise UserError("these are photographs of a data set; this is for a folder of one's own")

    from pipeline.choosing.choosing import choose_next, read_marked
    from pipeline.choosing.order import Rule
    from pipeline.choosing.report import write_list
    from pipeline.data.manifest import open_manifest
    from pipeline.devices.choice import take_device
    from pipeline.editable.exchange import Export
    from pipeline.editable.join import find_own
    from pipeline.editable.proxies import export_masks

    if by not in tuple(Rule):
        raise UserError(f"--by: {by} is none of {', '.join(Rule)}")
    take_device(params.machine.device, wait=False)
    manifest = open_manifest(params)
    first = read_marked(marked, manifest) if marked else ()
    listed = choose_next(params, manifest, Rule(by), first, count, specks)
    write_list(manifest, listed, frozenset(first), out)
    typer.echo(f"{len(listed.signals)} photographs in {out / 'next.csv'}: open {out}/index.html")
    if tool:
        export = Export(tool, out / tool, manifest.classes, specks)
        masks = ((key, listed.signals[key].mask_HW) for key in listed.chosen)
        export_masks(masks, find_own(resolve_user_path(params.data_root)), export)
        export.finish()
        typer.echo(summary(export, tool))
        typer.echo(f"when they are right: swseg join {export.folder} --data {params.data_root}")


if __name__ == "__main__":
    typer.run(main)
