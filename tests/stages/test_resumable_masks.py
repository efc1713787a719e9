"""A download that is stopped while it makes masks: the same command goes on, to the same bytes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.settings import SMALL, late, put, raw_values
from tests.stages.test_kills import ENV, files, run
from tests.trees import make_coco, make_voc

KINDS: dict[str, tuple[Callable[[Path], None], str, int]] = {
    "coco": (make_coco, "rasterise", 15),
    "voc": (partial(make_voc, sbd=True), "_read_or_refuse", 8),
}

pytestmark = pytest.mark.slow


def stop_on_the_way(kind: str, folder: Path, sent: signal.Signals) -> int:
    """Stop the stage by a signal when it has made some masks; how many are there."""

    def kept() -> int:
        return len(list((folder / "data").glob("checkpoints/download-*/masks/*.png")))

    before = kept()
    process = subprocess.Popen(
        [sys.executable, "-c", late(f"datasets.{kind}.prepare", KINDS[kind][1], "download", 0.2)],
        cwd=folder, env=ENV, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while (done := kept()) < before + 3:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(sent)
    asked = time.monotonic()
    said = process.communicate()[1]
    assert time.monotonic() - asked < 10
    assert process.returncode == (-9 if sent == signal.SIGKILL else 128 + sent), said
    assert "Traceback" not in said
    assert not (folder / "data/dataset").exists()
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_a_download_that_was_stopped_makes_no_mask_twice(kind: str, tmp_path: Path) -> None:
    make, _, masks = KINDS[kind]
    make(tmp_path / "root")
    changes = {"dataset": kind, "data_root": str(tmp_path / "root"), "download.coco.strong": 4}
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        with (tmp_path / name / "params.yaml").open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(put(put(raw_values(), SMALL), changes), file)
    run("stages.download", cwd=tmp_path / "whole")
    folder = tmp_path / "killed"
    before = 0
    for sent in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT)[: 3 if kind == "coco" else 1]:
        before = max(before, stop_on_the_way(kind, folder, sent))
    (damaged,) = list(folder.glob("data/checkpoints/download-*/masks/*.png"))[:1]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    said = run("stages.download", cwd=folder)
    (line,) = [line for line in said.splitlines() if "resumes after" in line]
    assert before <= int(line.split()[-1]) < masks
    assert files(folder, "data/dataset") == files(tmp_path / "whole", "data/dataset")
    assert not list((folder / "data/checkpoints").iterdir())


def test_masks_of_other_annotations_are_not_taken(tmp_path: Path) -> None:
    make_coco(tmp_path / "root")
    changes = {"dataset": "coco", "data_root": "root", "download.coco.strong": 4}
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(put(put(raw_values(), SMALL), changes), file)
    stop_on_the_way("coco", tmp_path, signal.SIGKILL)
    path = tmp_path / "root/annotations/instances_val2017.json"
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    said = run("stages.download", cwd=tmp_path)
    assert "download: starts afresh; changed: files in " in said
    assert "goes on" not in said


def test_a_download_that_is_stopped_while_it_looks_at_images_leaves_at_once(tmp_path: Path) -> None:
    """The stop comes as an error in the middle of an image, and must not be taken for its fault."""
    make_coco(tmp_path / "root")
    changes = {"dataset": "coco", "data_root": "root", "download.coco.strong": 4}
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(put(put(raw_values(), SMALL), changes), file)
    process = subprocess.Popen(
        [sys.executable, "-c", late("datasets.coco.prepare", "inspect_image", "download", 1.0)],
        cwd=tmp_path, env=ENV, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "data/.dataset.part").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    said = process.communicate()[1]
    assert process.returncode == 143, said
    assert time.monotonic() - asked < 6  # all fifteen images would take longer
