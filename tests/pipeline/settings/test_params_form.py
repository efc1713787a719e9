"""params.yaml and the recipes are in DVC's own hand: `dvc exp run -S` changes what it must.

DVC's own function rewrites the files. It drops comments and blank lines that follow a list, keeps
those of a scalar, leaves null empty and writes 1.0e-4 as 0.0001.
"""

import difflib
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.runs.work_key import flat
from tests.settings import ROOT, put, raw_values

FILES = [ROOT / "params.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def changed(text: str, folder: Path, *overrides: str) -> str:
    """What `dvc exp run -S` makes of a params file."""
    path = folder / "params.yaml"
    path.write_text(text, "utf-8")
    apply_overrides(path, list(overrides))
    return path.read_text("utf-8")


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def differing(before: str, after: str) -> list[str]:
    """The lines of a diff that go and come, with their sign."""
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
    return [line for line in diff if line[0] in "+-" and line[:3] not in ("+++", "---")]


def is_item(line: str) -> bool:
    return line[1:].lstrip().startswith("- ")


@each_file
def test_no_change_changes_nothing(path: Path, tmp_path: Path) -> None:
    text = path.read_text("utf-8")
    assert changed(text, tmp_path) == text


SCALARS = [key for key, value in flat(raw_values()) if not isinstance(value, list)]
LISTS = [key for key, value in flat(raw_values()) if isinstance(value, list)]


@pytest.mark.parametrize("key", SCALARS)
def test_a_key_is_one_line(key: str, tmp_path: Path) -> None:
    """Each alone in params.yaml; recipes differ from it in values, and have all changed at once."""
    text = FILES[0].read_text("utf-8")
    after = changed(text, tmp_path, f"{key}=other")
    assert [line[0] for line in differing(text, after)] == ["-", "+"]
    assert read(after) == put(read(text), {key: "other"})
    assert comments(after) == comments(text)


@each_file
@pytest.mark.parametrize(("said", "value"), [("97", 97), ("null", None), ("5e-05", 5e-05)])
def test_each_of_many_keys_is_one_line(path: Path, said: str, value: Any, tmp_path: Path) -> None:
    text = path.read_text("utf-8")
    after = changed(text, tmp_path, *(f"{key}={said}" for key in SCALARS))
    assert read(after) == put(read(text), dict.fromkeys(SCALARS, value))
    assert comments(after) == comments(text)
    values = dict(flat(read(text)))
    changes = sum(values[key] != value for key in SCALARS)
    assert [line[0] for line in differing(text, after)].count("+") == changes
    assert len(after.splitlines()) == len(text.splitlines())


@each_file
@pytest.mark.parametrize("value", [["dual"], [3, 0.5], []], ids=str)
def test_lists_are_the_lines_of_their_items(path: Path, value: list[Any], tmp_path: Path) -> None:
    text = path.read_text("utf-8")
    said = str(value).replace("'", "")
    after = changed(text, tmp_path, *(f"{key}={said}" for key in LISTS))
    assert read(after) == put(read(text), dict.fromkeys(LISTS, value))
    assert comments(after) == comments(text)
    others = {line[1:].strip() for line in differing(text, after) if not is_item(line)}
    names = [key.rpartition(".")[2] for key in LISTS]
    assert others <= {f"{name}:{empty}" for name in names for empty in ("", " []")}


@each_file
def test_a_change_back_leaves_no_trace(path: Path, tmp_path: Path) -> None:
    """But for a comment that a long value pushed on, which values of one digit do not."""
    text = path.read_text("utf-8")
    values = dict(flat(read(text)))
    there = [f"{key}=[9,9,9]" if key in LISTS else f"{key}=9" for key in values]
    back = [f"{key}={'null' if value is None else value}" for key, value in values.items()]
    assert changed(changed(text, tmp_path, *there), tmp_path, *back) == text
