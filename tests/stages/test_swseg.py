"""The command swseg: a project of one's own, and settings that are refused before anything changes.

docs/tutorial.md runs the rest of it (tests/test_tutorial.py).
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.repository import ENV, run
from tests.settings import ROOT

pytestmark = pytest.mark.slow
SWSEG = [sys.executable, "-m", "stages.swseg"]


def swseg(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SWSEG, *arguments], cwd=cwd, env=ENV, text=True, capture_output=True, check=False
    )


@pytest.fixture(scope="module")
def upstream(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small repository with recipes, and a folder beside it."""
    folder = tmp_path_factory.mktemp("swseg") / "upstream"
    shutil.copytree(clone, folder, symlinks=True)
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-qm", "recipes", cwd=folder)
    (folder.parent / "photos").mkdir()
    return folder


@pytest.fixture(scope="module")
def project(upstream: Path) -> Path:
    """A project for the folder. Tests leave its files as they are."""
    folder = upstream.parent / "it's mine"
    done = swseg("new", str(folder), "--data", "../photos", cwd=upstream)
    assert done.returncode == 0, done.stderr
    assert f"next: cd '{upstream.parent}/it'\"'\"'s mine' && swseg run" in done.stdout
    return folder


def test_a_project_has_its_own_params_and_no_results(project: Path, upstream: Path) -> None:
    assert run("git", "status", "--porcelain", cwd=project) == ""
    assert not (project / "results/shapes").exists()
    assert not (project / "data/dataset").exists()
    recipe = (upstream / "recipes/folder-cpu.yaml").read_text("utf-8").splitlines()
    params = (project / "params.yaml").read_text("utf-8").splitlines()
    changed = [(a, b) for a, b in zip(recipe, params, strict=True) if a != b]
    assert [line.partition(":")[0] for line, _ in changed] == ["data_root"]
    values = YAML(typ="safe", pure=True).load("\n".join(params))
    assert values["data_root"] == str(upstream.parent / "photos")
    assert run("dvc", "status", "needs", cwd=project) != ""  # nothing counts as done
    assert run("git", "status", "--porcelain", cwd=upstream) == ""


def test_a_pull_brings_code_and_leaves_params_and_results(
    project: Path, upstream: Path, tmp_path: Path
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    shutil.copytree(project, mine, symlinks=True)
    shutil.copytree(upstream, theirs, symlinks=True)
    run("git", "remote", "set-url", "origin", str(theirs), cwd=mine)
    own = {
        "params.yaml": (mine / "params.yaml").read_text("utf-8") + "# mine\n",
        "dvc.lock": (mine / "dvc.lock").read_text("utf-8") + "# mine\n",
        "results/folder/metrics/dual.json": "{}\n",
    }
    other = {"params.yaml": "x", "dvc.lock": "y", "results/shapes/metrics/dual.json": "z"}
    for folder, files in ((mine, own), (theirs, {**other, "stages/later.py": '"""Later."""\n'})):
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        run("git", "add", "-A", cwd=folder)
        run("git", "commit", "-qm", "changed", cwd=folder)
    own["dvc.lock"] += "# of a run that was not committed\n"
    (mine / "dvc.lock").write_text(own["dvc.lock"], "utf-8")
    run("git", "pull", "-q", cwd=mine)
    assert {name: (mine / name).read_text("utf-8") for name in own} == own
    assert (mine / "stages/later.py").exists()
    assert not (mine / "results/shapes").exists()
    assert run("git", "status", "--porcelain", cwd=mine).strip() == "M dvc.lock"


def test_a_project_runs_its_own_code(project: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(project, mine, symlinks=True)
    script = mine / "stages/check.py"
    script.write_text(
        script.read_text("utf-8").replace("Look over a folder", "My own words"), "utf-8"
    )
    command = str(Path(sys.executable).with_name("swseg"))
    for folder, words in ((mine, "My own words"), (tmp_path, "Look over a folder")):
        assert words in run(command, "check", "--help", cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", "../m", "--data", "../phot"), "--data: ../phot is no folder"),
        (("new", "inside", "--data", "../photos"), "inside lies in this clone"),
        (("new", "..", "--data", "../photos"), ".. is there already"),
        (("new", "../m", "--data", "../photos", "--recipe", "voc-vgg16"), "none of folder, folder"),
    ],
)
def test_no_project_is_made_of_what_is_wrong(
    arguments: tuple[str, ...], said: str, upstream: Path
) -> None:
    before = sorted(path.name for path in (*upstream.iterdir(), *upstream.parent.iterdir()))
    done = swseg(*arguments, cwd=upstream)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    after = sorted(path.name for path in (*upstream.iterdir(), *upstream.parent.iterdir()))
    assert before == after


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("neck_n=7", "error: -S: neck_n: should be less than or equal to 3, not 7\n"),
        ("neckn=1", "error: -S neckn=1: there is no key neckn; did you mean neck_n?\n"),
        ("wings=1", "error: -S wings=1: there is no key wings; params.yaml has them all\n"),
        ("train.iterations=abc", "error: -S: train.iterations: should be a valid integer"),
        ("variants=[duel]", "error: -S: variants: 'duel' is none of weak, mixed"),
        ("backbone=vgg", "error: -S: backbone: should be 'efficientnet_lite0'"),
        ("data_root=/nowhere", "error: data_root: /nowhere is no folder; give the one"),
        ("neck_n", "error: -S neck_n: should be KEY=VALUE\n"),
        ("seeds=[0", "error: -S seeds=[0: not readable (no viable alternative"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_changes(
    setting: str, said: str, project: Path
) -> None:
    done = swseg("run", "-S", setting, cwd=project)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert run("git", "status", "--porcelain", cwd=project) == ""


def test_a_run_wants_a_project(tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("swseg"))
    done = subprocess.run(
        [command, "run"], cwd=tmp_path, env=ENV, text=True, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert "this folder is no project; go to one, or make one with `swseg new`" in done.stderr


def test_a_stage_that_fails_ends_the_run_with_its_own_message(project: Path) -> None:
    done = swseg("run", cwd=project)  # the folder is empty
    assert done.returncode == 1
    assert "photos" in done.stderr
    assert "failed to reproduce 'download': see above" in done.stderr
    assert "Traceback" not in done.stderr
    run("git", "checkout", "-q", ".", cwd=project)
