"""Calls in a process of their own: a C library that crashes on a damaged file ends only that."""

import multiprocessing
import resource
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from pipeline.base.stopping import die_with_parent

A = TypeVar("A")
R = TypeVar("R")


class CrashError(Exception):
    """The process of a call ended, and that of a second attempt did, too."""


@contextmanager
def crash_guard(function: Callable[[A], R]) -> Iterator[Callable[[A], R]]:
    """Yield `function` as it runs in another process, which is started again after a crash.

    A start costs about a second. The function is one of a module; arguments and results are
    pickled. What it raises is raised here; where its process ends twice, that is a `CrashError`.
    """
    pool = _new_pool()

    def call(argument: A) -> R:
        nonlocal pool
        for _ in range(2):  # once may be no fault of the file's: memory ran out, or it was killed
            try:
                return pool.submit(function, argument).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = _new_pool()
        raise CrashError

    try:
        yield call
    finally:
        pool.shutdown()


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _prepare)


def _prepare() -> None:
    """Leave no core file after a crash, and end with the process that calls."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that calls
    die_with_parent()
