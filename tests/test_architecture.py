"""docs/architecture.md says what is so: its pictures, its tables."""

import re

import pytest

from docs.draw_architecture import DVC_YAML, IMAGES, pictures, purpose
from tests.imports import ROOMS
from tests.settings import ROOT, raw_values

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DEFAULT = [stage for stage in DVC_YAML["stages"] if stage != "ensemble"]  # no `ensembles` in it

DATASET = raw_values()["dataset"]


def table(section: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = re.search(r"\n\|[-|]+\|\n((?:\|.*\n)+)", text)
    assert rows, section
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows[1].splitlines()]


@pytest.mark.parametrize("name", ["rooms.svg", "way.svg"])
def test_pictures_are_drawn_from_the_code_as_it_is(name: str) -> None:
    drawn = pictures()[name]
    assert (IMAGES / name).read_text("utf-8") == drawn, "run python -m docs.draw_architecture"


def test_every_room_is_named_in_its_own_words() -> None:
    said = [[f"`{name}/`", purpose(name)] for name in ROOMS]
    assert table("The rooms") == said, "\n".join(f"| {name} | {words} |" for name, words in said)


@pytest.mark.parametrize("row", table("Where do I find …"), ids=lambda row: row[0])
def test_what_is_looked_for_stands_in_the_file(row: list[str]) -> None:
    _, place, name = row
    files = [path for path in re.findall(r"`([^`]+)`", place) if (ROOT / path).is_file()]
    assert files
    for path in files:
        known = name.strip("`") in (ROOT / path).read_text(encoding="utf-8")
        assert known or path == "params.yaml", f"{path} does not have {name}"


@pytest.mark.parametrize("row", table("What an edit re-runs"), ids=lambda row: row[0])
def test_an_edit_re_runs_what_the_table_says(row: list[str]) -> None:
    path, said = row[0].strip("`"), row[2]
    assert (ROOT / path).exists()
    listed = []
    for name in DEFAULT:
        deps = [dep.replace("${dataset}", DATASET) for dep in DVC_YAML["stages"][name]["deps"]]
        if any(path == dep or path.startswith(f"{dep}/") for dep in deps):
            listed.append(name)
    assert said.partition(" (")[0] == (", ".join(listed) or "none")
