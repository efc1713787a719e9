"""Training steps: the halves against one branch, and against the paper's own scheme."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.timing import Row, in_turns
from pipeline.networks.backbone import build_backbone
from pipeline.networks.grid import upsample
from pipeline.train.losses import segmentation_loss
from pipeline.train.network import DualBranchNet

SIDE, BATCH, CLASSES = 160, 4, 21

Forward = Callable[[DualBranchNet, Tensor, Sequence[int]], Tensor]


def halves(network: DualBranchNet, images: Tensor, sizes: Sequence[int]) -> Tensor:
    """Ours: each branch gets its half of the batch."""
    logits: Tensor = network(images, sizes)
    return logits


def everything(network: DualBranchNet, images: Tensor, sizes: Sequence[int]) -> Tensor:
    """Fig. 5: each branch gets all images; the outputs without annotations are dropped."""
    features = network.neck(network.backbone(images))
    parts = [torch.split(branch(features), list(sizes)) for branch in network.branches]
    return torch.cat([part[place] for place, part in enumerate(parts)])


def make_step(branches: int, forward: Forward) -> Callable[[], object]:
    """One step of VGG16 with Adam, small enough for a CPU."""
    torch.manual_seed(0)
    network = DualBranchNet(build_backbone("vgg16", "none"), CLASSES, branches=branches, neck_n=0)
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-5, fused=True)
    images = torch.randn(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, CLASSES, (BATCH, SIDE, SIDE))
    sizes = (BATCH // branches,) * branches

    def step() -> None:
        logits = upsample(forward(network, images, sizes), (SIDE, SIDE), network.backbone.geometry)
        optimiser.zero_grad(set_to_none=True)
        segmentation_loss(logits, target, sizes).backward()
        optimiser.step()

    return step


def rows() -> Iterator[Row]:
    """VGG16, neck_n 0: batch 4 at 160 px, as a CPU needs minutes for the paper's 16 at 328."""
    dual, single, papers = in_turns(
        make_step(2, halves), make_step(1, halves), make_step(2, everything), rounds=8
    )
    what = f"dual step, VGG16, neck_n 0, batch {BATCH} at {SIDE} px"
    yield Row(what, "single-branch step", 1000 * dual, 1000 * single, "ms", 1 / 1.03)
    yield Row(
        what,
        "both branches on everything (Fig. 5)",
        1000 * dual,
        1000 * papers,
        "ms",
        1.2,
        note="equal gradients: tests/pipeline/train/test_network.py",
    )
