"""bfloat16 training learns as float32 does, on the embedded data."""

import csv
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

# The repository's own params on fewer scenes and steps: seconds of work.
SHORTER = {
    "download.shapes": {"strong": 60, "weak": 60, "val": 4, "size": 64},
    "cam.optimiser.iterations": 100,
    "cam.optimiser.decay_every": 0.8,
    "train.iterations": 100,
    "train.validations": 0,
}

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


def test_the_same_batches_teach_bf16_as_much_as_fp32(pretrained: Manifest, workspace: Path) -> None:
    lists = [[row.id for row in pretrained.of(split)] for split in ("strong", "weak")]
    losses = {}
    for precision in ("fp32", "bf16"):
        folder = workspace / precision
        folder.mkdir()
        train_network(params(precision), pretrained, make_plan("strong", 0, *lists), 0, folder)
        with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
            losses[precision] = np.array([float(row["loss"]) for row in csv.DictReader(file)])
    fp32, bf16 = losses["fp32"], losses["bf16"]
    assert len(fp32) == 100
    assert fp32[-25:].mean() < fp32[:5].mean() / 2  # it has learnt something
    assert (bf16 != fp32).any()
    assert bf16[-25:].mean() == pytest.approx(fp32[-25:].mean(), rel=0.1)
