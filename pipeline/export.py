"""A model file as ONNX and as torch.export's program: any batch, height and width.

Normalisation and the way back to the image's size are inside, so a caller gives bytes as decoders
give them and gets probabilities and a mask at the image's size.

Shape legend: B batch, C classes, H W image, h w grid.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.atomic import whole_file
from pipeline.errors import UserError
from pipeline.inference import normalise
from pipeline.model_file import KEY, ModelInfo
from pipeline.network import DualBranchNet, upsample

ONNX, TORCH = "model.onnx", "model.pt2"
OPSET = 18
TOLERANCE = 1e-4  # of a probability; float32 sums in another order differ by some 1e-6
SIZES = ((1, 64, 64), (1, 97, 130), (2, 50, 75), (3, 33, 40), (1, 128, 101))  # batch, height, width
USE = """
The exports beside this card take RGB bytes `images` (batch, height, width, 3), of any number and
size, and give `probabilities` (batch, class, height, width) and `mask` (batch, height, width). In
onnxruntime, where nothing of this project is needed:

    import numpy as np, onnxruntime
    from PIL import Image, ImageOps
    session = onnxruntime.InferenceSession("model.onnx")
    image = ImageOps.exif_transpose(Image.open("photograph.jpg")).convert("RGB")
    (mask,) = session.run(["mask"], {"images": np.asarray(image)[None]})

In torch (sides from 9 pixels):

    program = torch.export.load("model.pt2").module()
    probabilities, mask = program(torch.from_numpy(np.array(image)[None]))
"""
Run = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.uint8]]]


class Exported(nn.Module):
    """Bytes (B, H, W, 3) to probabilities (B, C, H, W) and class indices (B, H, W)."""

    def __init__(self, network: DualBranchNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """RGB, uint8, as `np.asarray` gives a Pillow image."""
        images_B3HW = images.permute(0, 3, 1, 2)
        logits_BChw = self.network(normalise(images_B3HW))
        logits_BCHW = self._at_image_size(logits_BChw, images.shape[1], images.shape[2])
        return logits_BCHW.softmax(dim=1), logits_BCHW.argmax(dim=1).to(torch.uint8)

    def _at_image_size(self, logits_BChw: Tensor, height: int, width: int) -> Tensor:
        """What `network.upsample` does, without a question that only a known size can answer."""
        geometry = self.network.backbone.geometry
        h, w = logits_BChw.shape[-2:]
        short = geometry.stride - 1 if geometry.corner else 0
        span = [geometry.stride * h - short, geometry.stride * w - short]
        full = F.interpolate(logits_BChw, size=span, mode="bilinear", align_corners=geometry.corner)
        # Cut what hangs over, repeat the edge for what is missing.
        rows = torch.arange(height, device=full.device).clamp(max=span[0] - 1)
        columns = torch.arange(width, device=full.device).clamp(max=span[1] - 1)
        return full.index_select(2, rows).index_select(3, columns)


def traced(network: DualBranchNet) -> torch.export.ExportedProgram:
    """The program of a network, with dynamic batch, height and width."""
    free = torch.export.Dim.DYNAMIC
    example = torch.zeros(2, 96, 120, 3, dtype=torch.uint8)
    return torch.export.export(
        Exported(network).eval(), (example,), dynamic_shapes=({0: free, 1: free, 2: free},)
    )


def export(
    info: ModelInfo, network: DualBranchNet, folder: Path, formats: tuple[str, ...]
) -> dict[str, float]:
    """Write `folder`/model.onnx and `folder`/model.pt2, as asked for, after checking each.

    Args:
        info: the model's description, which goes into both files.
        network: on the CPU, in eval mode.
        folder: where they go, such as `atomic.whole_folder` gives.
        formats: of "onnx" and "torch".

    Returns:
        of each file, how much a probability differs from the network's at most.

    Raises:
        UserError: a package is missing, or a result differs by more than TOLERANCE.
    """
    runtime = onnx_runtime() if "onnx" in formats else None
    program = traced(network)
    text = info.model_dump_json()
    worst: dict[str, float] = {}
    if runtime is not None:
        with whole_file(folder / ONNX) as part:
            write_onnx(program, text, part)
            worst[ONNX] = check(network, onnx_run(runtime, part), ONNX)
    if "torch" in formats:
        with whole_file(folder / TORCH) as part, part.open("wb") as file:
            torch.export.save(program, file, extra_files={KEY: text})
            file.flush()
            worst[TORCH] = check(network, torch_run(part), TORCH)
    return worst


def onnx_runtime() -> Any:
    """The module onnxruntime.

    Raises:
        UserError: what ONNX needs is not installed.
    """
    try:
        import onnx  # noqa: F401 - torch's exporter wants both
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"ONNX needs the package {error.name}: pip install --editable '.[export]', "
            "or take --format torch"
        ) from None
    return onnxruntime


def write_onnx(program: torch.export.ExportedProgram, text: str, path: Path) -> None:
    """Write a program as ONNX with named axes and the model's description."""
    with quiet():
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["probabilities", "mask"],
            dynamic_shapes=({0: "batch", 1: "height", 2: "width"},),
            verbose=False,
        )
    assert made is not None
    made.model.metadata_props.update(onnx_properties(text))
    made.save(path)


def onnx_properties(text: str) -> dict[str, str]:
    """Properties of an ONNX file: the whole description, and what readers look for by name."""
    values = json.loads(text)
    return {
        KEY: text,
        "classes": json.dumps([entry["name"] for entry in values["classes"]]),
        "palette": json.dumps([entry["colour"] for entry in values["classes"]]),
        "normalisation": "inside the graph; give RGB bytes (batch, height, width, 3)",
    }


def onnx_run(runtime: Any, path: Path) -> Run:
    """An ONNX file on onnxruntime's CPU."""
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda images: tuple(session.run(["probabilities", "mask"], {"images": images}))


def torch_run(path: Path) -> Run:
    """A file of torch.export."""
    with path.open("rb") as file:
        module = torch.export.load(file).module()

    def run(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        probabilities, mask = module(torch.from_numpy(images))
        return probabilities.numpy(), mask.numpy()

    return run


def check(network: DualBranchNet, run: Run, name: str) -> float:
    """Hold an export against its network on SIZES, random bytes.

    Returns:
        the largest difference of a probability.

    Raises:
        UserError: it is above TOLERANCE, or a mask is not its probabilities' maximum.
    """
    generator = np.random.default_rng(0)
    worst = 0.0
    for batch, height, width in SIZES:
        images = generator.integers(0, 256, (batch, height, width, 3), dtype=np.uint8)
        probabilities, mask = run(images)
        wanted = reference(network, images)
        worst = max(worst, float(np.abs(probabilities - wanted).max()))
        chosen = np.take_along_axis(wanted, mask[:, None].astype(np.int64), axis=1)[:, 0]
        if not worst <= TOLERANCE or (wanted.max(axis=1) - chosen).max() > TOLERANCE:
            raise UserError(
                f"{name} is not written: for {batch} images of {width}x{height} it differs from "
                f"the network by up to {worst:.1e}, and {TOLERANCE:.0e} is allowed"
            )
    return worst


@torch.no_grad()
def reference(network: DualBranchNet, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network's own probabilities (B, C, H, W) of bytes (B, H, W, 3)."""
    size = (images.shape[1], images.shape[2])
    logits = network(normalise(torch.from_numpy(images).permute(0, 3, 1, 2)))
    found: NDArray[np.float32] = (
        upsample(logits, size, network.backbone.geometry).softmax(1).numpy()
    )
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what the exporter logs about itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
