"""Asked to stop, by SIGTERM, by Ctrl-C or because DVC went away: what runs long saves and leaves.

A signal ends a stage at once, which harms nothing: outputs appear whole or not at all. Only inside
`held` it waits, for at most GRACE seconds, until the loop there has finished its step.
"""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from pipeline.errors import UserError

GRACE = 8.0  # seconds a loop has to finish its step and save; Slurm sends SIGKILL after 30
HEARD = (signal.SIGTERM, signal.SIGINT)


class StoppedError(UserError):
    """The stage was asked to stop and did."""

    def __init__(self, number: int) -> None:
        """Stopped by the signal of this number; shells take 128 and the number as its status."""
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}; the same command goes on from what was saved")
        self.exit_code = 128 + number


@dataclass
class _State:
    """Which process listens, which signal it heard, and how many blocks hold it back."""

    process: int = 0
    heard: int | None = None
    holding: int = 0


_state = _State()


@contextmanager
def listening() -> Iterator[None]:
    """Hear signals in this block; under DVC also that DVC was killed, where Linux can tell."""
    before = {number: signal.signal(number, _hear) for number in (*HEARD, signal.SIGALRM)}
    _state.process = os.getpid()
    if "DVC_STAGE" in os.environ:
        die_with_parent()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _state.heard, _state.holding = None, 0
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """Keep signals back in this block, whose loop comes to `asked` after every step."""
    _state.holding += 1
    try:
        yield
    finally:
        _state.holding -= 1


def asked() -> bool:
    """Whether a signal was kept back."""
    return _state.heard is not None


def stop() -> StoppedError:
    """The error to leave with after `asked`."""
    return StoppedError(_state.heard or signal.SIGTERM)


def die_with_parent() -> None:
    """Have Linux send this process SIGTERM when its parent ends, lest it run on unseen."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _hear(number: int, _frame: FrameType | None) -> None:
    """Leave at once, or let a loop finish its step. A second Ctrl-C leaves at once, too."""
    if os.getpid() != _state.process:
        return  # a worker that was forked: its parent tells it when to end
    insists = number == signal.SIGINT == _state.heard
    late = number == signal.SIGALRM
    _state.heard = _state.heard or number
    if late or insists or not _state.holding:
        raise StoppedError(_state.heard)
    signal.setitimer(signal.ITIMER_REAL, GRACE)
