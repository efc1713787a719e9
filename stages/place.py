"""Where a stage stands in the whole run, for whoever watches it."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import typer
from ruamel.yaml import YAML

from pipeline.settings.mending import value_of
from pipeline.settings.params import Params

FIRST_LONG = "seeds"  # with it begins what takes time


def announce(params: Params) -> None:
    """Say which stage of how many begins, where DVC runs it; on a terminal, how long it all takes.

    Of several processes of a stage, the first says so.
    """
    stage = os.environ.get("DVC_STAGE", "")
    if not stage or "RANK" in os.environ:
        return
    stages = all_stages(params)
    if stage in stages:  # not one of a dvc.yaml of the user's own
        place = list(stages).index(stage) + 1
        name = stage.replace("@", " ")
        typer.echo(f"[{place} of {len(stages)}] {name}: {stages[stage]}")
    if stage == FIRST_LONG and sys.stdout.isatty():
        alone = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
        subprocess.run([sys.executable, "-m", "stages.forecast"], env=alone, check=False)


def all_stages(params: Params) -> dict[str, str]:
    """Every stage by the name that DVC gives it, with what it does, in the order of dvc.yaml."""
    text = Path("dvc.yaml").read_text("utf-8")
    values = params.model_dump()
    found = {}
    for name, stage in YAML(typ="safe", pure=True).load(text)["stages"].items():
        lists = (value_of(values, each.strip("${}")) for each in stage.get("matrix", {}).values())
        for items in product(*lists):
            found["@".join([name, *(["-".join(map(str, items))] if items else [])])] = stage["desc"]
    return found
