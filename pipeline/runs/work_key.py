"""What stopped work belongs to: the params, the code and the files it is made from."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.base.digests import digest
from pipeline.settings.params import Params
from pipeline.settings.registry import ROOT

NAMED = 3  # differences that a message names
# No stage lists this room, but it decides how stopped work is stored.
OWN_ROOM = "pipeline/runs"


@dataclass(frozen=True)
class Key:
    """Everything a piece of work depends on, each under the name a user knows it by."""

    parts: dict[str, Any]

    @cached_property
    def digits(self) -> str:
        """Twelve digits that change with any of it."""
        text = json.dumps(self.parts, sort_keys=True)
        return _sha256(text)[:12]

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
            name if name not in other or _is_digest(other[name]) else f"{name} (was {other[name]})"
            for name in names[:NAMED]
        ]
        return ", ".join([*shown, *([f"and {len(names) - NAMED} more"] if names[NAMED:] else [])])


def key_of(stage: str, params: Params, files: Iterable[Path], **parts: object) -> Key:
    """The key of a piece of work of one stage.

    Args:
        stage: its name in dvc.yaml, which lists its rooms.
        params: all of params.yaml. The lists of what is compared, `machine` and `report` are left
            out: they change nothing in one training or pass. So is `timm` with another backbone.
            What a training takes from its variant is in its plan, one of the `parts`.
        files: whatever is read.
        parts: anything else, by name.
    """
    others = {"variants", "ensembles", "seeds", "neck_n", "extras", "machine", "report"}
    chosen = params.backbone_block is not None
    others |= set() if chosen else {"timm"}
    own = dict(flat(params.model_dump(mode="json", exclude=others)))
    packages = ["torch", *(["timm"] if chosen else [])]
    made = made_from(code_of(stage, params), files, *packages)
    return Key(
        {**own, **made, **{name: _as_digest(_sha256(repr(part))) for name, part in parts.items()}}
    )


def code_of(stage: str, params: Params) -> list[str]:
    """The rooms and modules that a stage lists in dvc.yaml, relative to the repository."""
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    deps = YAML(typ="safe", pure=True).load(text)["stages"][stage]["deps"]
    names = {
        "${backbone}": params.backbone,
        "${dataset}": params.dataset,
        "/${item.generator}.py": "",  # of all generators
    }
    code = [dep for dep in deps if dep.startswith(("pipeline/", "stages/"))]
    for name, value in names.items():
        code = [dep.replace(name, value) for dep in code]
    return code


def made_from(code: Iterable[str], files: Iterable[Path], *packages: str) -> dict[str, str]:
    """The parts of a key that say by what code and from which files the work is made.

    Args:
        code: folders and modules, relative to the repository.
        files: what is read.
        packages: libraries whose version counts.
    """
    total = hashlib.sha256()
    for dep in (*code, OWN_ROOM):
        path = ROOT / dep
        for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            total.update(module.read_bytes())
    return {
        "the project's code": _as_digest(total.hexdigest()),
        **{package: version(package) for package in packages},
        **_by_folder(files),
    }


def _by_folder(files: Iterable[Path]) -> dict[str, str]:
    """One digest for each folder: a training reads thousands of masks from one."""
    folders: dict[str, Any] = {}
    for path in files:
        folders.setdefault(f"files in {path.parent}", hashlib.sha256()).update(
            f"{path.name} {digest(path)}\n".encode()
        )
    return {folder: _as_digest(total.hexdigest()) for folder, total in folders.items()}


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Params by their dotted names, as `dvc exp run -S` takes them."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _as_digest(digits: str) -> str:
    return f"sha256:{digits}"


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")
