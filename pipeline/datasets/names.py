"""Names of images: all that goes with an image is a file of its name, on any file system."""

import unicodedata
from collections import Counter
from collections.abc import Iterable

from pipeline.datasets.problems import Problems
from pipeline.manifest import is_unprinted

# File systems allow 255 bytes. Stages write `<id>.png`, and for a while `.<id>.png.part`.
NAME_BYTES = 240


def check_names(names: Iterable[str], place: object, problems: Problems) -> None:
    """Find ids that cannot be file names and lines of a list.

    Args:
        names: ids of images.
        place: the folder or file they come from, for the messages.
        problems: gets what is found.
    """
    counts = Counter(iter(names))
    names = list(counts)
    problems.add(f"{place} has names twice", [name for name in names if counts[name] > 1])
    problems.add(f"{place} has names that lead to another folder", map(ascii, filter(leads, names)))
    problems.add(
        f"{place} has names with a line end or another control character, or that are no UTF-8; "
        "rename",
        [ascii(name) for name in names if any(map(is_unprinted, name)) and not leads(name)],
    )
    problems.add(
        f"{place} has names that begin or end with a blank, which lists cannot hold; rename",
        [
            ascii(name)
            for name in names
            if name != name.strip() and not any(map(is_unprinted, name))
        ],
    )
    problems.add(
        f"{place} has names longer than {NAME_BYTES} bytes, too long for what stages add to them; "
        "rename",
        [
            f"{name[:40]}..."
            for name in names
            if len(name.encode(errors="surrogatepass")) > NAME_BYTES
        ],
    )
    problems.add(
        f"{place} has names that differ only in case or in their Unicode form, which some file "
        "systems take for one; rename",
        [ascii(name) for name in twins(names)],
    )


def leads(name: str) -> bool:
    """Whether a name is no plain file name, or hides what a path is made of.

    >>> leads("../a"), leads("a b"), leads("")
    (True, False, True)
    """
    return name in ("", ".", "..") or any(mark in name for mark in "/\\\0")


def twins(names: Iterable[str]) -> list[str]:
    """Names that a file system blind to case or to composed characters could take for another.

    >>> twins(["a", "B", "b"])
    ['B', 'b']
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(composed(composed(name).casefold()), []).append(name)
    return [name for group in groups.values() if len(group) > 1 for name in group]


def composed(name: str) -> str:
    """A name in the one form in which names are compared (NFC); macOS writes another."""
    return unicodedata.normalize("NFC", name)
