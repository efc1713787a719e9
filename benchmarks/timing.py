"""Rows of the table, and timing of several sides in turns."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

import torch


@dataclass(frozen=True)
class Row:
    """One comparison; smaller is better on both sides, so `ratio` says how much better we are.

    Attributes:
        name: what is measured.
        peer_name: what it is compared with; for a budget, what sets it.
        ours: our cost.
        peer: the peer's cost, or the budget.
        unit: of both.
        target: the least ratio peer / ours that meets the aim.
        note: what a reader must know to judge the number.
        limit: the least cost this machine's measured rates allow (benchmarks.limits), if known.
    """

    name: str
    peer_name: str
    ours: float
    peer: float
    unit: str
    target: float
    note: str = ""
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """How many times the peer's cost is ours."""
        return self.peer / self.ours

    @property
    def met(self) -> bool:
        """Whether the aim is met."""
        return self.ratio >= self.target

    def as_dict(self) -> dict[str, Any]:
        """The entry of latest.json."""
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


def in_turns(*sides: Callable[[], object], rounds: int = 5) -> list[float]:
    """Least seconds of each side over `rounds` rounds, every side once a round.

    The least time has the fewest interruptions; with turns, a busy machine slows all sides alike.
    One more round before is not counted. Each side waits for the GPU.
    """
    best = [float("inf")] * len(sides)
    for number in range(rounds + 1):
        for place, side in enumerate(sides):
            start = time.perf_counter()
            side()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if number:
                best[place] = min(best[place], time.perf_counter() - start)
    return best


@contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    """One process per core, for peers that use one core; they inherit the data made before."""
    with ProcessPoolExecutor(cores(), mp_context=get_context("fork")) as pool:
        yield pool


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))
