"""bfloat16 training reaches what float32 reaches, on the embedded data."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.manifest import Manifest, read_manifest, write_manifest
from pipeline.data.plan import make_plan
from pipeline.datasets.shapes.prepare import prepare
from pipeline.settings.params import Params
from pipeline.settings.paths import SEEDS
from pipeline.train.train import train_network
from pipeline.weak.seeds.seeds import make_seeds
from tests.settings import put, raw_values

# The repository's own params on fewer scenes and steps: a minute's work.
SHORTER = {
    "download.shapes": {"strong": 60, "weak": 60, "val": 60, "size": 64},
    "cam.optimiser.iterations": 300,
    "cam.optimiser.decay_every": 200,
    "train.iterations": 250,
    "train.validations": 1,
}
NOISE = 4.0  # mIoU: the three seeds of float32 lie that far apart (34.2, 38.9, 38.9)

pytestmark = pytest.mark.slow


def params(precision: str) -> Params:
    return Params.model_validate(put(raw_values(), {**SHORTER, "engine.precision": precision}))


@pytest.fixture
def pretrained(workspace: Path) -> Manifest:
    """Scenes, and a classifier to start from."""
    shorter = params("fp32")
    folder = workspace / "dataset"
    folder.mkdir()
    rows, classes = prepare(folder, folder, shorter)
    write_manifest(folder, rows, classes)
    manifest = read_manifest(folder, folder)
    SEEDS.mkdir(parents=True)
    make_seeds(shorter, manifest, SEEDS)
    return manifest


def test_bf16_reaches_the_score_of_fp32(pretrained: Manifest, workspace: Path) -> None:
    lists = [[row.id for row in pretrained.of(split)] for split in ("strong", "weak")]
    plan = make_plan("strong", 0, *lists)
    scores: dict[str, list[float]] = {}
    for precision in ("fp32", "bf16"):
        for seed in range(3):
            folder = workspace / f"{precision}{seed}"
            folder.mkdir()
            found = train_network(params(precision), pretrained, plan, seed, folder)
            scores.setdefault(precision, []).append(found["val_miou"])
    assert min(scores["fp32"]) > 25  # it has learnt something
    assert scores["bf16"] != scores["fp32"]
    assert np.mean(scores["bf16"]) == pytest.approx(np.mean(scores["fp32"]), abs=NOISE)
