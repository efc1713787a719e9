"""One training step of VGG16 dual: our engine, a plain float32 loop, another library's network."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.limits import matrix_rate
from benchmarks.timing import Row, in_turns
from pipeline.devices.device import pick_device, use_tf32
from pipeline.engine.forward import prepare
from pipeline.networks.backbone import build_backbone
from pipeline.networks.grid import upsample
from pipeline.settings.params import Engine
from pipeline.train.losses import segmentation_loss
from pipeline.train.network import DualBranchNet

CLASSES = 21
Step = Callable[[], Tensor]


def size(device: torch.device) -> tuple[int, int]:
    """Batch and side: the paper's on a GPU, smaller ones on a CPU."""
    return (16, 328) if device.type == "cuda" else (4, 160)


def batch(device: torch.device) -> tuple[Tensor, Tensor]:
    """Random images, normalised, channels last, and labels."""
    count, side = size(device)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, side, side, generator=generator)
    labels = torch.randint(0, CLASSES, (count, side, side), generator=generator)
    return images.to(device, memory_format=torch.channels_last), labels.to(device)


def dual_step(engine: Engine | None) -> Step:
    """A step of the dual-branch network; without an engine, that of a plain loop.

    The plain loop: float32, channels first, the unfused optimiser.
    """
    device = pick_device()
    images, labels = batch(device)
    torch.manual_seed(0)
    network = DualBranchNet(build_backbone("vgg16", "none"), CLASSES)
    sizes = (len(images) // 2,) * 2
    if engine is None:
        forward: Callable[..., Tensor] = network.to(device).train()
        images = images.contiguous()
    else:
        forward = prepare(network, engine, len(images))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-5, fused=engine is not None)
    side = (labels.shape[-2], labels.shape[-1])

    def step() -> Tensor:
        logits = upsample(forward(images, sizes), side, network.backbone.geometry)
        loss = segmentation_loss(logits, labels, sizes)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def library_step(precision: torch.dtype | None) -> Step:
    """The nearest network of segmentation_models.pytorch: a feature pyramid on VGG16."""
    device = pick_device()
    images, labels = batch(device)
    side = 32 * (images.shape[-1] // 32)  # it needs multiples of 32
    images, labels = images[..., :side, :side], labels[..., :side, :side]
    torch.manual_seed(0)
    network: nn.Module = smp.FPN("vgg16", encoder_weights=None, classes=CLASSES)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-5, fused=True)

    def step() -> Tensor:
        with torch.autocast(device.type, precision) if precision else nullcontext():
            logits = network(images).float()
        loss = nn.functional.cross_entropy(logits, labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def flops(step: Step) -> int:
    """Floating-point operations of one step's matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def rows() -> Iterator[Row]:
    """Ours in bfloat16 (on a GPU compiled and with TF32, too) and in float32."""
    device = pick_device()
    gpu = device.type == "cuda"
    use_tf32(gpu)
    bf16 = Engine(
        precision="bf16",
        tf32=gpu,
        compile=gpu,
        deterministic=False,
    )
    fp32 = bf16.model_copy(update={"precision": "fp32", "compile": False})
    plain, ours = dual_step(None), dual_step(bf16)
    work = flops(plain)
    sides = (ours, dual_step(fp32), plain, library_step(torch.bfloat16), library_step(None))
    cost = [1000 * s for s in in_turns(*sides, rounds=4)]
    count, side = size(device)
    what = f"training step, VGG16 dual, batch {count} at {side} px"
    limit = {p: 1000 * work / matrix_rate(device.type, p) for p in (torch.bfloat16, torch.float32)}
    half, full = limit[torch.bfloat16], limit[torch.float32]
    share = f"{100 * half / cost[0]:.0f} % of the measured bf16 matrix rate"
    if gpu:
        yield Row(f"{what}, bf16", "twice the limit", cost[0], 2 * half, "ms", 1.0, share, half)
    loop = "plain eager fp32 loop"
    yield Row(f"{what}, bf16", loop, cost[0], cost[2], "ms", 1.0, share, half)
    yield Row(f"{what}, fp32", loop, cost[1], cost[2], "ms", 1.0, limit=full)
    fpn = "segmentation_models.pytorch FPN on VGG16, stride 32"
    other = "another network: fewer features, no dilation, one head"
    yield Row(f"{what}, bf16", f"{fpn}, bf16", cost[0], cost[3], "ms", 0.0, other)
    yield Row(f"{what}, fp32", f"{fpn}, fp32", cost[1], cost[4], "ms", 0.0, other)
