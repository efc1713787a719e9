"""Decoded images, kept as long as they fit: small data sets are read once."""

from collections.abc import Callable, Hashable

from torch import Tensor
from torch.utils.data import get_worker_info

from pipeline.devices.distributed import world


class ImageCache:
    """Tensors by what they were read from."""

    LIMIT = 2**28  # bytes, in all processes that decode together

    def __init__(self) -> None:
        """Start empty."""
        self.tensors: dict[Hashable, tuple[Tensor, ...]] = {}
        self.held = 0

    def get(self, key: Hashable, read: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What `read` returns, from memory where it was read before and there was room."""
        if key in self.tensors:
            return self.tensors[key]
        tensors = read()
        size = sum(tensor.nbytes for tensor in tensors)
        if self.held + size <= self.LIMIT // decoders():
            self.held += size
            self.tensors[key] = tensors
        return tensors


def decoders() -> int:
    """How many processes decode: the workers, or the main process, of each that trains."""
    worker = get_worker_info()
    return world().size * (1 if worker is None else worker.num_workers)
