"""Decoded images, kept as long as they fit: small data sets are read once."""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from pipeline.devices.distributed import world


class ImageCache:
    """Tensors of bytes by what they were read from, in one block of memory.

    Each on its own, they would lie between what training takes and gives back, and leave holes
    there that nothing else fits into: 600 MB of photographs took 2.4 GB.
    """

    LIMIT = 2**27  # bytes, in all processes that decode together

    def __init__(self) -> None:
        """Start empty."""
        self.tensors: dict[Hashable, tuple[Tensor, ...]] = {}
        self.room: Tensor | None = None

    def get(self, key: Hashable, read: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What `read` returns, from memory where it was read before and there was room."""
        if key in self.tensors:
            return self.tensors[key]
        tensors = read()
        if self.room is None:  # in the process that decodes; only what is written takes memory
            self.room = torch.empty(self.LIMIT // decoders(), dtype=torch.uint8)
        size = sum(tensor.nbytes for tensor in tensors)
        if size <= len(self.room):
            places = self.room[:size].split([tensor.nbytes for tensor in tensors])
            self.room = self.room[size:]
            self.tensors[key] = tensors = tuple(
                place.as_strided(tensor.shape, tensor.stride(), place.storage_offset()).copy_(
                    tensor
                )
                for place, tensor in zip(places, tensors, strict=True)
            )
        return tensors


def decoders() -> int:
    """How many processes decode: the workers, or the main process, of each that trains."""
    worker = get_worker_info()
    return world().size * (1 if worker is None else worker.num_workers)
