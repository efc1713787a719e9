"""One run that compares generators, and one without any tags, through the real `dvc repro`."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.repository import fill_repository, run, stages_run
from tests.trees import make_folder, save_list, save_mask, scene

pytestmark = pytest.mark.slow

FOLDER = {
    **{"dataset": "folder", "data_root": "../photos", "download.folder.longest_side": 40},
    **{"backbone_weights": "none", "proxy.sure": 0.2},
}


def make_two_classes(root: Path) -> None:
    """Objects and background, seven masks, no tags; another tool's masks of three of the others."""
    make_folder(root)
    (root / "tags.csv").unlink()
    save_list(root / "classes.txt", ["background", "object"])
    for path in (root / "masks").iterdir():
        mask_HW = np.array(Image.open(path))
        save_mask(path, np.where(mask_HW == 255, 255, np.minimum(mask_HW, 1)).astype(np.uint8))
    for number in (4, 5, 6):
        _, mask_HW = scene(number)
        save_mask(root / "proxies" / f"scene {number}.png", np.minimum(mask_HW, 1).astype(np.uint8))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder without tags, and beside it a repository in which `dvc repro` ran with two."""
    place = tmp_path_factory.mktemp("generators")
    make_two_classes(place / "photos")
    fill_repository(
        place / "project",
        **FOLDER,
        **{"proxy.generators": ["self", "files"], "variants": ["strong", "dual", "dual.files"]},
    )
    return place


def test_without_tags_neither_classifier_nor_dsrg_is_trained(whole: Path) -> None:
    project = whole / "project"
    for stage in ("seeds", "dsrg"):
        assert [path.name for path in (project / f"data/{stage}").iterdir()] == ["left_out.txt"]
    said = (project / ".git/repro.txt").read_text("utf-8")
    assert "seeds is left out: no generator in proxy.generators needs it" in said
    page = (project / "report/index.html").read_text("utf-8")
    assert "DSRG loss" not in page
    assert run("dvc", "status", cwd=project).strip().endswith("up to date.")
    run("dvc", "metrics", "show", cwd=project)


def test_one_run_compares_two_generators(whole: Path) -> None:
    project = whole / "project"
    plans = {
        name: json.loads((project / f"data/split/plans/{name}.json").read_text("utf-8"))
        for name in ("strong", "dual", "dual.files")
    }
    assert {name: plan["weak"]["images"] for name, plan in plans.items()} == {
        **{"strong": 8, "dual": 8, "dual.files": 3}
    }
    page = (project / "report/index.html").read_text("utf-8")
    for generator in ("self", "files"):
        assert f"<h3>Generator <code>{generator}</code></h3>" in page
    for name in plans:
        score = json.loads((project / f"results/folder/metrics/{name}.json").read_text("utf-8"))
        assert 0 < score["miou"] <= 100
    assert (project / "data/packages/dual.files/model.safetensors").exists()


def test_another_generator_re_runs_what_it_concerns(whole: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(whole, tmp_path / "place", symlinks=True))
    project = place / "project"
    path = project / "params.yaml"
    text = path.read_text("utf-8").replace("  - files\n", "").replace("- dual.files\n", "")
    path.write_text(text, "utf-8")
    ran = set(stages_run(run("dvc", "repro", cwd=project)))
    assert ran == {"needs", "split", "report"}
    text, count = re.subn(r"- dual\n", "- dual\n- dual.files\n", text)
    path.write_text(text.replace("  - self\n", "  - self\n  - files\n"), "utf-8")
    assert count == 1
    ran = set(stages_run(run("dvc", "repro", cwd=project)))
    assert not ran & {"download", "seeds", "dsrg", "teacher", "train@strong-0", "train@dual-0"}
