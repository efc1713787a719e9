"""Show what a trained network does, without training one; no part of dvc.yaml."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from stages.command import stage

Out = Annotated[Path, typer.Option("--out", help="The page to write.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")]


@stage
def main(out: Out = Path("demo.html"), browser: Browser = True) -> None:
    """Show what a trained network finds; nothing to train.

    Writes a page with scenes that it has not seen, and its masks, and opens it.
    """
    from pipeline.project.demo import write_demo

    scenes = write_demo(out)
    typer.echo(f"{scenes} new scenes with the masks of a trained network: open {out}")
    if browser and sys.stdout.isatty():
        webbrowser.open(out.resolve().as_uri())


if __name__ == "__main__":
    typer.run(main)
