"""What saved work belongs to: the params, the code and the files it was made from.

Anything else starts afresh, and says what is different.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from pipeline.params import Params

NAMED = 3  # so many differences are told


@dataclass(frozen=True)
class Key:
    """Everything a piece of work depends on, each under the name a user knows it by."""

    parts: dict[str, Any]

    @cached_property
    def digits(self) -> str:
        """Twelve digits that change with any of it."""
        text = json.dumps(self.parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def differences(self, other: dict[str, Any]) -> str:
        """What is not as in `other`, an earlier key's parts, in words.

        >>> Key({"train.crop": 160, "code": "a"}).differences({"train.crop": 176, "code": "a"})
        'train.crop (was 176)'
        """
        names = [
            name
            for name in sorted({*self.parts, *other})
            if json.dumps(self.parts.get(name)) != json.dumps(other.get(name))
        ]
        shown = [
            name if _is_digest(other.get(name)) else f"{name} (was {other.get(name)})"
            for name in names[:NAMED]
        ]
        return ", ".join([*shown, *([f"and {len(names) - NAMED} more"] if names[NAMED:] else [])])


def key_of(params: Params, files: Iterable[Path], **parts: object) -> Key:
    """The key of a piece of work.

    Args:
        params: all of params.yaml; what else is compared, processes, workers, TensorBoard and the
            report change nothing in one training or one pass, and what a training takes from its
            variant stands in its plan, one of the `parts`.
        files: whatever is read.
        parts: anything else, by name.
    """
    others = dict.fromkeys(("variants", "ensembles", "seeds", "neck_n", "report"), True)
    exclude: Any = {
        "engine": {"processes", "workers", "tensorboard"},
        "train": {"extras"},
        **others,
    }
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(path.read_bytes())
    return Key(
        {
            **dict(_flat(params.model_dump(mode="json", exclude=exclude))),
            "the project's code": _as_digest(code.hexdigest()),
            "torch": torch.__version__,
            **_by_folder(files),
            **{name: repr(value) for name, value in parts.items()},
        }
    )


def digest(path: Path) -> str:
    """Sixteen digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _by_folder(files: Iterable[Path]) -> dict[str, str]:
    """One digest a folder: a training reads thousands of masks from the same."""
    folders: dict[str, Any] = {}
    for path in files:
        folders.setdefault(f"files in {path.parent}", hashlib.sha256()).update(
            f"{path.name} {digest(path)}\n".encode()
        )
    return {folder: _as_digest(total.hexdigest()) for folder, total in folders.items()}


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Params by their dotted names, as `dvc exp run -S` takes them."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _as_digest(digits: str) -> str:
    return f"sha256:{digits}"


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")
