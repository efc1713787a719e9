"""Folders of stopped work: data/checkpoints/<name>-<key>.

Work with another key starts afresh, and prints what changed. Stopped work waits in its folder to be
resumed; after two weeks it is removed.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.base.atomic import whole_file
from pipeline.runs.work_key import Key
from pipeline.settings.paths import CHECKPOINTS

MADE_OF = "made-of.json"  # the key's parts
OTHERS = 2  # stopped runs with other keys that wait beside the one at work
DAYS = 14  # how long they wait


def work_folder(name: str, key: Key, root: Path = CHECKPOINTS) -> Path:
    """Where a piece of work keeps what it has so far."""
    return root / f"{name}-{key.digits}"


def open_work(name: str, key: Key, root: Path = CHECKPOINTS) -> Path:
    """Make the work's folder, or find it; say why the last one of this name cannot be used."""
    folder = work_folder(name, key, root)
    others = _drop_old(folder, name)
    if folder.exists():
        return folder
    if others:
        changed = key.differences(_parts(others[0]))
        sys.stderr.write(f"{name}: starts afresh; changed: {changed}\n")
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
    """Remove old folders of the same work under other keys; list the rest."""
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
    """When something was last written into a work's folder."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _drop(folder: Path) -> None:
    """Remove a work's folder. States go first: none outlives the files it needs."""
    for path in folder.rglob("*.pt"):
        path.unlink()
    shutil.rmtree(folder, ignore_errors=True)
