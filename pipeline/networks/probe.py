"""Where the grid points of a network of unknown make lie on the image, measured by gradients.

The layers' weights do not matter for that, only their strides and paddings. So every layer gets a
stand-in whose gradient lies where the layer looks: convolutions and linear layers take the mean of
the channels at their middle tap, poolings average, and what gives back the shape it was given
(norms, activations, attention, gates) is passed by. What remains is one point, exactly.

Shape legend: B batch, K channels, H W image, h w grid.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PASSED_BY = re.compile(r"Norm|GRN|Drop|LayerScale|ReLU")
# Gates and mixers of the whole image; passed by where they keep the shape.
MIXERS = re.compile(r"Att|SE[A-Z]|Squeeze|Gather|Eca|Cbam|Msa|Gating|Context|Ese|MLA")
TOLERANCE = 0.25  # of the stride; branches of one network may lie apart by half of it
MOST_BEFORE = 10  # tokens before those of the grid, plus one: a class's and registers
SMALL = 1e-3  # of the image's values: products of features would grow without end
POINTS = ((2, 2), (3, 3))  # of the grid, away from the borders


def find_corner(body: nn.Module, stride: int) -> bool:
    """Whether the grid points of `body` are corners (`Geometry.corner`) or the middles of blocks.

    One image serves both kinds of sides: 5 strides + 1 pixels high, 5 strides wide. So a network
    whose padding depends on the side is seen.

    Args:
        body: from images (B, 3, H, W) to features (B, K, h, w).
        stride: of the grid.

    Raises:
        ValueError: its grid is not of ceil(side / stride) points, or they lie elsewhere; the
            message says where.
    """
    height, width = 5 * stride + 1, 5 * stride
    with stand_ins(body):
        for odd in ((height, width), (3 * stride + 5, 4 * stride - 3)):
            shape = _grid(body, odd)
            wanted = tuple(-(-side // stride) for side in odd)
            if shape != wanted:
                raise ValueError(f"its grid for {odd[1]}x{odd[0]} px is {shape[1]}x{shape[0]}")
        image_13HW = torch.full((1, 3, height, width), SMALL, requires_grad=True)
        features_1Khw = body(image_13HW)
        places = [
            (place - stride * at) / stride
            for y, x in POINTS
            for at, place in zip((y, x), _place(features_1Khw, image_13HW, y, x), strict=True)
        ]
    if not all(map(isfinite, places)):
        raise ValueError("gradients do not tell where its grid points lie")
    for corner, middle in ((True, 0.0), (False, (stride - 1) / (2 * stride))):
        if all(abs(place - middle) <= TOLERANCE for place in places):
            return corner
    said = ", ".join(f"{place:.2f}" for place in places)
    raise ValueError(f"its grid points lie {said} strides from the corners of their blocks")


def find_middle(body: nn.Module, net: nn.Module, stride: int) -> tuple[int, str, str]:
    """Channels of the features, and the middle one of the blocks that work on the grid.

    Args:
        body: from images (B, 3, H, W) to features (B, K, h, w).
        net: the part of it whose blocks are looked at.
        stride: of the grid.

    Returns:
        channels, the block's name in `net`, and how its output lies: `grid` is (B, K, h, w), `last`
        (B, h, w, K), `tokens` (B, N, K) with a few tokens before the grid's.

    Raises:
        ValueError: nothing that the features follow from has the grid's size.
    """
    seen: list[tuple[str, Tensor]] = []

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.requires_grad:
                seen.append((name, output))

        return hook

    hooks = [m.register_forward_hook(keep(name)) for name, m in net.named_modules() if name]
    # Of such a size that no padding makes the grid larger, and taller than wide.
    image_13HW = torch.ones(1, 3, 5 * stride + 1, 4 * stride + 1, requires_grad=True)
    try:
        with stand_ins(body):
            features_1Khw = body(image_13HW)
    finally:
        for hook in hooks:
            hook.remove()
    gradients = torch.autograd.grad(
        features_1Khw.sum(), [output for _, output in seen], allow_unused=True
    )
    used = [
        (name, layout)
        for (name, output), gradient in zip(seen, gradients, strict=True)
        if gradient is not None and (layout := _layout(output, features_1Khw.shape[-2:]))
    ]
    if not used:
        raise ValueError("none of its layers has the grid's size")
    chosen = [entry for entry in used if _is_block(entry[0], net)] or used
    return features_1Khw.shape[1], *chosen[(len(chosen) - 1) // 2]


def _layout(output: Tensor, grid: torch.Size) -> str:
    """How a module's output lies; "" if it is not of the grid."""
    if output.ndim == 4 and output.shape[-2:] == grid:
        return "grid"
    if output.ndim == 4 and output.shape[1:3] == grid:
        return "last"
    count = grid[0] * grid[1]
    return "tokens" if output.ndim == 3 and count <= output.shape[1] < count + MOST_BEFORE else ""


