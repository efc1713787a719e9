"""Values in other people's files that cannot be used, in words that need no Python."""

import json
import re
from typing import Any


class OddValueError(ValueError):
    """A value that cannot be used; its text is for people."""


# What values of other types and sizes than expected raise.
ODD = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def reason(error: Exception) -> str:
    """What is wrong with a value, in a few words."""
    if isinstance(error, OddValueError):
        return str(error)
    return f"it lacks {error}" if isinstance(error, KeyError) else "a part of it has another form"


def json_reason(error: Exception) -> str:
    """Why JSON cannot be read, in a few words."""
    if isinstance(error, OddValueError):
        return str(error)
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, json.JSONDecodeError):
        return "it is damaged or cut off"
    return "it has a number of thousands of digits"


def whole(value: Any) -> int:
    """A whole number, also where it is written as text.

    >>> whole("12"), whole(12.0)
    (12, 12)

    Raises:
        OddValueError: it is none.
    """
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value.strip()):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise OddValueError(f"{value!r:.40} is not a whole number")
    return int(value)


def number(text: str) -> float:
    """A number that is written as text.

    Raises:
        OddValueError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise OddValueError(f"{text!r:.40} is not a number") from None
