"""The measured speed limits of this machine, for the column `limit`."""

import functools

import torch

from benchmarks.timing import in_turns


@functools.cache
def memory_rate(device: str) -> float:
    """Bytes a second that a large copy reads and writes."""
    count = 2**30 if device == "cuda" else 2**27
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * count / in_turns(lambda: target.copy_(source))[0]


@functools.cache
def matrix_rate(device: str, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product or a large convolution.

    The faster of the two: on some processors only one library uses the vector units.
    """
    side = 8192 if device == "cuda" else 2048
    a = torch.randn(side, side, device=device).to(dtype)
    product = 2 * side**3 / in_turns(lambda: a @ a)[0]
    count, width, grid = (64, 512, 41) if device == "cuda" else (4, 256, 41)
    layer = torch.nn.Conv2d(width, width, 3, padding=1, bias=False).to(device, dtype)
    layer = layer.to(memory_format=torch.channels_last).requires_grad_(False)
    images = torch.randn(count, width, grid, grid, device=device).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    operations = 2 * 9 * width**2 * count * grid**2
    return max(product, operations / in_turns(lambda: layer(images))[0])
