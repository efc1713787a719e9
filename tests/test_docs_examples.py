"""The files that the pages on adding something show: taken into a copy of the project, and run.

A page's Python block begins with the path it is a file at. The copy has nothing else that the
project has not, so that one module is all that each takes.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.settings import ROOT, SMALL, copy_project, put, raw_values

PAGES = sorted((ROOT / "docs").glob("adding-a-*.md"))
BLOCK = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTEST = re.compile(r"^    python -m pytest (\S+)(?: -k (\S+))?$", re.MULTILINE)
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}
STAGES = [
    *(["download"], ["seeds"], ["dsrg"], ["proxy", "brought"], ["split"], ["train", "dual", "0"]),
    *(["evaluate", "dual"], ["evaluate_dsrg"], ["report"]),
]
CHANGES = {
    "dataset": "pets",
    "data_root": "root",
    "backbone": "resnet50",
    "proxy.generators": ["brought"],
    "variants": ["dual"],
    "train.iterations": 2,
    "cam.optimiser.iterations": 2,
    "dsrg.optimiser.iterations": 2,
    "report.rows": 1,
}
# Each stage as `python -m` runs it, in one process, which loads torch once.
RUN_ALL = """
import runpy, sys
for number, stage in enumerate({stages}):
    sys.argv = [stage[0], *stage[1:]]
    try:
        runpy.run_module(f"stages.{{stage[0]}}", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


def files_of(page: Path) -> dict[str, str]:
    """Files that a page shows, by their paths."""
    return dict(BLOCK.findall(page.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with what the pages show beside its own files."""
    folder = tmp_path_factory.mktemp("copy")
    copy_project(folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / "params.yaml", folder)
    for name in (
        "settings.py",
        "conftest.py",
        "repository.py",
        "weights.py",
        "pipeline/backbones/test_backbones.py",
    ):
        (folder / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    for page in PAGES:
        for name, text in files_of(page).items():
            path = folder / name
            assert not path.exists(), f"{page.name} would replace {name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> str:
    """What `python` prints with these arguments, which must succeed."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=ENV, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_one_module_outside_of_tests_is_all(page: Path) -> None:
    """A data set's package has its line of purpose beside it."""
    added = [name for name in files_of(page) if not name.startswith("tests/")]
    *purpose, module = added
    found = re.fullmatch(
        r"(pipeline/)(backbones/|generators/|datasets/)\w+(\.py|/prepare\.py)", module
    )
    assert found
    packaged = found[2] == "datasets/"
    assert purpose == [module.replace("prepare", "__init__")] * packaged
    said = f"`{found[1]}{found[2]}NAME{'/' if packaged else '.py'}`"
    assert said in page.read_text(encoding="utf-8")


def test_the_tests_that_the_pages_name_pass(copy: Path) -> None:
    """In one run, for loading torch is most of its time."""
    commands = [PYTEST.findall(page.read_text("utf-8")) for page in PAGES]
    assert [len(found) for found in commands] == [1] * len(PAGES)
    paths, names = zip(*[found[0] for found in commands], strict=True)
    wanted = [name or Path(path).stem for path, name in zip(paths, names, strict=True)]
    said = run(copy, "-m", "pytest", "-rA", *paths, "-k", " or ".join(wanted))
    for name in wanted:
        assert re.search(rf"^PASSED .*{name}", said, re.MULTILINE), said
    assert "SKIPPED" not in said


def test_the_files_are_as_clean_as_ours(copy: Path) -> None:
    names = [name for page in PAGES for name in files_of(page)]
    run(copy, "-m", "ruff", "check", *names)
    run(copy, "-m", "ruff", "format", "--check", *names)


@pytest.mark.slow
def test_every_stage_runs_with_all_three(copy: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    with (copy / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(put(put(raw_values(), SMALL), CHANGES), file)
    bring = """
import shutil
from pathlib import Path
from tests.pipeline.datasets.pets.test_prepare import make_pets
make_pets(Path("root/oxford-iiit-pet"))
"""
    run(copy, "-c", bring + RUN_ALL.format(stages=STAGES[:1]))
    shutil.copytree(copy / "data/dataset/masks", copy / "root/brought")
    run(copy, "-c", RUN_ALL.format(stages=STAGES[1:]))
    brought = (copy / "data/proxy/brought/quality.json").read_text("utf-8")
    assert '"proxy_miou": 100.0' in brought  # true masks were brought
    assert "pets" in (copy / "report/index.html").read_text("utf-8")
