"""Writes a finished run of any size without training: the files that later stages read.

Photographs, masks and proxies are links to a few rendered scenes, so a hundred thousand take
seconds; the network is untrained.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import save_file

from pipeline.data.images import write_mask
from pipeline.data.manifest import Row, make_classes, write_manifest
from pipeline.data.pairs import MADE
from pipeline.data.plan import make_plan
from pipeline.data.seeds import CLASSIFIER
from pipeline.data.tables import write_csv
from pipeline.datasets.shapes.prepare import CLASS_NAMES, render_scene
from pipeline.engine.log import write_history
from pipeline.networks.stored import plain_state
from pipeline.report.scored_networks import scored_names
from pipeline.settings.params import Params
from pipeline.settings.paths import (
    DATASET,
    DSRG,
    KINDS,
    MODELS,
    PARAMS,
    PREDICTIONS,
    SEEDS,
    model_dir,
    proxy_dir,
    result_file,
)
from pipeline.train.build import build_network

SIDE, SCENES, WIDTH, GRID = 32, 16, 8, 4
VARIANT = "dual"
ROOT = Path(__file__).parents[1]


def write_run(root: Path, count: int) -> None:
    """Write a run with `count` training images and as many val images under `root`."""
    params = write_params(root / PARAMS)
    write_data_set(root / DATASET, count)
    write_weak_side(root, count)
    torch.manual_seed(0)
    network = build_network(params, make_plan(VARIANT, 0, [], []), len(CLASS_NAMES), "none")
    folder = root / model_dir(VARIANT, 0)
    write_history(folder / "history.csv", [{"step": 1, "loss": 1.0, "val_miou": 40.0}])
    save_file(plain_state(network), folder / "network.safetensors")
    for name in {*scored_names(params)} - {VARIANT}:  # all share the files of one
        one = {folder / name: VARIANT for folder in (MODELS, PREDICTIONS)}
        files = {result_file(kind, name): result_file(kind, VARIANT).name for kind in KINDS}
        for link, target in {**one, **files}.items():
            (root / link).parent.mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(target)


def write_params(path: Path) -> Params:
    """The project's own params.yaml with a small network."""
    yaml = YAML(typ="safe", pure=True)
    values = yaml.load((ROOT / PARAMS).read_text(encoding="utf-8"))
    values["train"]["neck_width"] = WIDTH
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(values, file)
    return Params.model_validate(values)


def write_data_set(folder: Path, count: int) -> None:
    """Write the manifest with photographs and masks; a sixth of the training images is strong."""
    classes = make_classes(CLASS_NAMES)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(SCENES):
        scene = render_scene(0, number, SIDE)
        Image.fromarray(scene.image).save(folder / f"image-{number}.png")
        write_mask(folder / f"mask-{number}.png", scene.mask, classes)
    write_manifest(folder, linked_rows(folder, count), classes)


def linked_rows(folder: Path, count: int) -> Iterator[Row]:
    """Rows of training and val images, each with its own file names."""
    for number in range(2 * count):
        name = f"{number:012d}"
        for kind in ("image", "mask"):
            os.link(folder / f"{kind}-{number % SCENES}.png", folder / f"{kind}s" / f"{name}.png")
        split = "val" if number >= count else "weak" if number % 6 else "strong"
        files = f"images/{name}.png", f"masks/{name}.png"
        yield Row(name, *files, split, (1 + number % 3, 5), SIDE, SIDE, f"{number:032x}")


def write_weak_side(root: Path, count: int) -> None:
    """Write seeds, proxies (which are the true masks) and their training curves."""
    proxies = root / proxy_dir("dsrg")
    for folder in (SEEDS, DSRG, proxy_dir("dsrg")):
        (root / folder).mkdir(parents=True)
    (proxies / "masks").symlink_to((root / DATASET / "masks").resolve())
    (proxies / "quality.json").write_text(json.dumps({"images": 0}), "utf-8")
    scores = ([f"{number:012d}", f"{number % 100:.2f}"] for number in range(count))
    (proxies / MADE).write_text("".join(f"{number:012d}\n" for number in range(count)), "utf-8")
    write_csv(proxies / "images.csv", ["id", "proxy_iou"], scores)
    (root / SEEDS / CLASSIFIER).write_bytes(b"")  # stage split takes its checksum
    seeds = np.lib.format.open_memmap(
        root / SEEDS / "seeds.npy", "w+", np.uint8, shape=(count, GRID, GRID)
    )
    seeds[:] = 255
    seeds.flush()
    write_history(root / SEEDS / "history.csv", [{"step": 1, "loss": 1.0, "tag_accuracy": 88.5}])
    columns = {"seeding": 1.0, "boundary": 0.5, "seeded": 30.0, "grown": 55.5}
    write_history(root / DSRG / "history.csv", [{"step": 1, **columns}])
