"""Small text files of a data set: lines, lists of ids, tables."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.datasets.reading.findings import name_some


def read_lines(path: Path) -> list[str]:
    """Lines of a small text file, stripped; empty lines at the end are dropped.

    Raises:
        UserError: the file is missing or is not UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors write a byte order mark
    except FileNotFoundError:
        raise UserError(f"{path} is not there") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    return [line.strip() for line in text.rstrip().splitlines()]


def read_ids(path: Path) -> list[str]:
    """Image ids from a list file, one per line, in its order.

    Raises:
        UserError: the file is missing, or lists an id twice.
    """
    ids = [line for line in read_lines(path) if line]
    doubles = [name for name, count in Counter(ids).items() if count > 1]
    if doubles:
        raise UserError(f"{path} lists ids more than once: {name_some(doubles)}")
    return ids


def read_table(path: Path, header: Sequence[str]) -> list[dict[str | None, str]]:
    """The rows of a small CSV file; cells beyond its columns are under the key None.

    Raises:
        UserError: the file is missing, is not CSV, or has another header.
    """
    reader = csv.DictReader(io.StringIO("\n".join(read_lines(path))))
    try:
        if list(reader.fieldnames or []) != list(header):
            raise UserError(
                f"{path} must have the header {','.join(header)} and commas between its columns"
            )
        return list(reader)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}, is not valid CSV ({error})") from None
