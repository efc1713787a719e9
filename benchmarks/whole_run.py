"""The paper's main run at VOC size, decoding included, from start to the last step: on a GPU."""

import csv
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.inputs import scenes
from benchmarks.timing import Row
from pipeline.base.digests import digest
from pipeline.data.images import write_mask
from pipeline.data.manifest import Manifest, make_classes, read_manifest, write_manifest
from pipeline.data.manifest import Row as Entry
from pipeline.data.pairs import proxy_path
from pipeline.data.plan import make_plan
from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params
from pipeline.train.train import train_network

STRONG, WEAK = 1464, 9118  # VOC's images with masks, and the rest of the 10,582
DISTINCT = 64  # rendered photographs; the others are copies of their files
BUDGET = 360.0  # seconds


def write_data(folder: Path, strong: int, weak: int) -> Manifest:
    """JPEGs of 500 x 375 with masks, and proxies for the weak ones: rendered scenes."""
    images, masks = scenes(min(DISTINCT, strong + weak))
    classes = make_classes(["background", *(f"class {i}" for i in range(1, 21))])
    rows = []
    for number in range(strong + weak):
        name, split = f"{number:05d}", "strong" if number < strong else "weak"
        picture, mask = folder / f"{name}.jpg", folder / f"{name}.png"
        if number < len(images):
            pixels = np.ascontiguousarray(images[number].permute(1, 2, 0).numpy())
            Image.fromarray(pixels).save(picture, quality=90)
            write_mask(mask, masks[number].numpy(), classes)
        else:
            shutil.copy(folder / f"{number % len(images):05d}.jpg", picture)
            shutil.copy(folder / f"{number % len(images):05d}.png", mask)
        proxy = proxy_path(name, folder)
        proxy.parent.mkdir(exist_ok=True)
        proxy.symlink_to(mask)
        rows.append(Entry(name, picture.name, mask.name, split, (1,), 500, 375, "0" * 32))
    write_manifest(folder, rows, classes)
    return read_manifest(folder, folder)


@dataclass(frozen=True)
class Trained:
    """A training: its seconds and steps, the losses it logged, the digest of what it learnt."""

    seconds: float
    steps: int
    losses: list[float]
    network: str


def train_dual(params: Params, strong: int, weak: int) -> Trained:
    """Train `dual` on rendered photographs, from decoding to the last step."""
    with tempfile.TemporaryDirectory() as name:
        folder, made = Path(name), Path(name) / "made"
        manifest = write_data(folder, strong, weak)
        lists = [[row.id for row in manifest.of(split)] for split in ("strong", "weak")]
        plan = make_plan("dual", params.neck_n, *lists)
        start = time.perf_counter()
        summary = train_network(params, manifest, plan, 0, made, proxies=folder)
        seconds = time.perf_counter() - start
        with (made / "history.csv").open(newline="", encoding="utf-8") as file:
            losses = [float(row["loss"]) for row in csv.DictReader(file)]
        network = digest(made / "network.safetensors")
        return Trained(seconds, int(summary["step"]), losses, network)


def rows() -> Iterator[Row]:
    """The recipe voc-vgg16, without ImageNet weights and without scoring on val."""
    if not torch.cuda.is_available():
        return
    params = load_params(Path("recipes/voc-vgg16.yaml"))
    train = params.train.model_copy(update={"validations": 0})
    engine = params.engine.model_copy(update={"compile": True})
    params = params.model_copy(
        update={"train": train, "engine": engine, "backbone_weights": "none"}
    )
    done = train_dual(params, STRONG, WEAK)
    rate = done.steps * train.batch_size / done.seconds
    note = f"{done.steps:,} steps, {rate:.0f} images a second"
    what = f"main run: {train.epochs} epochs over {WEAK:,} weak images at VOC size"
    yield Row(what, "budget", done.seconds, BUDGET, "s", 1.0, note)
