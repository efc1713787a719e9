"""The real commands predict and export, and wrong things typed on purpose."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from stages import export, predict
from tests.models import write_small
from tests.settings import ROOT


def call(stage: Callable[..., None], *arguments: str) -> Result:
    """The command, in this process: torch is here already."""
    app = typer.Typer()
    app.command()(stage)
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def place(files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(files)
    return files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    write_small(folder)
    (folder / "photographs").mkdir()
    (folder / "empty").mkdir()
    Image.new("RGB", (50, 40), (200, 90, 10)).save(folder / "photographs/a b.jpg")
    (folder / "photographs/broken.png").write_bytes(b"\x89PNG")
    Path(os.fsdecode(bytes(folder / "photographs") + b"/\xe9.mov")).write_bytes(b"no image")
    (folder / "text.txt").write_text("no model\n", "utf-8")
    return folder


def test_predict_does_what_it_can_and_tells_the_rest(place: Path) -> None:
    options = ["--scales", "0.5,1", "--flip", "--window", "32", "--probabilities"]
    done = call(predict.main, "model.safetensors", "photographs", "--out", "out", *options)
    assert done.exit_code == 1
    assert "1 of 2 images predicted" in done.stdout
    assert "passed over: 1 file that cannot be read as images (" in done.stdout
    assert "1 of the images were not predicted" in done.stderr
    assert "broken.png" in done.stderr
    found = {str(p.relative_to(place / "out")) for p in (place / "out").rglob("*") if p.is_file()}
    assert found == {
        "areas.csv",
        "masks/a b.png",
        "overlays/a b.jpg",
        "probabilities/a b.npy",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.safetensors photographs --out o", "none.safetensors is not there"),
        ("text.txt photographs --out o", "no safetensors file"),
        ("model.safetensors empty --out o", "empty holds no images"),
        ("model.safetensors no/*.jpg --out o", "no/*.jpg matches no file"),
        ("model.safetensors photographs --out text.txt", "text.txt cannot be written"),
        ("model.safetensors photographs --out o --scales big", "scales: give numbers"),
        ("model.safetensors photographs --out o --stride 9", "stride: it needs windows"),
    ],
)
def test_wrong_things_are_one_message(place: Path, arguments: str, message: str) -> None:
    done = call(predict.main, *arguments.split())
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(place.glob("o/*"))


def test_nothing_slow_is_imported(place: Path) -> None:
    """First result within three seconds: torch takes most of them, its compiler as much."""
    code = (
        "import sys, runpy\n"
        "sys.argv = ['predict', 'model.safetensors', 'photographs/a b.jpg', '--out', 'quick']\n"
        "try:\n"
        "    runpy.run_module('stages.predict', run_name='__main__')\n"
        "except SystemExit as leave:\n"
        "    assert not leave.code\n"
        "print({'torchvision', 'torch._dynamo', 'pandas'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, text=True, capture_output=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr


def test_export_writes_programs_and_a_card(place: Path) -> None:
    done = call(export.main, "model.safetensors", "--out", "exp", "--format", "torch")
    assert done.exit_code == 0, done.stderr
    assert "wrote exp/model.pt2: differs from the network by" in done.stdout
    assert sorted(p.name for p in (place / "exp").iterdir()) == ["MODEL_CARD.md", "model.pt2"]
    done = call(export.main, "text.txt", "--out", "exp")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: model text.txt is no safetensors file")


@pytest.mark.parametrize("stage", ["predict", "export"])
def test_help_needs_nothing_heavy(stage: str, tmp_path: Path) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['{stage}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('stages.{stage}', run_name='__main__')\n"
        "except SystemExit:\n"
        "    print({'torch', 'numpy', 'PIL'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr
