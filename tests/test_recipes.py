"""Every recipe, on a few images in its own format: each command that DVC would run, run through.

`dvc repro --dry` names the commands for the recipe as it stands. They then run in this process,
where torch is imported once, with sizes and lengths cut down and nothing else: method, backbone,
variants, precision and schedule stay the recipe's. ImageNet's weights are random numbers in a file
where torch looks before it downloads one, but for those that a package brings.
"""

import contextlib
import csv
import hashlib
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.devices.device import use_tf32
from pipeline.devices.gpus import VISIBLE
from tests.settings import ROOT, copy_project, put
from tests.trees import make_coco, make_folder, make_voc
from tests.weights import IMAGENET, fill_hub

RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
# One VOC has SBD's own files and test images, the others the ready-made masks of trainaug.
DATA: dict[str, Callable[[Path], None]] = {
    "coco-vgg16": make_coco,
    "folder": make_folder,
    "folder-cpu": make_folder,
    "voc-resnet101": partial(make_voc, sbd=False),
    "voc-squeezenet": partial(make_voc, sbd=False),
    "voc-vgg16": partial(make_voc, sbd=True, test=2),
}
CLASSES = {"coco": 81, "folder": 9, "voc": 21}
# Sizes and lengths. `train.iterations` shortens only a recipe that counts in steps.
SHRUNK: dict[str, Any] = {
    "machine.workers": 0,
    "download.coco.strong": 4,
    "cam.image_size": 48,
    "cam.width": 8,
    "cam.optimiser.iterations": 2,
    "cam.optimiser.batch_size": 4,
    "dsrg.image_size": 48,
    "dsrg.width": 8,
    "dsrg.optimiser.iterations": 2,
    "dsrg.optimiser.batch_size": 4,
    "proxy.image_size": 48,
    "train.epochs": 1,
    "train.decay_epoch": 1,
    "train.batch_size": 4,
    "train.crop": 32,
    "train.neck_width": 8,
    "train.validations": 1,
    "report.rows": 2,
}
STEPS = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@dataclass(frozen=True)
class Run:
    """A repository in which every command of a recipe ran."""

    name: str
    values: dict[str, Any]
    folder: Path
    commands: list[list[str]]
    printed: dict[str, str]


def call(*command: str, cwd: Path) -> str:
    """Run a command that must succeed; its standard output."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }
    done = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def run_stage(module: str, arguments: list[str]) -> str:
    """What `python -m <module> <arguments>` does, in this process; what it prints."""
    app = typer.Typer()
    app.command()(importlib.import_module(module).main)
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Git and DVC with the project's files, but for params.yaml."""
    folder = tmp_path_factory.mktemp("repository")
    copy_project(folder)
    call("git", "init", "-q", "-b", "main", cwd=folder)
    call("dvc", "init", "-q", cwd=folder)
    return folder


def commands_of(recipe: Path, repository: Path) -> list[list[str]]:
    """Module and arguments of every command DVC would run for a recipe as it stands.

    Without --force, DVC looks for what earlier stages would have written, and finds nothing.
    """
    shutil.copy(recipe, repository / "params.yaml")
    output = call("dvc", "repro", "--dry", "--force", cwd=repository)
    return [shlex.split(line) for line in re.findall(r"^> python -m (.+)$", output, re.M)]


