"""The command `swseg`: the scripts that people run by hand, under one name."""

import os
import sys
from pathlib import Path

import typer

from stages import check, curve, demo, export, join, new, next, predict, proxies, review, run, tag  # noqa: A004

app = typer.Typer(
    help="Semantic segmentation from a few masks and many tags.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for script in (demo, check, tag, review, new, run, predict, next, proxies, join, curve, export):
    app.command(script.__name__.partition(".")[2])(script.main)


def main() -> None:
    """Run the command by the code of the project in this folder, if that is another clone's."""
    here = Path("stages/swseg.py")
    if here.exists() and not here.samefile(__file__):
        command = [sys.executable, "-m", "stages.swseg", *sys.argv[1:]]
        os.execv(command[0], command)  # noqa: S606 - the interpreter that runs this
    app(prog_name="swseg")


if __name__ == "__main__":
    app(prog_name="swseg")
