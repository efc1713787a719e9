"""requirements.lock: a version and hashes for everything, from nowhere in particular."""

import re
import tomllib

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
