"""The real command on bad input: exit code 1, one message, no traceback, nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.bad_input.spoiling import Spoil, cut, edited, entry, every, picture, renamed, turned
from tests.bad_input.table import TRAIN
from tests.settings import ROOT, small_params
from tests.trees import make_coco, make_folder, make_voc

DEVKIT = "VOCdevkit/VOC2012"


def command(kind: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m stages.download` in a folder of its own, on the data set beside it."""
    changes = {"dataset": kind, "data_root": str(workspace / "mine"), "download.coco.strong": 4}
    workspace.joinpath("run").mkdir(exist_ok=True)
    with (workspace / "run" / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(small_params(**changes).model_dump(), file)
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(
        [sys.executable, "-m", "stages.download"],
        cwd=workspace / "run", env=environment, text=True, capture_output=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "spoil", "lines"),
    [
        ("folder", cut("images/scene 4.jpg", 0.5), 1),
        ("folder", every(cut("images/scene 4.jpg", 0.5), renamed("scene 0", "a\udcff")), 3),
        ("folder", every(*(cut(f"images/scene {n}.jpg", 0.5) for n in range(12))), 13),
        ("voc", cut(f"{DEVKIT}/SegmentationClass/2007_000001.png", 0.5), 1),
        ("coco", edited(TRAIN, entry("images", file_name="../../../x.jpg")), 1),
    ],
    ids=["image", "name that is no UTF-8", "twelve images", "mask", "path"],
)
def test_what_a_user_sees(kind: str, spoil: Spoil, lines: int, tmp_path: Path) -> None:
    make = {"folder": make_folder, "coco": make_coco, "voc": lambda r: make_voc(r, sbd=False)}
    make[kind](tmp_path / "mine")
    spoil(tmp_path / "mine")
    done = command(kind, tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert said[0].startswith("error: ")
    assert "Traceback" not in done.stderr
    left = {path.relative_to(tmp_path / "run").as_posix() for path in tmp_path.glob("run/data/*")}
    assert left <= {"data/dataset.problems.txt"}
    assert len(said) == lines
    if lines == 13:
        listing = (tmp_path / "run/data/dataset.problems.txt").read_text("utf-8")
        assert listing.count("cannot be read as an image") == 12


def test_care_is_printed_and_kept(tmp_path: Path) -> None:
    make_folder(tmp_path / "mine")
    turned("images/scene 4.jpg", 6)(tmp_path / "mine")
    picture("images/scene 5.jpg", "CMYK")(tmp_path / "mine")
    done = command("folder", tmp_path)
    assert done.returncode == 0, done.stderr
    counts = "8 weak, 2 val, 0 test, 1 converted from CMYK, 1 turned by EXIF"
    assert done.stdout.splitlines()[0] == f"folder: 5 strong, {counts}"
    record = json.loads((tmp_path / "run/data/records/download.json").read_text("utf-8"))
    assert record["summary"]["turned by EXIF"] == 1


def test_a_listing_goes_when_all_is_well(tmp_path: Path) -> None:
    make_folder(tmp_path / "mine")
    (tmp_path / "run" / "data").mkdir(parents=True)
    (tmp_path / "run" / "data" / "dataset.problems.txt").write_text("old")
    assert command("folder", tmp_path).returncode == 0
    assert not (tmp_path / "run" / "data" / "dataset.problems.txt").exists()
