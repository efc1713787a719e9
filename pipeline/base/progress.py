"""Progress with time left: a bar on a terminal, else a line every 20 seconds."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

LINE_EVERY = 20.0  # seconds between lines without a terminal


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` and show progress and time left, in the leading process only.

    Args:
        items: anything to iterate over.
        what: two or three words naming the work, such as "train dual 0".
        total: number of items; `len(items)` if not given.
    """
    if total is None:
        total = len(items)  # type: ignore[arg-type]
    if os.environ.get("RANK", "0") != "0":
        yield from items
        return
    if sys.stderr.isatty():
        from rich.progress import track as bar

        yield from bar(items, description=what, total=total, transient=True)
        return
    started = shown = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - shown >= LINE_EVERY and done < total:
            shown = now
            left = (now - started) / done * (total - done)
            print(f"{what}: {done}/{total}, {duration(left)} left", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Minutes and seconds, hours where needed.

    >>> duration(75), duration(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
