"""params.yaml for tests: the repository's own keys, values small enough for a second's work."""

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.settings.params import Params

ROOT = Path(__file__).parents[1]

SMALL: dict[str, Any] = {
    "dataset": "shapes",
    "backbone": "vgg16_narrow",
    "backbone_weights": "none",
    "neck_n": 1,
    "variants": ["weak", "mixed", "strong", "dual"],
    "seed": 0,
    "seeds": [0],
    "download.shapes": {"strong": 6, "weak": 10, "val": 5, "size": 32},
    "cam.image_size": 32,
    "cam.width": 8,
    "cam.saliency": None,
    "cam.optimiser.iterations": 4,
    "cam.optimiser.batch_size": 4,
    "dsrg.image_size": 32,
    "dsrg.width": 8,
    "dsrg.dilations": [1, 2],
    "dsrg.optimiser.iterations": 4,
    "dsrg.optimiser.batch_size": 4,
    "proxy.image_size": 32,
    "proxy.scales": [0.75, 1.0],
    "split.strong": None,
    "train.epochs": 2,
    "train.decay_epoch": 1,
    "train.iterations": None,
    "train.batch_size": 4,
    "train.crop": 32,
    "train.neck_width": 8,
    "train.validations": 0,
    "machine.workers": 0,
    "evaluate.batch_size": 4,
}


def raw_values() -> dict[str, Any]:
    """params.yaml as it stands."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return values


def put(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Change values in place by dotted key; a key that is not there is an error."""
    for dotted, value in changes.items():
        *blocks, key = dotted.split(".")
        block = values
        for name in blocks:
            block = block[name]
        assert key in block, f"params.yaml has no {dotted}"
        block[key] = value
    return values


def small_params(**changes: Any) -> Params:
    """The small params, further changed by dotted key: `small_params(**{"train.epochs": 3})`."""
    return Params.model_validate(put(put(raw_values(), SMALL), changes))


def late(module: str, function: str, stage: str, seconds: float, rank: int = 0) -> str:
    """A script that runs a stage one of whose processes sleeps before each call of a function."""
    return f"""
import os, runpy, sys, time
import pipeline.{module} as module

real = module.{function}
def slowly(*arguments):
    time.sleep({seconds} * (os.environ.get("RANK", "0") == "{rank}"))
    return real(*arguments)
module.{function} = slowly
sys.argv[0] = "stages/{stage}.py"
runpy.run_module("stages.{stage}", run_name="__main__")
"""


def files_of(folder: Path, output: str) -> list[Path]:
    """The files below what a pattern such as `results/*/*/dual.*` or `data/seeds` finds."""
    found = [path for top in folder.glob(output) for path in (top, *top.rglob("*"))]
    return sorted(path for path in found if path.is_file())


def remove(folder: Path, output: str) -> None:
    """Take away what a pattern finds, files and folders."""
    for path in folder.glob(output):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def copy_project(folder: Path) -> None:
    """The project's own files that its stages need, but for params.yaml."""
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    kept = "live/.gitignore", "results/shapes/lambda/.gitkeep", "data/raw/README.md"
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", *kept):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
