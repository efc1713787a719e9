"""requirements.lock: a version and hashes for everything, from nowhere in particular."""

import re
import tomllib

from split_lock import split
from tests.settings import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def entries() -> dict[str, str]:
    """What is locked: its lines by its name."""
    lines = "\n".join(line for line in LOCK.splitlines() if not line.lstrip().startswith("#"))
    parts = re.split(r"^(?=\S)", lines, flags=re.MULTILINE)
    return {re.split("[=[]", part)[0]: part for part in parts if part}


def test_everything_has_a_version_and_a_hash() -> None:
    assert len(entries()) > 100
    for name, part in entries().items():
        assert re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==[\w.+]+( |;|\\|$)", part), name
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", part), name


def test_no_place_is_named() -> None:
    assert not re.search(r"https?:|--index|--find-links|--extra-index|file:", LOCK)


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[<>=!;\[ ]", line)[0].lower() for line in asked}
    assert {re.sub(r"[._-]+", "-", name) for name in names} <= set(entries())


def test_setuptools_is_locked_everywhere() -> None:
    """`make setup` builds the project with it, and asks no index for another."""
    assert re.match(r"setuptools==[\d.]+ \\\n", entries()["setuptools"])


def test_the_lock_is_split_into_torch_and_the_rest_without_cuda() -> None:
    torch, rest = split(LOCK)
    parts = re.split(r"^(?=\w)", LOCK, flags=re.MULTILINE)[1:]
    kept = re.split(r"^(?=\w)", rest, flags=re.MULTILINE)[1:]
    gone = [part for part in parts if part not in kept]
    assert kept == [part for part in parts if part not in gone]  # whole, hashes and all
    names = [part.partition("==")[0] for part in gone]
    theirs = {"torch", "torchvision"}
    assert torch.splitlines() == [part.split()[0] for part in gone if part.split("==")[0] in theirs]
    assert theirs < set(names)
    cuda = r"(cuda-|triton$|nvidia-(?!ml-py))"  # nvidia-ml-py reads what a GPU does, for dvclive
    assert set(names) - theirs == {name for name in entries() if re.match(cuda, name)}
