"""`python -m stages.predict`: time to the first mask, time an image, and memory.

On photographs of VOC's size, and on those of twelve megapixels beside the exported ONNX.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from PIL import Image

from benchmarks.inputs import scenes
from benchmarks.stage_cost import CHILD, ROOT
from benchmarks.timing import Row
from pipeline.batches.augment import MEAN, STD
from pipeline.data.manifest import voc_palette
from pipeline.model.export import export
from pipeline.model.inference import logits_of
from pipeline.model.model_file import ClassEntry, ModelInfo, write_model
from pipeline.networks.backbone import build_backbone
from pipeline.train.network import DualBranchNet

IMAGES = 30
LARGE_IMAGES = 4
LARGE = (4000, 3000)  # width and height
ROUNDS = 3
FIRST = 3.0  # seconds a person waits

# What a caller of model.onnx writes (docs/predict.md).
ONNX = """
import json, sys, time
from pathlib import Path
import numpy as np, onnxruntime
from PIL import Image, ImageOps
from pipeline.base.record import peak_memory_mb

folder, out, start = Path(sys.argv[1]), Path(sys.argv[2]), time.perf_counter()
session = onnxruntime.InferenceSession(folder / "model.onnx")
for path in sorted((folder / "in").iterdir()):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    size = image.size
    image.thumbnail((256, 256), Image.Resampling.BILINEAR, reducing_gap=None)
    (mask,) = session.run(["mask"], {"images": np.asarray(image)[None]})
    Image.fromarray(mask[0]).resize(size, Image.Resampling.NEAREST).save(out / f"{path.stem}.png")
Path("cost.json").write_text(json.dumps({"peak": peak_memory_mb()}))
"""


class Cost(NamedTuple):
    """Seconds to the first mask, seconds of each further image, peak megabytes."""

    first: float
    each: float
    peak: float

    def note(self) -> str:
        """The first mask and the memory, for a table."""
        return f"{self.first:.1f} s to the first mask, {self.peak:.0f} MB"


def rows() -> Iterator[Row]:
    """The command on photographs of VOC's size and of twelve megapixels."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        network, _ = prepare(folder, "squeezenet1_0", 256, 4)
        photographs(folder, IMAGES)
        costs = [predict(folder) for _ in range(ROUNDS)]
        first = min(cost.first for cost in costs)
        each = min(cost.each for cost in costs)
        yield Row("stages.predict, start to first mask", "budget", first, FIRST, "s", 1.0)
        yield Row(
            "stages.predict, 375 x 500, SqueezeNet, mask and overlay",
            "the network alone",
            each * 1e3,
            alone(network) * 1e3,
            "ms an image",
            0.0,
        )
    yield from large()


def large() -> Iterator[Row]:
    """Photographs of twelve megapixels, Lite0 trained at 256 pixels: masks without overlays."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        network, info = prepare(folder, "efficientnet_lite0_os16", 128, 2, 256)
        export(info, network, folder, ("onnx",))
        photographs(folder, LARGE_IMAGES, LARGE)
        small = predict(folder, "--no-overlays")
        whole = predict(folder, "--no-overlays", "--longest-side", str(max(LARGE)))
        onnx = run(folder, [sys.executable, "-c", ONNX, str(folder), "{out}"], "")
        what = f"stages.predict, {LARGE[0]} x {LARGE[1]}, Lite0"
        yield Row(
            f"{what}, at the working size of 256",
            f"model.onnx in onnxruntime: {onnx.note()}",
            small.each * 1e3,
            onnx.each * 1e3,
            "ms an image",
            0.0,
            note=small.note(),
        )
        yield Row(
            f"{what}, at full size",
            "at the working size",
            whole.each * 1e3,
            small.each * 1e3,
            "ms an image",
            0.0,
            note=whole.note(),
        )


def prepare(
    folder: Path, backbone: str, width: int, dilation: int, longest_side: int | None = None
) -> tuple[DualBranchNet, ModelInfo]:
    """Write a model file of random numbers; its network and what it says of itself."""
    colours = voc_palette(21)
    info = ModelInfo(
        format=1,
        variant="strong",
        backbone=backbone,
        neck_n=3,
        width=width,
        dilation=dilation,
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
        longest_side=longest_side,
    )
    body = build_backbone(backbone, "none")
    network = DualBranchNet(body, 21, branches=1, neck_n=3, width=width, dilation=dilation).eval()
    write_model(folder / "model.safetensors", info, network.state_dict())
    return network.to(memory_format=torch.channels_last), info


def photographs(folder: Path, count: int, size: tuple[int, int] | None = None) -> None:
    """Rendered scenes as JPEGs, enlarged to a width and height if they are given."""
    (folder / "in").mkdir()
    for number, image_3HW in enumerate(scenes(count)[0]):
        image = Image.fromarray(image_3HW.permute(1, 2, 0).numpy())
        image = image if size is None else image.resize(size)
        image.save(folder / "in" / f"{number:03d}.jpg")


def predict(folder: Path, *options: str) -> Cost:
    """The cost of the stage on all photographs of a folder."""
    model, images = str(folder / "model.safetensors"), str(folder / "in")
    stage = ["stages.predict", model, images, "--out", "{out}", *options]
    return run(folder, [sys.executable, "-c", CHILD, *stage], "masks")


def run(folder: Path, command: list[str], masks: str) -> Cost:
    """Run a command that writes masks into a subfolder of {out}, and cost.json where it runs."""
    with TemporaryDirectory(dir=folder) as out:
        written = Path(out) / masks
        start = time.perf_counter()
        process = subprocess.Popen(
            [part.replace("{out}", out) for part in command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        while not any(written.glob("*.png")) and process.poll() is None:
            time.sleep(0.01)
        first = time.perf_counter() - start
        if process.wait() != 0:
            raise RuntimeError(f"{command[2:4]} failed")
        count = len(list(written.glob("*.png")))
        each = (time.perf_counter() - start - first) / max(1, count - 1)
        return Cost(first, each, json.loads((folder / "cost.json").read_text())["peak"])


def alone(network: DualBranchNet) -> float:
    """Seconds of the network for one image in memory."""
    image_3HW = scenes(1)[0][0]
    best = float("inf")
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        logits_of(network, image_3HW).argmax(dim=0)
        best = min(best, time.perf_counter() - start)
    return best