@pytest.fixture(scope="module", params=RECIPES)
def done(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """A recipe's run on a small data set of its kind."""
    name = request.param
    assert name in DATA, f"tests/test_recipes.py has no data set for recipes/{name}.yaml"
    recipe = ROOT / "recipes" / f"{name}.yaml"
    commands = commands_of(recipe, repository)
    folder = tmp_path_factory.mktemp(name)
    DATA[name](folder / "data_root")
    values = YAML(typ="safe", pure=True).load(recipe.read_text("utf-8"))
    put(values, {**SHRUNK, "data_root": str(folder / "data_root")})
    if values["train"]["iterations"] is not None:
        put(values, {"train.iterations": STEPS})
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(values, file)
    source = None  # a recipe that starts from no file of ImageNet's must not ask for one
    if values["backbone_weights"] == "imagenet":
        source = fill_hub(folder / "torch", values["backbone"])
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(folder / "torch"))
        patch.setattr("pipeline.networks.weights.imagenet_source", lambda name: source)
        # Of several GPUs a stage would claim one, and hold it as long as this process lives.
        patch.setenv(VISIBLE, os.environ.get(VISIBLE, "0").split(",")[0])
        printed = {" ".join(command): run_stage(command[0], command[1:]) for command in commands}
        use_tf32(False)
    yield Run(name, values, folder, commands, printed)
    shutil.rmtree(folder)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_dvc_runs_every_stage_for_every_variant_and_seed(done: Run) -> None:
    variants, seeds = done.values["variants"], done.values["seeds"]
    assert done.commands[:2] == [["stages.needs"], ["stages.download"]]
    assert done.commands[-1] == ["stages.report"]
    wanted = [f"stages.{name}" for name in ("download", "seeds", "dsrg", "proxy dsrg", "split")]
    wanted += [f"stages.train {variant} {seed}" for variant in variants for seed in seeds]
    wanted += [f"stages.evaluate {variant}" for variant in variants] + ["stages.report"]
    assert set(wanted) <= set(done.printed)
    assert len(done.printed) == len(done.commands)


def test_the_data_set_is_the_recipes_own_kind(done: Run) -> None:
    rows = read_csv(done.folder / "data/dataset/manifest.csv")
    counts = {split: sum(row["split"] == split for row in rows) for split in ("weak", "test")}
    assert counts == {"weak": 8, "test": 2 if done.name == "voc-vgg16" else 0}
    classes = read_csv(done.folder / "data/dataset/classes.csv")
    assert len(classes) == CLASSES[done.values["dataset"]]
    weak = [row for row in rows if row["split"] == "weak"]
    assert sum(bool(row["tags"]) for row in weak) == 8
    # Masks of the weak images are there to measure the proxies, but in one's own folder.
    assert all(bool(row["mask"]) == (done.values["dataset"] != "folder") for row in weak)


def test_every_variant_learnt_and_was_scored(done: Run) -> None:
    networks = set()
    results = done.folder / "results" / done.values["dataset"]
    for variant in done.values["variants"]:
        metrics = json.loads((results / f"metrics/{variant}.json").read_text("utf-8"))
        assert 0 <= metrics["miou"] <= 100
        per_class = read_csv(results / f"per_class/{variant}.csv")
        assert len(per_class) == CLASSES[done.values["dataset"]]
        for seed in done.values["seeds"]:
            history = read_csv(done.folder / f"data/models/{variant}/{seed}/history.csv")
            losses = [float(row["loss"]) for row in history if row["loss"]]
            assert len(losses) == STEPS
            assert all(0 < loss < 100 for loss in losses)
            assert history[-1]["val_miou"]
            network = done.folder / f"data/models/{variant}/{seed}/network.safetensors"
            networks.add(hashlib.md5(network.read_bytes()).hexdigest())
    # Each learnt from labels, or in batches, of its own.
    assert len(networks) == len(done.values["variants"]) * len(done.values["seeds"])


def test_val_is_predicted_and_vocs_test_packed(done: Run) -> None:
    val = [
        row for row in read_csv(done.folder / "data/dataset/manifest.csv") if row["split"] == "val"
    ]
    for variant in done.values["variants"]:
        files = {path.name for path in (done.folder / f"data/predictions/{variant}").iterdir()}
        extra = {"submission.tar.gz"} if done.name == "voc-vgg16" else set()
        assert files == {f"{row['id']}.png" for row in val} | extra
        printed = done.printed[f"stages.evaluate {variant}"]
        assert ("submission.tar.gz" in printed) == bool(extra)


def test_the_report_names_every_variant(done: Run) -> None:
    page = (done.folder / "report/index.html").read_text("utf-8")
    assert all(variant in page for variant in done.values["variants"])
    assert all(variant in done.printed["stages.report"] for variant in done.values["variants"])


def test_nothing_was_downloaded(done: Run) -> None:
    files = [path.name for path in (done.folder / "torch").rglob("*") if path.is_file()]
    backbone = done.values["backbone"]
    starts = done.values["backbone_weights"] == "imagenet" and backbone in IMAGENET
    assert files == ([IMAGENET[backbone].url.rsplit("/", 1)[1]] if starts else [])
