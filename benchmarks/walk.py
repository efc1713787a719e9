"""A newcomer's walk: how long, and by how many commands, to the first pictures.

    python -m benchmarks.walk ADDRESS PHOTOS NEW

From `git clone ADDRESS` over the set-up and the demo to a report on the folder PHOTOS and masks for
the photographs in NEW, in an empty folder, in README's own commands. The set-up asks a package
registry; `TORCH_INDEX` in the environment chooses torch as for `make setup`.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, resolve_path=True)]


def commands(address: str, photos: Path, new: Path) -> list[tuple[str, str]]:
    """Each command, and what there is to see after it; empty where nothing is."""
    return [
        (f"git clone -q {address} strong-weak && cd strong-weak", ""),
        ("make setup", ""),
        ("swseg demo --no-browser", "the demo"),
        (f"swseg check {photos}", "what the folder holds"),
        (f"swseg new ../mine --data {photos}", ""),
        ("cd ../mine && swseg run", "a report on one's own photographs"),
        (
            f"swseg predict data/packages/dual/model.safetensors {new} --out predicted",
            "masks for new photographs",
        ),
    ]


def main(
    address: Annotated[str, typer.Argument(help="Of the repository, as git clone takes it.")],
    photos: Folder,
    new: Folder,
) -> None:
    """Walk, and print a table: what is seen after how many commands and seconds."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name).resolve()
        here, begun, rows = top, time.monotonic(), []
        where = top / "where"
        path = f"{top}/strong-weak/.venv/bin:{os.environ['PATH']}"
        for count, (command, seen) in enumerate(commands(address, photos, new), start=1):
            typer.echo(f"$ {command}", err=True)
            script = f"{command} && pwd > {where}"
            environment = {**os.environ, "PATH": path}
            subprocess.run(["bash", "-c", script], cwd=here, env=environment, check=True)
            here = Path(where.read_text("utf-8").strip())
            if seen:
                rows.append([seen, str(count), f"{time.monotonic() - begun:.0f} s"])
    typer.echo(tabulate(rows, ["to see", "commands", "after"], tablefmt="github"))


if __name__ == "__main__":
    typer.run(main)
