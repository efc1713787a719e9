"""Decoded images, kept as long as they fit: small data sets are read once."""

from collections.abc import Callable, Hashable

from torch import Tensor


class ImageCache:
    """Tensors by what they were read from."""

    LIMIT = 2**30  # bytes, in each process that decodes

    def __init__(self) -> None:
        """Start empty."""
        self.tensors: dict[Hashable, tuple[Tensor, ...]] = {}
        self.room = self.LIMIT

    def get(self, key: Hashable, read: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What `read` returns, from memory where it was read before and there was room."""
        if key in self.tensors:
            return self.tensors[key]
        tensors = read()
        size = sum(tensor.nbytes for tensor in tensors)
        if size <= self.room:
            self.room -= size
            self.tensors[key] = tensors
        return tensors
