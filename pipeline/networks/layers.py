"""Own layers: a constant factor, frozen batch norm folded away, two that act on the whole batch.

If a batch is spread over processes (pipeline.devices.distributed), each has rows rank, rank + size,
..., and Dropout and BatchNorm give these rows the same as in one process.
Shape legend: B batch, C channels, H W grid.
"""

from itertools import pairwise
from typing import TypeGuard

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.devices.device import layout
from pipeline.devices.distributed import total, world


class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        """Multiply by `factor`."""
        super().__init__()
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """Return a new tensor."""
        return self.factor * features


class Dropout(nn.Module):
    """Dropout with a mask for the whole batch, equal for any number of processes.

    Attributes:
        p: share of values dropped.
        batch_size: of the whole batch, set by `engine.forward.prepare`; None: the images at hand.
    """

    def __init__(self, p: float) -> None:
        """Drop a share `p` of the values while training."""
        super().__init__()
        self.p = p
        self.batch_size: int | None = None

    def forward(self, values_BCHW: Tensor) -> Tensor:
        """Values where the mask keeps them, divided by the share kept; unchanged in eval mode."""
        if not self.training or self.p == 0:
            return values_BCHW
        shape = (self.batch_size or len(values_BCHW), *values_BCHW.shape[1:])
        here = world()
        # Drawn in the layout of the values: it decides which number goes where.
        keep = values_BCHW.new_empty(shape).to(memory_format=layout(values_BCHW.device))
        keep.bernoulli_(1 - self.p)
        return values_BCHW * keep[here.rank :: here.size].div_(1 - self.p)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm with the statistics of the whole batch.

    torch.nn.SyncBatchNorm does the same on GPUs and refuses CPUs.
    """

    def forward(self, values_BCHW: Tensor) -> Tensor:
        """Normalise; while training, update the running statistics as torch does."""
        if not self.training or world().size == 1:
            return super().forward(values_BCHW)
        wide_BCHW = values_BCHW.to(self.weight.dtype)
        count = total(wide_BCHW.new_tensor(wide_BCHW[:, 0].numel()))
        mean_C = total(wide_BCHW.sum(dim=(0, 2, 3))) / count
        centred_BCHW = wide_BCHW - mean_C[:, None, None]
        variance_C = total(centred_BCHW.square().sum(dim=(0, 2, 3))) / count
        self._remember(mean_C.detach(), (variance_C * count / (count - 1)).detach())
        scale_C = self.weight * (variance_C + self.eps).rsqrt()
        normal_BCHW = centred_BCHW * scale_C[:, None, None] + self.bias[:, None, None]
        return normal_BCHW.to(values_BCHW.dtype)

    def _remember(self, mean_C: Tensor, unbiased_C: Tensor) -> None:
        momentum = self.momentum
        assert momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean_C, momentum)
        self.running_var.lerp_(unbiased_C, momentum)
        self.num_batches_tracked.add_(1)


class Layers(nn.Sequential):
    """Layers in order; while training, batch norm that is frozen is folded into its convolution.

    With its statistics fixed it only scales and shifts each channel. Done to the weights instead,
    it costs nothing for each pixel, and its input need not be kept for the gradients, which are
    the same. When not training each layer is called, as hooks on them want it.
    """

    def forward(self, values_BCHW: Tensor) -> Tensor:
        """Apply all layers."""
        folded = False
        for layer, following in pairwise([*self, None]):
            if folded:  # into the convolution before it
                folded = False
                continue
            assert layer is not None
            if self.training and isinstance(layer, nn.Conv2d) and is_frozen(following):
                values_BCHW, folded = convolve_scaled(layer, following, values_BCHW), True
            else:
                values_BCHW = layer(values_BCHW)
        return values_BCHW


def is_frozen(layer: nn.Module | None) -> TypeGuard[nn.BatchNorm2d]:
    """Whether it is batch norm that takes its running statistics."""
    return isinstance(layer, nn.BatchNorm2d) and not layer.training


def convolve_scaled(conv: nn.Conv2d, norm: nn.BatchNorm2d, values_BCHW: Tensor) -> Tensor:
    """A convolution without bias and the frozen batch norm behind it, as one convolution."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale_C = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift_C = norm.bias - norm.running_mean * scale_C
    weight = conv.weight * scale_C[:, None, None, None]
    assert isinstance(conv.padding, tuple)
    return F.conv2d(
        values_BCHW, weight, shift_C, conv.stride, conv.padding, conv.dilation, conv.groups
    )
