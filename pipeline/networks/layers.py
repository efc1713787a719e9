"""Own layers: multiplication by a constant, and two that act on the whole batch.

If a batch is spread over processes (pipeline.devices.distributed), each has rows rank, rank + size,
..., and Dropout and BatchNorm give these rows the same as in one process.
Shape legend: B batch, C channels, H W grid.
"""

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
