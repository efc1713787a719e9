"""Elements of large JSON files, one at a time: COCO's file would be gigabytes as Python objects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import UserError

CHUNK = 1 << 20  # characters
LONGEST = 1 << 24  # characters of one element; a damaged file is not searched beyond for its end
FOLLOWERS = ",:]} \t\r\n"  # what may follow a whole value
DECODER = json.JSONDecoder()


def stream_arrays(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (key, element) for every element of the arrays right below the file's one object.

    Top-level values that are no arrays are skipped. Only one element is held at a time.

    Raises:
        UserError: the file is missing or is not such JSON.
    """
    try:
        with path.open(encoding="utf-8") as file:
            yield from _object_items(_Reader(file))
    except FileNotFoundError:
        raise UserError(f"{path} is not there") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except RecursionError:
        raise UserError(f"{path} is not readable JSON (nested too deep)") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are among them
        raise UserError(f"{path} is not readable JSON ({error})") from error


class _Reader:
    """A window on the text that moves on as values are taken from it."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text = ""
        self.at = 0

    def more(self) -> bool:
        """Read on, dropping what was taken; False at the end of the file."""
        chunk = self.file.read(CHUNK)
        self.text, self.at = self.text[self.at :] + chunk, 0
        return bool(chunk)

    def peek(self) -> str:
        """Next character that is no blank, without taking it; "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at].isspace():
                self.at += 1
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> str:
        """Take one of the expected characters."""
        found = self.peek()
        if not found or found not in expected:
            raise ValueError(f"expected one of {expected!r}, found {found!r}")
        self.at += 1
        return found

    def value(self) -> Any:
        """Take one whole value, reading on where the window cuts it in two."""
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
                continue  # a number may go on in the next chunk
            self.at = end
            return value


def _object_items(reader: _Reader) -> Iterator[tuple[str, Any]]:
    """Walk the top-level object."""
    reader.take("{")
    if reader.peek() == "}":
        return
    while True:
        key = reader.value()
        if not isinstance(key, str):
            raise ValueError(f"expected a key, found {key!r:.40}")
        reader.take(":")
        if reader.peek() == "[":
            for element in _elements(reader):
                yield key, element
        else:
            reader.value()
        if reader.take(",}") == "}":
            return


def _elements(reader: _Reader) -> Iterator[Any]:
    """Walk one array."""
    reader.take("[")
    if reader.peek() == "]":
        reader.take("]")
        return
    while True:
        yield reader.value()
        if reader.take(",]") == "]":
            return
