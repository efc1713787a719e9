"""What a run left behind, as a list of checksums, and the list's text file.

The file is in the format of `sha256sum`, digests cut to twelve digits. Its head says what machine
and params made it, and holds each mIoU, so that a difference can be given in points.
"""

import json
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.base.atomic import whole_file
from pipeline.base.digests import digest
from pipeline.base.errors import UserError, need
from pipeline.base.record import device
from pipeline.report.collect import read_scores
from pipeline.report.scored_networks import ENSEMBLE, scored_names, stage_of
from pipeline.runs.work_key import flat
from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params
from pipeline.settings.paths import KINDS, PREDICTIONS, SEEDS, proxy_dir, result_file

DIGITS = 12
# A run may have other networks than the list, or lie elsewhere; the networks of both are the same.
NOT_COMPARED = {"data_root", "variants", "ensembles", "machine", "report"}
TITLE = (
    "# What a run leaves behind, for `make verify`; `python -m stages.verify --write` writes it.\n"
)
CPU = Path("/proc/cpuinfo")  # of Linux
CPU_KEYS = ("vendor_id", "cpu family", "model", "stepping", "model name")


@dataclass(frozen=True)
class Listing:
    """A run's files and scores.

    Attributes:
        machine: what rounding depends on, by name.
        params: those that results follow from, by dotted name.
        miou: percent, by network and training seed.
        digests: by path, relative to the repository root.
    """

    machine: dict[str, str]
    params: dict[str, Any]
    miou: dict[str, dict[str, float]]
    digests: dict[str, str]


def list_run(params: Params) -> Listing:
    """The list of the run that is here.

    Raises:
        UserError: a file is missing; the message names its stage.
    """
    names = scored_names(params)
    scores = {name: read_scores(params, name)[1] for name in names}
    miou = {name: {str(seed): score for seed, score in scores[name].items()} for name in names}
    values = dict(flat(params.model_dump(mode="json", exclude=NOT_COMPARED)))
    digests = {path.as_posix(): digest(path)[:DIGITS] for path in files_of(params, names)}
    return Listing(machine(params.machine.device), values, miou, digests)


def files_of(params: Params, names: list[str]) -> Iterator[Path]:
    """Seeds, proxies, and the predictions and results of some networks.

    Raises:
        UserError: one of them is not there at all.
    """
    if needed_by(params)["dsrg"]:
        yield need(SEEDS / "seeds.npy", "seeds")
    folders = [
        (proxy_dir(generator) / kind, f"proxy {generator}")
        for generator in params.proxy.generators
        for kind in ("masks", "confidence")
    ]
    alone = [name for name in names if not name.startswith(ENSEMBLE)]
    folders += [(PREDICTIONS / name, stage_of(name)) for name in alone]
    for folder, stage in folders:
        yield from sorted(path for path in need(folder, stage).rglob("*") if path.is_file())
    results = (result_file(params.dataset, kind, name) for kind in KINDS for name in names)
    yield from (path for path in results if path.exists())


def machine(chosen: str = "auto") -> dict[str, str]:
    """What decides how this machine rounds; `chosen` is machine.device."""
    return {
        "processor": processor(),
        "device": chosen.upper() if chosen in ("cpu", "mps") else device(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
    }


def processor() -> str:
    """Vendor, family, model, stepping and name, where the system tells them."""
    text = CPU.read_text(encoding="utf-8") if CPU.exists() else ""
    found = [re.search(rf"^{key}\s*: (.*)$", text, re.MULTILINE) for key in CPU_KEYS]
    return ", ".join(match[1] for match in found if match) or platform.processor()


def write_listing(path: Path, listing: Listing) -> None:
    """Write a list as text."""
    head = {
        **listing.machine,
        "params": json.dumps(listing.params),
        "miou": json.dumps(listing.miou),
    }
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(TITLE)
        file.writelines(f"# {key}: {value}\n" for key, value in head.items())
        file.writelines(f"{digits}  {name}\n" for name, digits in listing.digests.items())


def read_listing(path: Path) -> Listing:
    """A list that `write_listing` wrote.

    Raises:
        UserError: it is not there or damaged.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: `python -m stages.verify --write` lists this run")
    lines = path.read_text(encoding="utf-8").removeprefix(TITLE).splitlines()
    try:
        head = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
        params, miou = json.loads(head.pop("params")), json.loads(head.pop("miou"))
        files = (line.split("  ", 1) for line in lines if not line.startswith("# "))
        return Listing(head, params, miou, {name: digits for digits, name in files})
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged: `git checkout {path}` brings it back") from error
