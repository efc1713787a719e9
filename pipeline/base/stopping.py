"""Stopping a stage by SIGTERM, by Ctrl-C or because DVC has ended.

A signal ends a stage at once, which does no harm: outputs appear complete or not at all. Only
inside `held` it waits, for at most GRACE seconds, until the loop there has finished its step.
"""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from pipeline.base.errors import UserError

GRACE = 8.0  # seconds a loop has to finish its step and save; Slurm sends SIGKILL after 30
HEARD = (signal.SIGTERM, signal.SIGINT)


class StoppedError(UserError):
    """The stage was stopped by a signal."""

    def __init__(self, number: int) -> None:
        """The signal's number; the exit status is 128 plus the number, as shells have it."""
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}; the same command resumes from what was saved")
        self.exit_code = 128 + number


@dataclass
class _State:
    """The process that listens, the signal it received, and how many `held` blocks it is in."""

    process: int = 0
    heard: int | None = None
    holding: int = 0


_state = _State()


@contextmanager
def listening() -> Iterator[None]:
    """Handle signals in this block; under DVC on Linux, also stop when DVC is killed."""
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
    """Delay signals in this block, whose loop checks `asked` after every step."""
    _state.holding += 1
    try:
        yield
    finally:
        _state.holding -= 1


def asked() -> bool:
    """Whether a signal was delayed."""
    return _state.heard is not None


def stop() -> StoppedError:
    """The error to raise after `asked`."""
    return StoppedError(_state.heard or signal.SIGTERM)


def die_with_parent() -> None:
    """Have Linux send this process SIGTERM when its parent ends."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _hear(number: int, _frame: FrameType | None) -> None:
    """Stop at once, or let a loop finish its step. A second Ctrl-C stops at once, too."""
    if os.getpid() != _state.process:
        return  # a forked worker: its parent ends it
    insists = number == signal.SIGINT == _state.heard
    late, first = number == signal.SIGALRM, _state.heard is None
    _state.heard = _state.heard or number
    if late or insists or not _state.holding:
        raise StoppedError(_state.heard)
    if first:
        signal.setitimer(signal.ITIMER_REAL, GRACE)
