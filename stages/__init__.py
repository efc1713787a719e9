"""One Typer script a DVC stage: `python -m stages.<name> --help`."""

import sys

# Before any other import: locks, signals and peak memory are those of Unix.
if sys.platform not in ("linux", "darwin"):
    sys.exit(f"error: {sys.platform} is not supported; use Linux, macOS or, on Windows, WSL")
