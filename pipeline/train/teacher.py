"""Stage teacher: the network of generator `self`, trained on the strong masks alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.data.id_lists import write_ids
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import TAUGHT
from pipeline.data.plan import make_plan
from pipeline.devices.distributed import world
from pipeline.settings.params import Params
from pipeline.train.train import train_network

NAME = "teacher"


def train_teacher(
    params: Params, manifest: Manifest, lists: tuple[Sequence[str], Sequence[str]], folder: Path
) -> dict[str, float]:
    """Train as the variant `strong` is trained, with `seed`; arguments and errors as there.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        lists: ids of the strong images, those that stage split draws, and of the weak ones.
        folder: gets network.safetensors, history.csv and the ids of the strong images.
    """
    # Under another name, so that its work is kept apart from that variant's.
    plan = replace(make_plan("strong", 0, *lists), variant=NAME)
    summary = train_network(params, manifest, plan, params.seed, folder)
    if world().leads:
        write_ids(folder / TAUGHT, plan.strong)
    return summary
