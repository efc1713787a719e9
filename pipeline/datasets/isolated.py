"""A function in a process of its own: a C library that crashes on a damaged file ends only that."""

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Generic, Self, TypeVar

from pipeline.errors import UserError
from pipeline.stopping import die_with_parent

A = TypeVar("A")
R = TypeVar("R")

CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


class CrashError(Exception):
    """The function crashed; the message is the signal's name."""


class Isolated(Generic[A, R]):
    """Calls a function, one call after the other, in one process that starts anew after a crash.

    Use it as a context manager. The process starts with the first call; it costs about a second.
    """

    def __init__(self, function: Callable[[A], R]) -> None:
        """For a function of a module; arguments and results are pickled."""
        self._function = function
        self._process: SpawnProcess | None = None
        self._ours: Connection | None = None

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End the process, and what it is at."""
        if self._process is not None:
            self._process.terminate()
        self._end()

    def __call__(self, argument: A) -> R:
        """What the function returns.

        Raises:
            CrashError: it crashed.
            UserError: it raised one; or somebody ends the process again and again.
        """
        for _ in range(2):  # it may have been ended from outside, and while it was idle
            connection = self._started()
            try:
                connection.send(argument)
                result, error = connection.recv()
            except (EOFError, ConnectionError):
                ended = self._end()
                if -ended in CRASHES:
                    raise CrashError(signal.Signals(-ended).name) from None
                continue
            if error is not None:
                raise error
            returned: R = result
            return returned
        cause = signal.Signals(-ended).name if ended < 0 else f"exit status {ended}"
        raise UserError(
            f"{argument}: the process that reads it was ended twice ({cause}); memory ran out, "
            "most likely"
        )

    def _started(self) -> Connection:
        """Our end of the line to the process."""
        if self._ours is None:
            context = multiprocessing.get_context("spawn")
            self._ours, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(self._function, theirs), daemon=True
            )
            # What is blocked here stays so there: Ctrl-C is for the process that calls.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            self._process.start()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()  # so that its end is heard here
        return self._ours

    def _end(self) -> int:
        """Hang up and wait for the process; its exit status."""
        if self._ours is None or self._process is None:
            return 0
        self._ours.close()
        self._process.join()
        status = self._process.exitcode or 0
        self._ours = self._process = None
        return status


def _serve(function: Callable[[A], R], connection: Connection) -> None:
    """Answer calls until the other side hangs up."""
    die_with_parent()
    with suppress(ImportError):  # elsewhere than on Unix
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no file behind
    with suppress(EOFError, ConnectionError):
        while True:
            argument = connection.recv()
            try:
                connection.send((function(argument), None))
            except UserError as error:
                connection.send((None, error))
