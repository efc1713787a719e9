"""docs/tutorial.md word by word, in an empty copy of the project, on images made here.

Every fenced block of the page runs as it stands, in its order, in one shell after the other. There
are 20 masks, as the page says, and 60 tagged images, of 64 pixels. Two things are not as a reader
has them: the environment is there already, and the recipe has its steps cut down (and nothing else:
sizes and batches stay), for all of them take many minutes.
"""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.datasets.shapes.prepare import CLASS_NAMES, render_scene
from tests.settings import ROOT, copy_project, put
from tests.trees import save_mask

PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh(?: predict)?\n(.*?)^```$", PAGE, re.M | re.S)
SHORT = {"cam.optimiser.iterations": 12, "dsrg.optimiser.iterations": 3, "train.iterations": 6}
MASKS, TAGGED, NEW = 20, 60, 3
ENV = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
}


def make_photographs(root: Path) -> None:
    """What a reader brings: images, masks and tags.csv, but no classes.txt; and new images."""
    (root / "photos" / "images").mkdir(parents=True)
    (root / "new-photos").mkdir()
    lines = ["image,tags"]
    for number in range(MASKS + TAGGED + NEW):
        drawn = render_scene(3, number, 64)
        name = f"photo-{number:03d}"
        new = number >= MASKS + TAGGED
        folder = root / "new-photos" if new else root / "photos" / "images"
        Image.fromarray(drawn.image).save(folder / f"{name}.jpg", quality=92)
        found = [CLASS_NAMES[v] for v in np.unique(drawn.mask) if v not in (0, 255)]
        if number < MASKS:
            save_mask(root / "photos" / "masks" / f"{name}.png", drawn.mask)
        elif not new:
            lines.append(f"{name}.jpg,{';'.join(found)}")
    (root / "photos" / "tags.csv").write_text("\n".join(lines) + "\n", "utf-8")


def prepare(root: Path) -> Path:
    """The project as a clone has it, with short recipes."""
    project = root / "project"
    project.mkdir()
    copy_project(project)
    (project / "recipes").mkdir()
    yaml = YAML()
    recipe = yaml.load((ROOT / "recipes" / "folder-cpu.yaml").read_text("utf-8"))
    with (project / "recipes" / "folder-cpu.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(put(recipe, SHORT), file)
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["git", "add", "-A"]):
        subprocess.run(command, cwd=project, env=ENV, check=True)
    subprocess.run([*git, "commit", "-qm", "start"], cwd=project, env=ENV, check=True)
    return project


def test_the_page_has_all_its_steps() -> None:
    commands = "".join(BLOCKS)
    for word in ("swseg check", "swseg new", "swseg run", "metrics", "swseg predict"):
        assert word in commands
    names = re.search(r"<<'END'\n(.*?)END\n", commands, re.S)
    assert names is not None
    assert tuple(names[1].split()) == tuple(CLASS_NAMES)


@pytest.mark.slow
def test_the_tutorial_word_by_word(tmp_path: Path) -> None:
    make_photographs(tmp_path)
    project = prepare(tmp_path)
    printed, here = "", project
    for text in BLOCKS:
        place = tmp_path / "where"
        done = subprocess.run(
            ["bash", "-e", "-c", f"{text}\npwd > {place}"], cwd=here, env=ENV, text=True,
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        printed, here = printed + done.stdout, Path(place.read_text("utf-8").strip())
    assert "This folder can be trained on." in printed
    assert "folder: 16 strong, 60 weak, 4 val, 0 test" in printed
    assert "[2 of 15] download: bring the data set into one form" in printed
    assert "nothing has changed since the last run" in printed
    assert "miou" in printed
    assert here == tmp_path / "photos-project"
    page = (here / "report" / "index.html").read_text("utf-8")
    assert "Do the tags help here?" in page
    assert not {"Table 1", "not run"} & set(re.findall("Table 1|not run", page))
    assert len(list((here / "data/predictions/dual").glob("*.png"))) == 4
    new = {path.stem for path in (tmp_path / "new-photos").iterdir()}
    for kind in ("masks", "overlays"):
        assert {path.stem for path in (here / "predictions" / kind).iterdir()} == new
    with (here / "predictions" / "areas.csv").open(encoding="utf-8") as file:
        assert list(csv.DictReader(file))
    git = ["git", "status", "--porcelain"]
    left = subprocess.run(git, cwd=project, env=ENV, text=True, capture_output=True, check=True)
    assert left.stdout == ""  # nothing of the clone was overwritten
