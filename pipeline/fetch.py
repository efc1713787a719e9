"""Downloads that survive bad lines: resumed, taken from mirrors, and checked before they count."""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import requests

from pipeline.errors import UserError
from pipeline.progress import track

CHUNK = 1 << 16  # bytes read at once, and at most lost where the line breaks
MIB = 1 << 20
TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two packets
PAUSES = (1.0, 4.0, 16.0)  # seconds to wait after each round of mirrors that brought nothing new
PASSING = (408, 425, 429)  # statuses below 500 that may pass; the others are for good


class _RefusedError(Exception):
    """This address will not give the file, however often it is asked."""


class _BrokenError(Exception):
    """This attempt failed; the next may not."""


def fetch(urls: Sequence[str], path: Path, md5: str, size: int | None = None) -> None:
    """Download one file, unless `path` already holds it whole.

    The bytes go to `<path>.part`, which a later attempt or a later run goes on from. The mirrors
    are tried in turn; after a round in which none brought anything new comes a pause, and after
    the last pause the end. The file moves to `path` only when its md5 is right.

    Args:
        urls: addresses of the same file, the preferred one first.
        path: where the file shall lie; its folder is made.
        md5: hexadecimal digest the file must have.
        size: bytes the file must have, where that is known.

    Raises:
        UserError: no address gave the file; the message has the reason for each.
    """
    if is_whole(path, md5):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    reasons: dict[str, str] = {}
    open_urls, most, idle = list(urls), _size(part), 0
    while open_urls and idle <= len(PAUSES):
        if idle:
            time.sleep(PAUSES[idle - 1])
        for url in tuple(open_urls):
            try:
                _attempt(url, part, md5, size)
            except _RefusedError as error:
                reasons[url] = str(error)
                open_urls.remove(url)
            except (requests.RequestException, _BrokenError) as error:
                reasons[url] = _explain(error)
            else:
                os.replace(part, path)
                return
        grown = _size(part) > most
        most, idle = max(most, _size(part)), 0 if grown else idle + 1
    raise UserError(_failure(path, part, reasons))


def is_whole(path: Path, md5: str) -> bool:
    """Whether `path` is a file with this md5."""
    return path.is_file() and file_md5(path) == md5


def file_md5(path: Path) -> str:
    """Hexadecimal md5 of a file, read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest()


def _attempt(url: str, part: Path, md5: str, size: int | None) -> None:
    """Get what `part` lacks from one address and check the whole.

    Raises:
        _RefusedError: the address answers with an error, or with another file.
        _BrokenError: the line broke; `part` keeps what came.
        requests.RequestException: likewise.
    """
    start = _size(part)
    headers = {"Accept-Encoding": "identity"}  # gzip on the way would make ranges meaningless
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        # Where nothing lies beyond `start`, the part is whole already, or it was of another file.
        if not start or answer.status_code != requests.codes.requested_range_not_satisfiable:
            _check_status(answer)
            _save(answer, part, start, size)
    found = file_md5(part)
    if found != md5:
        part.unlink()
        if start:
            raise _BrokenError("the resumed download did not fit together")
        raise _RefusedError(f"gave another file: its md5 is {found}, not {md5}")


def _check_status(answer: requests.Response) -> None:
    """Sort error statuses into those that may pass and those that are for good."""
    status = answer.status_code
    if status in PASSING or status >= 500:
        raise _BrokenError(f"answered {status} {answer.reason}")
    if status >= 400:
        raise _RefusedError(f"answered {status} {answer.reason}")


def _save(answer: requests.Response, part: Path, start: int, size: int | None) -> None:
    """Write the body to where in `part` it belongs."""
    begin = _body_begin(answer, start)
    length = answer.headers.get("Content-Length")
    total = None if length is None else begin + int(length)
    if None not in (total, size) and total != size:
        raise _RefusedError(f"offers another file: {total} bytes, not {size}")
    with part.open("r+b" if begin else "wb") as file:
        file.seek(begin)
        file.truncate()
        for _ in track(_write(answer, file), f"{part.stem} (MiB)", int(length or 0) // MIB):
            pass
    if total is not None and _size(part) != total:
        raise _BrokenError(f"broke off after {_size(part)} of {total} bytes")


def _write(answer: requests.Response, file: BinaryIO) -> Iterator[None]:
    """Write the body to `file`, yielding after each MiB."""
    since = 0
    for chunk in answer.iter_content(CHUNK):
        file.write(chunk)
        since += len(chunk)
        if since >= MIB:
            since -= MIB
            yield


def _body_begin(answer: requests.Response, start: int) -> int:
    """Offset in the file at which the body begins: 0 from a server that ignores ranges."""
    if answer.status_code != requests.codes.partial_content:
        return 0
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if match is None or int(match[1]) > start:
        raise _BrokenError("answered with a range that was not asked for")
    return int(match[1])


def _size(path: Path) -> int:
    """Bytes in a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _explain(error: Exception) -> str:
    """A short reason in place of the nested text of `requests`."""
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)


def _failure(path: Path, part: Path, reasons: dict[str, str]) -> str:
    """The message when every address failed."""
    lines = [f"{path.name} could not be downloaded:"]
    lines += [f"  {url}: {reason}" for url, reason in reasons.items()]
    if _size(part):
        lines.append(f"What came is kept in {part}; the next run goes on from there.")
    lines.append(f"Run the stage again, or download the file by hand to {path}")
    return "\n".join(lines)
