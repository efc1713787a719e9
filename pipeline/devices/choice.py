"""The device that was asked for: refused where it is not there, else this process's from then on.

A GPU is chosen by hiding the others from this process, the CPU by hiding all. So whatever asks
torch for a GPU, in here or in a library, gets that one or none.
"""

import os

import torch

from pipeline.base.errors import UserError
from pipeline.devices.device import pick_device, prefer
from pipeline.devices.gpus import VISIBLE, claim_gpu, see_gpu, visible_gpus
from pipeline.settings.params_file import read_device

KEY = "machine.device or --device"


def take_device(asked: str, processes: int = 1, *, key: str = KEY, wait: bool = True) -> None:
    """Compute on a device from now on, in the whole process; to be called before CUDA starts.

    Args:
        asked: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        processes: of this run. A process that is alone takes one GPU for itself; of several, each
            takes its own when they meet (`distributed.joined`).
        key: what the messages name.
        wait: whether to wait for a GPU that another stage has; if not, it is shared.

    Raises:
        UserError: the device is not there, or is one and there are several processes.
    """
    refuse_absent(asked, key)
    if processes > 1:
        refuse_several(asked, processes, key)
    kind, number = parts_of(asked)
    if kind == "cpu":
        os.environ[VISIBLE] = ""
    elif processes == 1 and wait:
        claim_gpu(number)
    elif number is not None:
        see_gpu(visible_gpus()[number])
    refuse_dead(asked, key)
    prefer(None if kind == "auto" else kind)


def named_device(asked: str, key: str) -> torch.device:
    """A device by its name, for one network beside others; `auto` is this process's.

    Raises:
        UserError: it is not there, or the name is none; the message names the `key`.
    """
    refuse_absent(asked, key)
    refuse_dead(asked, key)
    return pick_device() if asked == "auto" else torch.device(asked)


def parts_of(asked: str) -> tuple[str, int | None]:
    """Kind and number.

    >>> parts_of("cuda:1"), parts_of("cpu")
    (('cuda', 1), ('cpu', None))
    """
    kind, _, number = asked.partition(":")
    return kind, int(number) if number else None


def devices_here() -> list[str]:
    """The devices that can be asked for by name, without starting CUDA."""
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def refuse_absent(asked: str, key: str) -> None:
    """Refuse a device that is not among those of this machine.

    Raises:
        UserError: with those that are; or the name is none.
    """
    if read_device(asked, key) in ("auto", "cpu"):
        return
    here = devices_here()
    if asked in here or (asked == "cuda" and "cuda:0" in here):
        return
    hidden = os.environ.get(VISIBLE)
    counts = "cuda" in asked and hidden is not None
    note = f" (CUDA_VISIBLE_DEVICES is {hidden!r})" if counts else ""
    raise UserError(f"{key}: torch sees no {asked} here{note}; use {', '.join(here)} or auto")


def refuse_several(asked: str, processes: int, key: str) -> None:
    """Refuse one GPU for several processes.

    Raises:
        UserError: with the way out.
    """
    kind, number = parts_of(asked)
    if kind != "mps" and number is None:
        return
    other = "cpu" if kind == "mps" else "cuda, with which each process has a GPU of its own"
    raise UserError(
        f"{key}: {asked} is one GPU, and there are {processes} processes; use {other}, or start "
        "one process (machine.processes: 1)"
    )


def refuse_dead(asked: str, key: str) -> None:
    """Refuse NVIDIA GPUs that are there while CUDA does not start, as with too old a driver.

    Raises:
        UserError: CUDA was asked for by name.
    """
    if parts_of(asked)[0] == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"{key}: CUDA does not start, so {asked} cannot be used (`nvidia-smi` shows the "
            "driver); use cpu or auto"
        )
