"""Look a folder of photographs over before any work: counts, mistakes, advice, and a page."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipeline.base.errors import UserError
from stages.command import stage

Folder = Annotated[Path, typer.Argument(help="The folder that holds images/, masks and tags.")]
Out = Annotated[Path, typer.Option("--out", help="Where index.html goes.")]
Share = Annotated[
    float,
    typer.Option(
        "--val-share", min=0, max=1, help="Same as download.folder.val_share in params.yaml."
    ),
]
Strong = Annotated[
    int | None, typer.Option("--strong", min=1, help="Same as split.strong in params.yaml.")
]
Json = Annotated[bool, typer.Option("--json", help="Print what was found as JSON instead.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same as seed in params.yaml.")]


@stage
def main(
    folder: Folder,
    out: Out = Path("check"),
    val_share: Share = 0.2,
    seed: Seed = 0,
    strong: Strong = None,
    json: Json = False,
) -> None:
    """Look over a folder of photographs before any work.

    Everything that is wrong is told in one go; the exit code is 0 if it can be trained on. Nothing
    is written into the folder. No stage of the pipeline needs this one.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that holds images/, masks and tags")
    from pipeline.check.advice import advise
    from pipeline.check.page import write_page
    from pipeline.check.summary import print_json, print_summary
    from pipeline.check.survey import survey
    from pipeline.datasets.folder.divide import Choice

    with tempfile.TemporaryDirectory(prefix="check-") as made:
        choice = Choice(val_share, seed, strong=strong)
        found = survey(folder.resolve(), choice, Path(made))
        advice = advise(found)
        write_page(found, advice, Path(made), out)
    (print_json if json else print_summary)(found, advice, out / "index.html")
    if not found.usable:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
