"""A folder of photographs that changes: plain `dvc status` says so, plain `dvc repro` follows."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.repository import fill_repository, run, stages_run
from tests.trees import make_folder, save_mask, scene

pytestmark = pytest.mark.slow

PHOTOS = Path("project/data/raw/photos")
ALL = {
    *("download", "seeds", "dsrg", "teacher", "proxy@dsrg", "split", "train@strong-0"),
    *("evaluate@strong", "evaluate_dsrg", "package@strong", "report"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which `dvc repro` ran on a folder where downloads lie, too."""
    place = tmp_path_factory.mktemp("changed")
    make_folder(place / PHOTOS)
    folder = {
        **{"dataset": "folder", "data_root": "data/raw/photos"},
        "download.folder.longest_side": 40,
    }
    fill_repository(place / "project", **folder, variants=["strong"])
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "place", symlinks=True))


def status(place: Path) -> str:
    return run("dvc", "status", cwd=place / "project")


def repro(place: Path, *targets: str) -> set[str]:
    return set(stages_run(run("dvc", "repro", *targets, cwd=place / "project")))


def test_without_a_change_nothing_runs(place: Path) -> None:
    assert "up to date" in status(place)
    again = place / PHOTOS / "images/scene 0.jpg"
    again.write_bytes(again.read_bytes())
    assert "up to date" in status(place)


def test_a_mask_that_is_added_re_runs_all_that_follows(place: Path) -> None:
    _, mask_HW = scene(4)
    save_mask(place / PHOTOS / "masks/scene 4.png", mask_HW)
    told = status(place)
    assert "download:" in told
    assert "photos" in told
    assert repro(place) == ALL
    assert "up to date" in status(place)


def change_tags(photos: Path) -> None:
    lines = (photos / "tags.csv").read_text("utf-8").splitlines()
    changed = f"{lines[-1].partition(',')[0]},background"
    (photos / "tags.csv").write_text("\n".join([*lines[:-1], changed, ""]), "utf-8")


def replace_photograph(photos: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photos / "images/scene 5.jpg")


def remove_photograph(photos: Path) -> None:
    lines = (photos / "tags.csv").read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("scene 6.jpg")]
    (photos / "tags.csv").write_text("\n".join(kept), "utf-8")
    (photos / "images/scene 6.jpg").unlink()


@pytest.mark.parametrize("change", [change_tags, replace_photograph, remove_photograph])
def test_every_change_is_noticed(place: Path, change: Callable[[Path], None]) -> None:
    change(place / PHOTOS)
    assert "download:" in status(place)
    assert repro(place, "download") == {"download"}
    told = status(place)
    assert "download:" not in told
    assert "manifest.csv" in told  # which all that follows depends on
