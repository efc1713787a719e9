"""A model file as ONNX and as torch.export's program: any batch, height and width.

Normalisation and upsampling are inside: a caller gives the bytes of a decoded image and gets
probabilities and a mask of its size.

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

from pipeline.base.atomic import whole_file
from pipeline.base.errors import UserError
from pipeline.batches.augment import MEAN, STD, normalise
from pipeline.model.model_file import KEY, ModelInfo
from pipeline.networks.grid import upsample
from pipeline.train.network import DualBranchNet

ONNX, TORCH = "model.onnx", "model.pt2"
OPSET = 18
TOLERANCE = 1e-4  # of a probability; float32 sums in another order differ by about 1e-6
SIZES = ((1, 64, 64), (1, 97, 130), (2, 50, 75), (3, 33, 40), (1, 128, 101))  # batch, height, width
USE = """
The exports beside this card take RGB bytes `images` (batch, height, width, 3), any number and any
size, and return `probabilities` (batch, class, height, width) and `mask` (batch, height, width).
With onnxruntime, without this project:

    import numpy as np, onnxruntime
    from PIL import Image, ImageOps
    session = onnxruntime.InferenceSession("model.onnx")
    image = ImageOps.exif_transpose(Image.open("photograph.jpg")).convert("RGB")
{shrink}    (mask,) = session.run(["mask"], {"images": np.asarray(image)[None]})

With torch (sides of 9 pixels or more):

    program = torch.export.load("model.pt2").module()
    probabilities, mask = program(torch.from_numpy(np.array(image)[None]))
"""
SHRINK = """\
    # As in training. For a mask of the photograph's size, resize the mask by NEAREST.
    image.thumbnail(({side}, {side}), Image.Resampling.BILINEAR, reducing_gap=None)
"""
Run = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.uint8]]]


def use_of(info: ModelInfo) -> str:
    """How to run the exports without this project."""
    side = info.longest_side
    return USE.replace("{shrink}", "" if side is None else SHRINK.format(side=side))


class Exported(nn.Module):
    """Bytes (B, H, W, 3) to probabilities (B, C, H, W) and class indices (B, H, W)."""

    def __init__(self, network: DualBranchNet) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Take RGB bytes, as `np.asarray` makes them of a Pillow image."""
        # Not `normalise`: what numba compiles cannot be traced.
        mean, std = (images.new_tensor(values, dtype=torch.float32) for values in (MEAN, STD))
        normal_BHW3 = torch.addcmul(-mean / std, images.float(), 1.0 / (255.0 * std))
        logits_BChw = self.network(normal_BHW3.permute(0, 3, 1, 2))
        logits_BCHW = self._at_image_size(logits_BChw, images.shape[1], images.shape[2])
        return logits_BCHW.softmax(dim=1), logits_BCHW.argmax(dim=1).to(torch.uint8)

    def _at_image_size(self, logits_BChw: Tensor, height: int, width: int) -> Tensor:
        """As `grid.upsample`, without branches on the size, which is unknown while tracing."""
        geometry = self.network.backbone.geometry
        h, w = logits_BChw.shape[-2:]
        short = geometry.stride - 1 if geometry.corner else 0
        span = [geometry.stride * h - short, geometry.stride * w - short]
        full = F.interpolate(logits_BChw, size=span, mode="bilinear", align_corners=geometry.corner)
        # Cut what is too long; where it is too short, repeat the edge.
        rows = torch.arange(height, device=full.device).clamp(max=span[0] - 1)
        columns = torch.arange(width, device=full.device).clamp(max=span[1] - 1)
        return full.index_select(2, rows).index_select(3, columns)


def traced(network: DualBranchNet) -> torch.export.ExportedProgram:
    """A network as a program with dynamic batch, height and width."""
    free = torch.export.Dim.DYNAMIC
    example = torch.zeros(2, 96, 120, 3, dtype=torch.uint8)
    return torch.export.export(
        Exported(network).eval(), (example,), dynamic_shapes=({0: free, 1: free, 2: free},)
    )


def export(
    info: ModelInfo, network: DualBranchNet, folder: Path, formats: tuple[str, ...]
) -> dict[str, float]:
    """Write `folder`/model.onnx and `folder`/model.pt2, and check each.

    Args:
        info: the model's description, stored in both files.
        network: on the CPU, in eval mode.
        folder: where they go, such as one of `atomic.whole_folder`.
        formats: of "onnx" and "torch".

    Returns:
        for each file the largest difference of a probability from the network's.

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
        UserError: a package that ONNX needs is not installed.
    """
    try:
        import onnx  # noqa: F401 - torch's exporter wants both
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"ONNX needs the package {error.name}: pip install --editable '.[export]', "
            "or use --format torch"
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
    """Properties of an ONNX file: the whole description, and its main parts by name."""
    values = json.loads(text)
    return {
        KEY: text,
        "classes": json.dumps([entry["name"] for entry in values["classes"]]),
        "palette": json.dumps([entry["colour"] for entry in values["classes"]]),
        "normalisation": "inside the graph; give RGB bytes (batch, height, width, 3)",
        **{key: str(values[key]) for key in ("white", "longest_side") if key in values},
    }


def onnx_run(runtime: Any, path: Path) -> Run:
    """Run an ONNX file with onnxruntime on the CPU."""
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda images: tuple(session.run(["probabilities", "mask"], {"images": images}))


def torch_run(path: Path) -> Run:
    """Run a file of torch.export."""
    with path.open("rb") as file:
        module = torch.export.load(file).module()

    def run(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        probabilities, mask = module(torch.from_numpy(images))
        return probabilities.numpy(), mask.numpy()

    return run


def check(network: DualBranchNet, run: Run, name: str) -> float:
    """Compare an export with its network on random images of SIZES.

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
    """Silence the exporter's own messages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
