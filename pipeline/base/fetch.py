"""Resumable downloads with mirrors and checksums."""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import requests
from requests import exceptions as flaws
from urllib3 import exceptions as raw_flaws

from pipeline.base.disk import need_room
from pipeline.base.errors import UserError
from pipeline.base.locks import locked
from pipeline.base.progress import track

CHUNK = 1 << 16  # bytes read at once, and at most lost with the connection
MIB = 1 << 20
TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two packets
PAUSES = (1.0, 4.0, 16.0)  # seconds to wait after each round of mirrors without progress
LONGEST_PAUSE = 60.0  # seconds, even if a server asks for more
PASSING = (408, 425, 429)  # statuses below 500 that are temporary
PAST_THE_END = 416


class _RefusedError(Exception):
    """This address will never give the file."""


class _BrokenError(Exception):
    """This attempt failed; the next, after `wait` seconds, may succeed."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def fetch(urls: Sequence[str], path: Path, digest: str, size: int | None = None) -> None:
    """Download one file, unless `path` is that file already.

    The bytes go to `<path>.part`, from which a later attempt or run resumes. The mirrors are tried
    in turn, with a pause after each round without progress; after the last pause the download
    fails. The file moves to `path` only when size and digest are right.

    Args:
        urls: addresses of the same file, the preferred one first.
        path: where to put the file; its folder is made.
        digest: algorithm and hexadecimal digits, such as "md5:82b4d8...". The digits may be only
            the first eight or more of the digest.
        size: bytes of the file, if known.

    Raises:
        UserError: no address gave the file, with the reason for each; or the disk is too full.
    """
    if is_whole(path, digest, size):
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder, but the download needs this name: move it away")
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path):
        if not is_whole(path, digest, size):  # another process may have downloaded it by now
            _fetch(urls, path, digest, size)


def is_whole(path: Path, digest: str, size: int | None = None) -> bool:
    """Whether `path` is a file with this digest and, if known, this size."""
    if not path.is_file() or size not in (None, path.stat().st_size):
        return False
    algorithm, _, digits = digest.partition(":")
    return file_digest(path, algorithm).startswith(digits)


def file_digest(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file, read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return digest.hexdigest()


def _fetch(urls: Sequence[str], path: Path, digest: str, size: int | None) -> None:
    """Ask the mirrors in turn until one gives the file."""
    part = path.with_name(f"{path.name}.part")
    reasons: dict[str, str] = {}
    open_urls, most, idle, wait = list(urls), _size(part), 0, 0.0
    while open_urls and idle <= len(PAUSES):
        if idle:
            time.sleep(max(PAUSES[idle - 1], wait))
        wait = 0.0
        for url in tuple(open_urls):
            try:
                _attempt(url, part, digest, size)
            except _RefusedError as error:
                reasons[url] = str(error)
                open_urls.remove(url)
            except _BrokenError as error:
                reasons[url], wait = str(error), max(wait, error.wait)
            else:
                os.replace(part, path)
                return
        grown = _size(part) > most
        most, idle = max(most, _size(part)), 0 if grown else idle + 1
    raise UserError(_failure(path, part, reasons))


def _attempt(url: str, part: Path, digest: str, size: int | None) -> None:
    """Get the rest of `part` from one address and check the file.

    Raises:
        _RefusedError: the address answers with an error, or with another file.
        _BrokenError: the connection was lost; `part` keeps what was received.
    """
    start = _size(part)
    try:
        answer = _ask(url, start)
        if start and answer.status_code == PAST_THE_END:
            answer.close()
            if is_whole(part, digest, size):
                return
            answer = _ask(url, 0)
        with answer:
            _check_answer(answer)
            _save(answer, part, start, size)
    except (requests.RequestException, raw_flaws.HTTPError) as error:
        raise _BrokenError(_explain(error)) from error
    if is_whole(part, digest, size):
        return
    algorithm, _, digits = digest.partition(":")
    found = file_digest(part, algorithm)[: len(digits)]
    part.unlink()
    if start:  # the part that was there before may be wrong
        _attempt(url, part, digest, size)
        return
    raise _RefusedError(f"sent another file: its {algorithm} is {found}, not {digits}")


def _ask(url: str, start: int) -> requests.Response:
    """Ask for the file from byte `start` on."""
    headers = {"Accept-Encoding": "identity"}  # with gzip, ranges would be meaningless
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except flaws.TooManyRedirects as error:
        raise _RefusedError("redirects in a circle") from error
    except ValueError as error:  # from `requests` itself and from its parsing of redirects
        raise _RefusedError("redirects to an invalid address") from error


def _check_answer(answer: requests.Response) -> None:
    """Raise for answers without the file: temporary ones and final ones."""
    status = answer.status_code
    if status in PASSING or status >= 500:
        wait = answer.headers.get("Retry-After", "")  # seconds, or a date, which is ignored
        seconds = min(float(wait), LONGEST_PAUSE) if wait.isdecimal() else 0.0
        raise _BrokenError(f"answered {status} {answer.reason}", seconds)
    if status not in (requests.codes.ok, requests.codes.partial_content):
        raise _RefusedError(f"answered {status} {answer.reason}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise _RefusedError("sent a web page instead of the file")


def _save(answer: requests.Response, part: Path, start: int, size: int | None) -> None:
    """Append to the `start` bytes of `part` what the body has beyond them."""
    begin, total = _span(answer, start)
    if size is not None and total not in (None, size):
        raise _RefusedError(f"has another file: {total} bytes, not {size}")
    total = size if total is None else total
    if total is not None:
        if start >= total and not begin:  # the part is of another file
            start = 0
        need_room(part.parent, total - _size(part), part.stem)
    with part.open("ab" if start else "wb") as file:
        body = _write(answer, file, start - begin, total)
        for _ in track(body, f"{part.stem} (MiB)", ((total or start) - start) // MIB):
            pass
    if total is not None and _size(part) != total:
        raise _BrokenError(f"the connection was lost after {_size(part)} of {total} bytes")


def _span(answer: requests.Response, start: int) -> tuple[int, int | None]:
    """Offset in the file at which the body begins, and the size of the file, if known.

    The offset is 0 from a server that ignores ranges.
    """
    if answer.status_code != requests.codes.partial_content:
        length = answer.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    match = re.match(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if match is None or not int(match[1]) <= start <= int(match[2]):
        raise _BrokenError("sent a range that was not asked for")
    return int(match[1]), None if match[3] == "*" else int(match[3])


def _write(
    answer: requests.Response, file: BinaryIO, skip: int, total: int | None
) -> Iterator[None]:
    """Write the body without its first `skip` bytes to `file`, yielding after each MiB.

    The bytes are not decoded: a server may call a .tgz the gzip encoding of a .tar.
    """
    since = 0
    for chunk in answer.raw.stream(CHUNK, decode_content=False):
        new, skip = chunk[skip:], max(0, skip - len(chunk))
        file.write(new)
        if total is not None and file.tell() > total:
            file.truncate(0)
            raise _RefusedError(f"sent more than the {total} bytes of the file")
        since += len(new)
        if since >= MIB:
            since -= MIB
            yield


def _size(path: Path) -> int:
    """Bytes in a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _explain(error: Exception) -> str:
    """A short reason in place of the nested text of `requests`."""
    reasons: dict[type[Exception], str] = {
        flaws.Timeout: "did not answer in time",
        raw_flaws.TimeoutError: "did not answer in time",
        raw_flaws.HTTPError: "the connection was lost",
        flaws.SSLError: "its certificate is not valid",
        flaws.ProxyError: "the proxy refused the connection",
        flaws.ConnectionError: "no connection",
    }
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), str(error))


def _failure(path: Path, part: Path, reasons: dict[str, str]) -> str:
    """The message when every address failed."""
    listed = "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
    kept = f"What was received is kept in {part}. " if _size(part) else ""
    return (
        f"{path.name} could not be downloaded: {listed}\n"
        f"{kept}Run the stage again to resume, or download the file by hand to {path}"
    )
