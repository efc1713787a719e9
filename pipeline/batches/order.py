"""Which images make up which batch: a pure function of seed and step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from pipeline.data.randomness import rng
from pipeline.devices.distributed import world


@dataclass(frozen=True)
class Item:
    """One image of one batch: from which stream, which entry, and its own random key."""

    stream: int
    index: int
    key: tuple[int, ...]


class BatchPlan(Sampler[list[Item]]):
    """Every batch of a run: its first part from stream 0, the next from stream 1, ... (§3.3).

    Each stream loops over its own list, so a short strong list is seen again and again while
    the weak one passes once: the oversampling the paper speaks of. Of several processes each
    gets its share of every part; order and random keys stay those of the whole batch.
    """

    def __init__(
        self,
        counts: Sequence[int],
        sizes: Sequence[int],
        steps: int,
        seed: int,
        *,
        done: int = 0,
        natural: bool = False,
    ) -> None:
        """Plan `steps` batches with `sizes[i]` items of the stream that has `counts[i]`.

        Args:
            counts: items in each stream.
            sizes: items of each stream in a batch.
            steps: number of batches.
            seed: of the order.
            done: how many batches are left out at the start.
            natural: draw from all streams at once: the sum of `sizes` is the batch, and how many
                of each stream are in it is chance.
        """
        self.counts, self.sizes, self.steps, self.seed = counts, sizes, steps, seed
        self.done, self.natural = done, natural

    def __len__(self) -> int:
        """Number of batches."""
        return self.steps - self.done

    def __iter__(self) -> Iterator[list[Item]]:
        """This process's share of each batch, in order."""
        for step in range(self.done, self.steps):
            yield self.batch(step)

    def batch(self, step: int) -> list[Item]:
        """This process's share of the batch after `step` steps: steps count from 0 here."""
        parts = self._pooled(step) if self.natural else self._by_stream(step)
        return [
            item
            for stream, part in enumerate(parts)
            for item in world().share(
                [Item(stream, i, (self.seed, step, stream, slot)) for slot, i in enumerate(part)]
            )
        ]

    def _by_stream(self, step: int) -> list[list[int]]:
        """Indices of each stream's part, as many as `sizes` say."""
        return [
            drawn(count, size, step, (self.seed, stream))
            for stream, (count, size) in enumerate(zip(self.counts, self.sizes, strict=True))
        ]

    def _pooled(self, step: int) -> list[list[int]]:
        """The same, drawn from one order over the items of all streams."""
        # One order over all streams: how many of each are in a batch is chance.
        pool = drawn(sum(self.counts), sum(self.sizes), step, (self.seed, 0))
        ends = np.cumsum(self.counts)
        starts = ends - self.counts
        return [
            [i - int(start) for i in pool if start <= i < end]
            for start, end in zip(starts, ends, strict=True)
        ]


def drawn(count: int, size: int, step: int, key: tuple[int, ...]) -> list[int]:
    """`size` of the indices 0..count-1 for a step: pass after pass, each in a random order."""
    places = range(step * size, (step + 1) * size)
    return [int(shuffled(count, (*key, place // count))[place % count]) for place in places]


@lru_cache(maxsize=8)  # two passes of each stream, where a batch lies across their border
def shuffled(count: int, key: tuple[int, ...]) -> NDArray[Any]:
    """The indices 0..count-1 in a random order of their own for each key."""
    return rng(*key).permutation(count)
