"""Reads weights from files: only plain tensors, complete, of the right shape, finite."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from pipeline.base.errors import UserError
from pipeline.base.fetch import fetch
from pipeline.settings.registry import BACKBONES


def imagenet_source(name: str) -> Path | tuple[str, str]:
    """Where a backbone's ImageNet weights are: an installed file, or torchvision's address, digest.

    The digest is the start of the SHA-256, from the file's name; torchvision has no more of it.
    """
    url: str | Path = BACKBONES.load(name).imagenet()
    if isinstance(url, Path):
        return url
    digits = re.search(r"-([0-9a-f]{8,})\.", url)
    assert digits is not None, f"{url}: torchvision names files by their SHA-256"
    return url, f"sha256:{digits[1]}"


def imagenet_file(name: str) -> Path:
    """The file of a backbone's ImageNet weights, downloaded if it is missing or incomplete.

    torchvision's are in torch's own folder of downloads, so a file that torch downloaded is used.

    Raises:
        UserError: it cannot be downloaded.
    """
    source = imagenet_source(name)
    if isinstance(source, Path):
        return source
    url, digest = source
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    fetch([url], path, digest)
    return path


def read_tensors(path: Path, way_out: str) -> dict[str, Tensor]:
    """All tensors of a `.safetensors` file or of one written by `torch.save`, by their names.

    A pickle with code is refused; the code is not run.

    Args:
        path: a file that exists.
        way_out: what the user can do; the end of the message.

    Raises:
        UserError: the file cannot be read, or has anything but named tensors.
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
        reason = "it is damaged, or has code or objects besides tensors; no code was run"
    except Exception as error:  # damaged files make torch raise many kinds
        reason = str(error).partition("\n")[0] or type(error).__name__
    if reason:
        raise UserError(f"{path} is not a plain tensor file ({reason}); {way_out}")
    return state


def misfit(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """What is wrong with tensors for a network; it names the first wrong tensor.

    Args:
        state: tensors by name, as read.
        wanted: the network's own.

    Returns:
        "" if they fit: all are there and no others, with the right shapes and kinds, finite in the
        network's precision. Counts of batches may be missing, as in files of old versions of torch;
        nothing here uses them.
    """
    needed = {key for key in wanted if not key.endswith("num_batches_tracked")}
    for key in sorted(needed - state.keys()):
        return f"tensor {key!r} is missing"
    for key in sorted(state.keys() - wanted.keys()):
        return f"tensor {key!r} is not one of the network's"
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
    """Why this cannot be a tensor file, or ""."""
    if not path.is_file():
        return "it is a folder" if path.is_dir() else "it is not a file"
    with path.open("rb") as file:
        head = file.read(100).lstrip()
    if not head:
        return "it is empty"
    return "it is a web page" if head.startswith(b"<") else ""


def _load(path: Path) -> Any:
    """The content of a file, as plain tensors and containers."""
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _no_tensors(state: object) -> str:
    """Why these are not named tensors, or ""."""
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        return "it has no named tensors"
    for key, value in state.items():
        if not isinstance(value, Tensor):
            return f"it holds {key!r}, which is not a tensor; save the state_dict alone"
    return ""
