"""A training step on photographs: EfficientNet-Lite0 in our engine and in another library."""

from collections.abc import Callable, Iterator

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from benchmarks.stage_cost import ROOT
from benchmarks.timing import Row, in_turns
from pipeline.engine.forward import prepare
from pipeline.engine.optim import paper_adam
from pipeline.networks.backbone import build_backbone
from pipeline.networks.grid import upsample
from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params
from pipeline.train.losses import segmentation_loss
from pipeline.train.network import DualBranchNet

RECIPE = "recipes/folder-cpu.yaml"
CLASSES = 7


def views(params: Params) -> tuple[Tensor, Tensor]:
    """Random images, normalised, and labels, of the recipe's batch and crop."""
    count, side = params.train.batch_size, side_of(params)
    generator = torch.Generator().manual_seed(0)
    images_B3HW = torch.randn(count, 3, side, side, generator=generator)
    return images_B3HW, torch.randint(0, CLASSES, (count, side, side), generator=generator)


def side_of(params: Params) -> int:
    """The recipe's crop, down to a multiple of the stride: the library takes no other."""
    return params.train.crop // 16 * 16


def our_step(params: Params, branches: int) -> Callable[[], None]:
    """A step of `strong` (one branch) or `dual` (two) as stage train takes it."""
    images_B3HW, labels_BHW = views(params)
    train = params.train
    torch.manual_seed(0)
    network = DualBranchNet(
        build_backbone(params.backbone, "none"),
        CLASSES,
        branches=branches,
        width=train.neck_width,
        dilation=train.neck_dilation,
    )
    forward = prepare(network, params.engine, train.batch_size)
    optimiser = paper_adam(network, train)
    images_B3HW = images_B3HW.contiguous(memory_format=torch.channels_last)
    side = side_of(params)
    sizes = (train.batch_size // branches,) * branches

    def step() -> None:
        logits_BChw = forward(images_B3HW, sizes)
        logits_BCHW = upsample(logits_BChw, (side, side), network.backbone.geometry)
        optimiser.zero_grad(set_to_none=True)
        segmentation_loss(logits_BCHW, labels_BHW, sizes).backward()
        optimiser.step()

    return step


def library_step(params: Params) -> Callable[[], None]:
    """The nearest network of segmentation_models.pytorch, in the loop that its pages show.

    DeepLabV3+ on timm's Lite0 at the same output stride.
    """
    images_B3HW, labels_BHW = views(params)
    torch.manual_seed(0)
    network: nn.Module = smp.DeepLabV3Plus(
        "tu-tf_efficientnet_lite0", encoder_weights=None, encoder_output_stride=16, classes=CLASSES
    )
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    loss_of = nn.CrossEntropyLoss()

    def step() -> None:
        loss = loss_of(network(images_B3HW), labels_BHW)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def rows() -> Iterator[Row]:
    """Milliseconds of a step at the batch and crop of `folder-cpu`."""
    params = load_params(ROOT / RECIPE)
    sides = (our_step(params, 1), our_step(params, 2), library_step(params))
    strong, dual, library = (1000 * seconds for seconds in in_turns(*sides, rounds=6))
    shape = f"batch {params.train.batch_size} at {side_of(params)} px"
    for name, ours in (("strong", strong), ("dual", dual)):
        yield Row(
            f"training step, Lite0 at stride 16, `{name}`, {shape}",
            "segmentation_models.pytorch DeepLabV3+ on timm's Lite0, stride 16, plain loop",
            ours,
            library,
            "ms",
            1.3,
            note=f"{1000 * params.train.batch_size / ours:.0f} images/s",
        )