def _is_block(name: str, net: nn.Module) -> bool:
    """Whether a module is one of a row, as in `stages.2.blocks.5`, and not a single layer."""
    numbered = re.search(r"\d+$", name) is not None
    return numbered and next(net.get_submodule(name).children(), None) is not None


def _grid(body: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """The grid (h, w) of an image (H, W)."""
    with torch.no_grad():
        h, w = body(torch.ones(1, 3, *size)).shape[-2:]
    return h, w


def _place(features_1Khw: Tensor, image_13HW: Tensor, y: int, x: int) -> tuple[float, float]:
    """The pixel (row, column) where a grid point lies: the centre of its gradient."""
    chosen = features_1Khw[0, :, y, x].sum()
    (gradient,) = torch.autograd.grad(chosen, image_13HW, retain_graph=True)
    weight_HW = gradient[0].double().sum(dim=0)
    weight_HW = weight_HW - weight_HW.median()  # what looks at all pixels alike has no place
    rows = torch.arange(weight_HW.shape[0], dtype=torch.float64)
    columns = torch.arange(weight_HW.shape[1], dtype=torch.float64)
    total = weight_HW.sum()
    return float(weight_HW.sum(1) @ rows / total), float(weight_HW.sum(0) @ columns / total)


@contextmanager
def stand_ins(body: nn.Module) -> Iterator[None]:
    """Give every layer its stand-in, for the time of the context."""
    changed = []
    for module in body.modules():
        new = _stand_in(module)
        if new is not None:
            module.forward = new
            changed.append(module)
    training = body.training
    body.eval()
    try:
        yield
    finally:
        body.train(training)
        for module in changed:
            del module.forward


def _stand_in(module: nn.Module) -> Callable[..., Tensor] | None:
    """What takes the place of a module's `forward`; None: it stays."""
    name, home = type(module).__name__, type(module).__module__
    if isinstance(module, nn.Conv2d):
        return _middle_tap(module)
    if isinstance(module, nn.Linear):
        return _mean_of_channels(module.out_features)
    if isinstance(module, nn.MaxPool2d):
        return _mean_pool(module)
    activation = ".activations" in home or home == "torch.nn.modules.activation"
    plain = not any(isinstance(part, nn.Conv2d) for part in module.modules())
    if plain and (PASSED_BY.search(name) or (activation and "Attention" not in name)):
        return lambda values, *rest, **named: values
    return _passed_by(module.forward) if MIXERS.search(name) else None


def _mean_of_channels(count: int) -> Callable[[Tensor], Tensor]:
    """The mean of the last axis, `count` times."""
    return lambda values: values.mean(-1, keepdim=True).repeat_interleave(count, dim=-1)


def _passed_by(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The input itself where the real output has its shape; else the real output."""

    def passing(values: Tensor, *rest: object, **named: object) -> Tensor:
        real = forward(values, *rest, **named)
        same = isinstance(real, Tensor) and real.shape == values.shape
        return values if same else real

    return passing


def _padded(layer: Any, values_BKHW: Tensor) -> tuple[Tensor, Any]:
    """A layer's input and the padding that is still to be done.

    Layers `...Same` pad so that the output has ceil(side / stride) points, as TensorFlow does.
    """
    if "Same" not in type(layer).__name__:
        return values_BKHW, layer.padding
    pads: list[int] = []
    for axis in (1, 0):
        kernel, stride, dilation = (
            value if isinstance(value, int) else value[axis]
            for value in (layer.kernel_size, layer.stride, getattr(layer, "dilation", 1))
        )  # fmt: skip
        side = values_BKHW.shape[2 + axis]
        short = max((-(-side // stride) - 1) * stride + (kernel - 1) * dilation + 1 - side, 0)
        pads += [short // 2, short - short // 2]
    return F.pad(values_BKHW, pads), 0


def _middle_tap(conv: nn.Conv2d) -> Callable[[Tensor], Tensor]:
    """The mean of the channels at a convolution's middle tap; the middle two where it is even."""
    kernel = torch.zeros(1, 1, *conv.kernel_size)
    rows, columns = (slice((size - 1) // 2, size // 2 + 1) for size in conv.kernel_size)
    kernel[..., rows, columns] = 1.0
    kernel /= kernel.sum()

    def forward(values_BKHW: Tensor) -> Tensor:
        padded, padding = _padded(conv, values_BKHW.mean(dim=1, keepdim=True))
        out_B1hw = F.conv2d(padded, kernel, None, conv.stride, padding, conv.dilation)
        return out_B1hw.repeat(1, conv.out_channels, 1, 1)

    return forward


def _mean_pool(pool: nn.MaxPool2d) -> Callable[[Tensor], Tensor]:
    """The mean in place of the maximum."""

    def forward(values_BKHW: Tensor) -> Tensor:
        padded, padding = _padded(pool, values_BKHW)
        return F.avg_pool2d(padded, pool.kernel_size, pool.stride, padding, pool.ceil_mode)

    return forward
