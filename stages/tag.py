"""Tag a folder of photographs by single keys, in the browser; no part of dvc.yaml."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from pipeline.base.errors import UserError
from stages.command import stage

Folder = Annotated[Path, typer.Argument(help="The folder that holds images/.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: one that is free.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")]


@stage
def main(folder: Folder, port: Port = 0, browser: Browser = True) -> None:
    """Tag photographs by single keys, in the browser.

    The page is for this machine alone. Every key is in tags.csv at once; the same command goes on
    where it was left. In a project that was run on the folder, the classifier's tags are proposed,
    the most doubtful photographs first.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that holds images/")

    from pipeline.base.locks import locked
    from pipeline.tagging.pictures import open_folder
    from pipeline.tagging.server import TagServer

    table, pictures = open_folder(folder.resolve())
    with locked(table.path, patience=0.0):
        try:
            server = TagServer(table, pictures, port)
        except OSError as error:
            raise UserError(f"--port: {port} cannot be used ({error.strerror})") from error
        typer.echo(f"{len(pictures)} photographs without a mask: open {server.address}")
        typer.echo("stop with Ctrl-C; everything is saved")
        if browser and sys.stdout.isatty():
            webbrowser.open(server.address)
        server.serve_forever()


if __name__ == "__main__":
    typer.run(main)
