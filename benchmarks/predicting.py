"""`python -m stages.predict` with SqueezeNet: time to the first mask, and per image."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from benchmarks.inputs import scenes
from benchmarks.timing import Row
from pipeline.batches.augment import MEAN, STD
from pipeline.data.manifest import voc_palette
from pipeline.model.inference import logits_of
from pipeline.model.model_file import ClassEntry, ModelInfo, write_model
from pipeline.networks.backbone import build_backbone
from pipeline.train.network import DualBranchNet

IMAGES = 30
ROUNDS = 3
FIRST = 3.0  # seconds a person waits


def rows() -> Iterator[Row]:
    """The command on photographs of VOC's size, against the network alone."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        network = prepare(folder, IMAGES)
        measured = [run(folder) for _ in range(ROUNDS)]
        first = min(seconds for seconds, _ in measured)
        each = min(seconds for _, seconds in measured)
        yield Row("stages.predict, start to first mask", "budget", first, FIRST, "s", 1.0)
        yield Row(
            "stages.predict, 375 x 500, SqueezeNet, mask and overlay",
            "the network alone",
            each * 1e3,
            alone(network) * 1e3,
            "ms an image",
            0.0,
        )


def prepare(folder: Path, count: int) -> DualBranchNet:
    """A model file of the recipe voc-squeezenet's shape and photographs to predict."""
    colours = voc_palette(21)
    info = ModelInfo(
        format=1,
        variant="strong",
        backbone="squeezenet1_0",
        neck_n=3,
        width=256,
        dilation=4,
        classes=tuple(ClassEntry(name=f"class {i}", colour=c) for i, c in enumerate(colours)),
        mean=MEAN,
        std=STD,
        data_set="none",
        strong=0,
        weak=0,
        seed=0,
        params={},
        scores=None,
        licence="random numbers",
    )
    body = build_backbone("squeezenet1_0", "none")
    network = DualBranchNet(body, 21, branches=1, neck_n=3, width=256, dilation=4).eval()
    write_model(folder / "model.safetensors", info, network.state_dict())
    (folder / "in").mkdir()
    for number, image_3HW in enumerate(scenes(count)[0]):
        image = Image.fromarray(image_3HW.permute(1, 2, 0).numpy())
        image.save(folder / "in" / f"{number:03d}.jpg")
    return network.to(memory_format=torch.channels_last)


def run(folder: Path) -> tuple[float, float]:
    """Seconds to the first mask, and from then on per image."""
    with TemporaryDirectory(dir=folder) as out:
        masks = Path(out) / "masks"
        start = time.perf_counter()
        command = ["stages.predict", str(folder / "model.safetensors"), str(folder / "in")]
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--out", out], stdout=subprocess.DEVNULL
        )
        while not any(masks.glob("*.png")) and process.poll() is None:
            time.sleep(0.01)
        first = time.perf_counter() - start
        if process.wait() != 0:
            raise RuntimeError("stages.predict failed")
        count = len(list(masks.glob("*.png")))
        return first, (time.perf_counter() - start - first) / max(1, count - 1)


def alone(network: DualBranchNet) -> float:
    """Seconds of the network for one image in memory."""
    image_3HW = scenes(1)[0][0]
    best = float("inf")
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        logits_of(network, image_3HW).argmax(dim=0)
        best = min(best, time.perf_counter() - start)
    return best
