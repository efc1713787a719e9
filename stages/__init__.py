"""One Typer script a DVC stage: `python -m stages.<name> --help`."""
