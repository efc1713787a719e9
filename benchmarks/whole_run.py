"""A training of `dual` on rendered photographs of VOC's size, from decoding to the last step."""

import csv
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.inputs import scenes
from pipeline.base.digests import digest
from pipeline.data.images import write_mask
from pipeline.data.manifest import Manifest, make_classes, read_manifest, write_manifest
from pipeline.data.manifest import Row as Entry
from pipeline.data.pairs import proxy_path
from pipeline.data.plan import make_plan
from pipeline.settings.params import Params
from pipeline.train.train import train_network

DISTINCT = 64  # rendered photographs; the others are copies of their files


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
