"""A run made again changes nothing that git and DVC see, and `stages.verify` says so.

Where a run differs from the committed list, it says in what, and whether that may be.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ENV, run, stages_run
from tests.settings import ROOT

pytestmark = pytest.mark.slow
VERIFY = (sys.executable, "-m", "stages.verify")
MASK, SCORES = Path("data/proxy/dsrg/masks/00001.png"), Path("results/shapes/seeds/dual.csv")


@pytest.fixture(scope="module")
def listed(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the list of its own run, committed."""
    folder = tmp_path_factory.mktemp("verify") / "listed"
    shutil.copytree(clone, folder, symlinks=True)
    shutil.copy(ROOT / "results/spread.csv", folder / "results")
    assert "wrote results/shapes/checksums.txt: 85 files" in run(*VERIFY, "--write", cwd=folder)
    assert stages_run(run("dvc", "repro", cwd=folder)) == []  # the list is no dependency
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-qm", "list", cwd=folder)
    return folder


@pytest.fixture
def here(listed: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(listed, tmp_path / "here", symlinks=True))


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(VERIFY, cwd=folder, env=ENV, text=True, capture_output=True, check=False)


def score(folder: Path, points: float) -> None:
    """Move the mIoU of dual by so many points."""
    text = (folder / SCORES).read_text("utf-8")
    first = text.splitlines()[1].split(",")[1]
    moved = text.replace(f"0,{first}", f"0,{float(first) + points:.4f}")
    assert moved != text
    (folder / SCORES).write_text(moved, "utf-8")


def on_another_machine(folder: Path) -> None:
    """Change the list's head, as if it came from a machine with more threads."""
    path = folder / "results/shapes/checksums.txt"
    text, count = re.subn("(?m)^# threads: .*$", "# threads: 64", path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, "utf-8")


def test_stages_run_again_leave_git_clean(listed: Path) -> None:
    """Those before train are run twice in tests/stages/test_repeat.py."""
    again = ["train@dual-0", "evaluate@dual", "package@dual", "report"]
    output = run("dvc", "repro", "--force", "--single-item", *again, cwd=listed)
    assert stages_run(output) == again
    assert run("git", "status", "--short", cwd=listed) == ""
    done = verify(listed)
    assert (done.stdout, done.returncode) == ("identical: 85 files\n", 0)


def test_what_differs_is_named(here: Path) -> None:
    (here / MASK).unlink()
    (here / MASK).write_bytes(b"other")
    (here / "data/predictions/strong").rename(here / "data/predictions/old")
    (here / "data/predictions/strong").mkdir()
    score(here, -0.25)
    done = verify(here)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "seeds: identical"
    assert lines[1] == f"proxies: 1 of 48 differ: {MASK}"
    assert lines[2].startswith("predictions: 8 of 24 differ: data/predictions/strong/")
    assert lines[2].endswith(" (missing), 5 more")
    assert lines[3] == f"scores: 1 of 12 differ: {SCORES}"
    assert re.fullmatch(r"dual, seed 0: mIoU \S+, in the list \S+ \(-0\.2500\)", lines[4])
    assert lines[5:] == ["FAILS: on this kind of machine every byte must be the same"]


@pytest.mark.parametrize(("points", "code"), [(5.4, 0), (-5.4, 0), (5.6, 1), (-5.6, 1)])
def test_elsewhere_scores_may_differ_as_seeds_do(here: Path, points: float, code: int) -> None:
    """By sqrt(2) * t * sd: dual's sd over three seeds is 0.90, t of two degrees 4.303."""
    on_another_machine(here)
    assert verify(here).stdout == "identical: 85 files\n"
    score(here, points)
    done = verify(here)
    word = "FAILS" if code else "passes"
    assert done.returncode == code
    assert re.search(rf"^dual, .*: {word}, 5\.48 are allowed$", done.stdout, re.MULTILINE)
    assert re.search(r"^strong, .*: passes, 4\.69 are allowed$", done.stdout, re.MULTILINE)
    assert re.search(r"^dsrg, .*: not judged", done.stdout, re.MULTILINE)
    assert "threads: 2; in the list 64\n" in done.stdout
    assert done.stdout.splitlines()[-1] == word


def test_other_params_are_refused_and_other_networks_told(here: Path) -> None:
    params = (here / "params.yaml").read_text("utf-8")
    (here / "params.yaml").write_text(params.replace("- strong\n", ""), "utf-8")
    done = verify(here)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "only in the list: strong\nidentical: 73 files\n"
    (here / "params.yaml").write_text(params.replace("neck_n: 3", "neck_n: 2"), "utf-8")
    done = verify(here)
    assert done.returncode == 1
    assert "was made with other params: neck_n is 2 and was 3; take those" in done.stderr


def test_without_a_list_one_can_be_made(here: Path) -> None:
    (here / "results/shapes/checksums.txt").unlink()
    done = verify(here)
    assert done.returncode == 1
    assert done.stderr.startswith("error: results/shapes/checksums.txt is not there: `python -m")
