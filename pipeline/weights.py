"""Weights from files: plain tensors and nothing else, complete, of the right shape, finite."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.fetch import fetch
from pipeline.registry import BACKBONES


def imagenet_source(name: str) -> tuple[str, str]:
    """Address and digest of torchvision's ImageNet weights of a backbone.

    The digest is the start of a SHA-256 in the file's name; torchvision gives no more of it.
    """
    url: str = BACKBONES.load(name).imagenet()
    digits = re.search(r"-([0-9a-f]{8,})\.", url)
    assert digits is not None, f"{url}: torchvision names files by their SHA-256"
    return url, f"sha256:{digits[1]}"


def imagenet_file(name: str) -> Path:
    """The file of a backbone's ImageNet weights, downloaded if it is not there or not whole.

    It lies where torch keeps its own downloads, so whoever has it does not load it again.

    Raises:
        UserError: it cannot be downloaded.
    """
    url, digest = imagenet_source(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    fetch([url], path, digest)
    return path


def read_tensors(path: Path, way_out: str) -> dict[str, Tensor]:
    """All tensors of a `.safetensors` file or of one written by `torch.save`, by their names.

    Code in a pickle is refused and not run.

    Args:
        path: a file that exists.
        way_out: what the user can do, for the end of the message.

    Raises:
        UserError: the file cannot be read, or holds anything but tensors with names.
    """
    state: dict[str, Tensor] = {}
    try:
        reason = _other_kind(path)
        if not reason:
            state = _load(path)
            reason = _no_tensors(state)
    except MemoryError:
        raise
    except pickle.UnpicklingError:
        # torch's own text recommends to run the code.
        reason = "it is damaged, or holds code or objects beside tensors; none of it was run"
    except Exception as error:  # torch lets many kinds through from damaged files
        reason = str(error).partition("\n")[0] or type(error).__name__
    if reason:
        raise UserError(f"{path} is no plain tensor file ({reason}); {way_out}")
    return state


def misfit(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """What is wrong with tensors that shall fill a network, naming the first such tensor.

    Args:
        state: tensors by name, as they were read.
        wanted: the network's own.

    Returns:
        "" if they fit: all are there, and no others, with the right shapes and kinds, finite in
        the precision of the network. Counts of batches, which files from old versions of torch
        lack and nothing here uses, may be missing.
    """
    needed = {key for key in wanted if not key.endswith("num_batches_tracked")}
    for key in sorted(needed - state.keys()):
        return f"tensor {key!r} is missing"
    for key in sorted(state.keys() - wanted.keys()):
        return f"tensor {key!r} is none of the network's"
    for key, value in state.items():
        own = wanted[key]
        if value.shape != own.shape:
            sizes = f"{tuple(value.shape)} and not {tuple(own.shape)}"
            return f"tensor {key!r} is of another shape, {sizes}"
        plain = value.layout == torch.strided and not value.is_meta
        if not plain or value.is_floating_point() != own.is_floating_point():
            return f"tensor {key!r} is of another kind, {value.dtype}"
        if not value.to(own.dtype).isfinite().all():
            return f"tensor {key!r} holds NaN or infinity"
    return ""


def _other_kind(path: Path) -> str:
    """Why this cannot be a tensor file at all, "" where it can."""
    if not path.is_file():
        return "it is a folder" if path.is_dir() else "it is no file"
    with path.open("rb") as file:
        head = file.read(100).lstrip()
    if not head:
        return "it is empty"
    return "it is a web page" if head.startswith(b"<") else ""


def _load(path: Path) -> Any:
    """What the file holds, in plain tensors and containers."""
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _no_tensors(state: object) -> str:
    """Why these are no tensors with names, "" where they are."""
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        return "it holds no named tensors"
    for key, value in state.items():
        if not isinstance(value, Tensor):
            return f"it holds {key!r}, which is no tensor; save the state_dict alone"
    return ""
