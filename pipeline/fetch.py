"""Downloads that survive bad lines: resumed, taken from mirrors, and checked before they count."""

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

from pipeline.disk import alone, need_room
from pipeline.errors import UserError
from pipeline.progress import track

CHUNK = 1 << 16  # bytes read at once, and at most lost where the line breaks
MIB = 1 << 20
TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two packets
PAUSES = (1.0, 4.0, 16.0)  # seconds to wait after each round of mirrors that brought nothing new
LONGEST_PAUSE = 60.0  # seconds, however much longer a server asks us to wait
PASSING = (408, 425, 429)  # statuses below 500 that may pass; the others are for good
PAST_THE_END = 416


class _RefusedError(Exception):
    """This address will not give the file, however often it is asked."""


class _BrokenError(Exception):
    """This attempt failed; the next may not, after `wait` seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def fetch(urls: Sequence[str], path: Path, digest: str, size: int | None = None) -> None:
    """Download one file, unless `path` already holds it whole.

    The bytes go to `<path>.part`, which a later attempt or a later run goes on from. The mirrors
    are tried in turn; after a round in which none brought anything new comes a pause, and after
    the last pause the end. The file moves to `path` only when size and digest are right.

    Args:
        urls: addresses of the same file, the preferred one first.
        path: where the file shall lie; its folder is made.
        digest: algorithm and hexadecimal digits, such as "md5:82b4d8...". The digits may be only
            the first eight or more of the digest.
        size: bytes the file must have, where that is known.

    Raises:
        UserError: no address gave the file, and the message has the reason for each; or the disk
            has no room for it.
    """
    if is_whole(path, digest, size):
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder, but a download of that name belongs there; move it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        if not is_whole(path, digest, size):  # another process may have brought it by now
            _fetch(urls, path, digest, size)


def is_whole(path: Path, digest: str, size: int | None = None) -> bool:
    """Whether `path` is a file of this size, where that is known, with this digest."""
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
    """Ask the mirrors in turn until one brings the file."""
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
    """Get what `part` lacks from one address and check the whole.

    Raises:
        _RefusedError: the address answers with an error, or with another file.
        _BrokenError: the line broke; `part` keeps what came.
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
    if start:  # what lay there already may be what was wrong
        _attempt(url, part, digest, size)
        return
    raise _RefusedError(f"gave another file: its {algorithm} is {found}, not {digits}")


def _ask(url: str, start: int) -> requests.Response:
    """Ask for the file from byte `start` on."""
    headers = {"Accept-Encoding": "identity"}  # gzip on the way would make ranges meaningless
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except flaws.TooManyRedirects as error:
        raise _RefusedError("redirects in a circle") from error
    except ValueError as error:  # some of `requests`' own, some from where it parses redirects
        raise _RefusedError("leads to no address that can be asked") from error


def _check_answer(answer: requests.Response) -> None:
    """Sort answers into those with a file, those that may pass and those that are for good."""
    status = answer.status_code
    if status in PASSING or status >= 500:
        wait = answer.headers.get("Retry-After", "")  # or a date, for which we do not wait
        seconds = min(float(wait), LONGEST_PAUSE) if wait.isdecimal() else 0.0
        raise _BrokenError(f"answered {status} {answer.reason}", seconds)
    if status not in (requests.codes.ok, requests.codes.partial_content):
        raise _RefusedError(f"answered {status} {answer.reason}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise _RefusedError("gave a web page in place of the file")


def _save(answer: requests.Response, part: Path, start: int, size: int | None) -> None:
    """Add to the `start` bytes of `part` what of the body lies beyond them."""
    begin, total = _span(answer, start)
    if size is not None and total not in (None, size):
        raise _RefusedError(f"offers another file: {total} bytes, not {size}")
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
        raise _BrokenError(f"broke off after {_size(part)} of {total} bytes")


def _span(answer: requests.Response, start: int) -> tuple[int, int | None]:
    """Offset in the file at which the body begins, and the bytes of the whole file, if told.

    The offset is 0 from a server that ignores ranges.
    """
    if answer.status_code != requests.codes.partial_content:
        length = answer.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    match = re.match(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if match is None or not int(match[1]) <= start <= int(match[2]):
        raise _BrokenError("answered with a range that was not asked for")
    return int(match[1]), None if match[3] == "*" else int(match[3])


def _write(
    answer: requests.Response, file: BinaryIO, skip: int, total: int | None
) -> Iterator[None]:
    """Write the body without its first `skip` bytes to `file`, yielding after each MiB.

    The bytes are taken as they come: a server may call a .tgz the gzip encoding of a .tar, but it
    is the .tgz that was asked for.
    """
    since = 0
    for chunk in answer.raw.stream(CHUNK, decode_content=False):
        new, skip = chunk[skip:], max(0, skip - len(chunk))
        file.write(new)
        if total is not None and file.tell() > total:
            file.truncate(0)
            raise _RefusedError(f"gave more than the {total} bytes of the file")
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
        raw_flaws.HTTPError: "the connection broke off",
        flaws.SSLError: "its certificate is not valid here",
        flaws.ProxyError: "the proxy gave no connection",
        flaws.ConnectionError: "no connection",
    }
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), str(error))


def _failure(path: Path, part: Path, reasons: dict[str, str]) -> str:
    """The message when every address failed."""
    listed = "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
    kept = f"What came is kept in {part}. " if _size(part) else ""
    return (
        f"{path.name} could not be downloaded: {listed}\n"
        f"{kept}Run the stage again to go on, or download the file by hand to {path}"
    )
