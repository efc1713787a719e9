"""What saved work belongs to: the params, the code and the files it is made from; and its folder.

Anything else starts afresh, and says what is different. What is stopped waits in its folder for the
same to be run again; so much of it as nobody came back for is removed.
"""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.atomic import whole_file
from pipeline.params import Params
from pipeline.paths import CHECKPOINTS

NAMED = 3  # so many differences are told
MADE_OF = "made-of.json"  # the key's parts
OTHERS = 2  # so many stopped runs with other keys wait beside the one at work
DAYS = 14  # so long they do


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
    own = dict(_flat(params.model_dump(mode="json", exclude=exclude)))
    return Key(
        {**own, **made_from(files, "torch"), **{name: repr(part) for name, part in parts.items()}}
    )


def made_from(files: Iterable[Path], *packages: str) -> dict[str, str]:
    """The parts of a key that say by what code and from which files the work is made."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(path.read_bytes())
    return {
        "the project's code": _as_digest(code.hexdigest()),
        **{package: version(package) for package in packages},
        **_by_folder(files),
    }


def work_folder(name: str, key: Key, root: Path = CHECKPOINTS) -> Path:
    """Where a piece of work keeps what it has so far."""
    return root / f"{name}-{key.digits}"


def open_work(name: str, key: Key, root: Path = CHECKPOINTS) -> Path:
    """Make the work's folder, or find it; say why nothing in the last one of this name can be used.

    Others of this name may be come back to, so the last `OTHERS` of them stay for `DAYS` days.
    """
    folder = work_folder(name, key, root)
    others = _drop_old(folder, name)
    if folder.exists():
        return folder
    if others:
        changed = key.differences(_parts(others[0]))
        sys.stderr.write(f"{name}: starts afresh, other than before: {changed}\n")
    folder.mkdir(parents=True)
    with whole_file(folder / MADE_OF) as part:
        part.write_text(json.dumps(key.parts, indent=1), "utf-8")
    return folder


def close_work(name: str, key: Key, root: Path = CHECKPOINTS) -> None:
    """Remove the work's folder: it is over."""
    folder = work_folder(name, key, root)
    _drop(folder)
    _drop_old(folder, name)


def _drop_old(folder: Path, name: str) -> list[Path]:
    """Remove folders of the same work under other keys that nobody came back for; list the rest."""
    others = [path for path in folder.parent.glob(f"{name}-{'?' * 12}") if path != folder]
    others.sort(key=_touched, reverse=True)
    oldest = time.time() - DAYS * 24 * 3600
    left = [path for path in others[:OTHERS] if _touched(path) > oldest]
    for path in set(others).difference(left):
        _drop(path)
    return left


def _parts(folder: Path) -> dict[str, Any]:
    """The parts of the key of a work's folder; none where a power failure took them."""
    try:
        parts: dict[str, Any] = json.loads((folder / MADE_OF).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return parts


def _touched(folder: Path) -> float:
    """When something was last kept in a work's folder."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _drop(folder: Path) -> None:
    """Remove a work's folder. States go first: none outlives the files it needs."""
    for path in folder.rglob("*.pt"):
        path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


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
