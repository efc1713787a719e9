"""Elements of large JSON files, one at a time: COCO's file would be gigabytes as Python objects.

Not by ijson: it needs a pass for each array, three times as long in all, and holds the path of each
level of nesting, which is gigabytes where a damaged file is nested 40,000 deep.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pipeline.base.errors import UserError
from pipeline.datasets.reading.odd_values import OddValueError, json_reason

CHUNK = 1 << 20  # characters
LONGEST = 1 << 24  # characters of one element; beyond, the file counts as damaged
FOLLOWERS = ",:]} \t\r\n"  # what may follow a complete value
DECODER = json.JSONDecoder()


def stream_arrays(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (key, element) for every element of the arrays in the file's top-level object.

    Other top-level values are skipped. Only one element is in memory at a time.

    Raises:
        UserError: the file is missing or is not such JSON.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _object_items(_Reader(file))
    except FileNotFoundError:
        raise UserError(f"{path} is not there") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON ({json_reason(error)})") from error


class _Reader:
    """A window on the text that moves as values are taken from it."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text = ""
        self.at = 0

    def more(self) -> bool:
        """Read the next chunk, dropping what was taken; False at the end of the file."""
        chunk = self.file.read(CHUNK)
        self.text, self.at = self.text[self.at :] + chunk, 0
        return bool(chunk)

    def peek(self) -> str:
        """Next character that is not white space, without taking it; "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at].isspace():
                self.at += 1
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> str:
        """Take one of the expected characters."""
        found = self.peek()
        if not found:
            raise OddValueError("it is cut off")
        if found not in expected:
            raise OddValueError(f"it has {found} where {' or '.join(expected)} should be")
        self.at += 1
        return found

    def value(self) -> Any:
        """Take one complete value, reading more if the window cuts it in two."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError:
                if len(self.text) - self.at > LONGEST or not self.more():
                    raise
                continue
            follower = self.text[end : end + 1]
            if (not follower or follower not in FOLLOWERS) and self.more():
                continue  # a number may continue in the next chunk
            self.at = end
            return value


def _object_items(reader: _Reader) -> Iterator[tuple[str, Any]]:
    """Walk the top-level object."""
    reader.take("{")
    for _ in _items_until(reader, "}"):
        key = reader.value()
        if not isinstance(key, str):
            raise OddValueError(f"it has {key!r:.40} where a key should be")
        reader.take(":")
        if reader.peek() != "[":
            reader.value()
            continue
        reader.take("[")
        for _ in _items_until(reader, "]"):
            yield key, reader.value()


def _items_until(reader: _Reader, end: str) -> Iterator[None]:
    """Stop before each item of an array or object, and take what separates and ends them."""
    if reader.peek() == end:
        reader.take(end)
        return
    yield
    while reader.take("," + end) == ",":
        yield
