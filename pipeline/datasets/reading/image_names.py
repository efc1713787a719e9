"""Names of images, which are the names of many files, so any file system must allow them."""

import unicodedata
from collections import Counter
from collections.abc import Iterable

from pipeline.data.manifest import is_unprinted
from pipeline.datasets.reading.findings import Findings

# File systems allow 255 bytes. Stages write `<id>.png`, and temporarily `.<id>.png.part`.
NAME_BYTES = 240


def check_names(names: Iterable[str], place: object, findings: Findings) -> None:
    """Find ids that cannot be file names or lines of a list.

    Args:
        names: ids of images.
        place: the folder or file they come from, for the messages.
        findings: gets what is found.
    """
    counts = Counter(iter(names))
    names = list(counts)
    findings.add(f"{place} has names twice", [name for name in names if counts[name] > 1])
    findings.add(
        f"{place} has names that contain a path",
        [ascii(name) for name in names if not is_plain_name(name)],
    )
    findings.add(
        f"{place} has names with a line end or another control character, or that are not UTF-8; "
        "rename",
        [ascii(name) for name in names if any(map(is_unprinted, name)) and is_plain_name(name)],
    )
    findings.add(
        f"{place} has names that begin or end with a space, which lists cannot hold; rename",
        [
            ascii(name)
            for name in names
            if name != name.strip() and not any(map(is_unprinted, name))
        ],
    )
    findings.add(
        f"{place} has names longer than {NAME_BYTES} bytes, too long for the suffixes that "
        "stages add; rename",
        [
            f"{name[:40]}..."
            for name in names
            if len(name.encode(errors="surrogatepass")) > NAME_BYTES
        ],
    )
    findings.add(
        f"{place} has names that differ only in case or in their Unicode form, which some file "
        "systems treat as the same; rename",
        [ascii(name) for name in clashing_names(names)],
    )


def is_plain_name(name: str) -> bool:
    """Whether a name is that of a file, without any part of a path.

    >>> is_plain_name("a b"), is_plain_name("../a"), is_plain_name("")
    (True, False, False)
    """
    return name not in ("", ".", "..") and not any(mark in name for mark in "/\\\0")


def clashing_names(names: Iterable[str]) -> list[str]:
    """Names that differ only in case or Unicode form, which some file systems ignore.

    >>> clashing_names(["a", "B", "b"])
    ['B', 'b']
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(nfc(nfc(name).casefold()), []).append(name)
    return [name for group in groups.values() if len(group) > 1 for name in group]


def nfc(name: str) -> str:
    """A name in Unicode form NFC, in which names are compared; macOS writes NFD."""
    return unicodedata.normalize("NFC", name)
