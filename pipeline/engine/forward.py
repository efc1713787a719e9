"""A network prepared for training: device, precision, compiler, processes."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.devices.device import pick_device, placed
from pipeline.devices.distributed import refuse_idle, world
from pipeline.networks.layers import Dropout
from pipeline.settings.params import Engine

Forward = Callable[..., Tensor]


def prepare(network: nn.Module, engine: Engine, batch_size: int) -> Forward:
    """Move a network to this process's device, ready to train.

    Args:
        network: changed in place: laid out for the device, in training mode.
        engine: precision, and whether to compile.
        batch_size: images of the whole batch.

    Returns:
        the network's forward pass to train with: compiled, under autocast and with gradients
        averaged over the processes as far as asked for; its output is float32.
    """
    device = pick_device()
    placed(network, device).train()
    for module in network.modules():
        # Each process draws the mask of the whole batch and takes its own rows.
        if isinstance(module, Dropout):
            module.batch_size = batch_size
    forward: nn.Module = network
    if engine.compile and compiler_works(device):
        forward = torch.compile(network)  # type: ignore[assignment]
    # Views into the buckets save a copy of all gradients.
    if world().size > 1:
        forward = DistributedDataParallel(forward, gradient_as_bucket_view=True)
    return precisely(forward, engine)


def precisely(forward: Forward, engine: Engine) -> Forward:
    """A forward pass, under autocast as far as `engine` asks for it; its output is float32."""
    device = pick_device()
    half = engine.precision == "bf16" and bf16_works(device)

    def precise(*inputs: object) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
            output: Tensor = forward(*inputs)
        # Losses take logarithms and sums over all pixels: bfloat16's three digits are too few.
        return output.float()

    return precise


def share_of(key: str, size: int) -> int:
    """How many of `size` images this process takes.

    Raises:
        UserError: there are more processes than images; the message names the params `key`.
    """
    here = world()
    refuse_idle(key, size, here.size)
    return len(range(here.rank, size, here.size))


def compiler_works(device: torch.device) -> bool:
    """Whether torch.compile works here; warns once where it does not."""
    try:
        torch.compile(lambda values: values.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:
        # Whatever a toolchain can lack: a C++ compiler, Triton, headers, a writable cache.
        say_once(f"engine.compile: no compiler works here ({type(error).__name__}), left out")
        return False
    return True


def bf16_works(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16; warns once where it does not."""
    if device.type == "mps":
        say_once("engine.precision: bfloat16 is left out on mps, float32 is used")
        return False
    if device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False):
        return True
    say_once("engine.precision: this GPU has no bfloat16, float32 is used")
    return False


def say_once(message: str) -> None:
    """Warn that something is not done as asked: one process, one time."""
    if world().leads:
        warnings.warn(message, stacklevel=1)
