"""Classes that the masks a run rests on do not hold: a warning where there are any.

A row with a mask has its tags from it, so the manifest knows without a file being opened. It does
not know of the background, which is no tag.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pipeline.data.manifest import Manifest, Row

NAMED = 10  # classes a message names; a page names them all


@dataclass(frozen=True)
class Absent:
    """Object classes without a pixel, by name: in the strong masks, and in those of val."""

    strong: tuple[str, ...]
    val: tuple[str, ...]


def absent_classes(manifest: Manifest, strong: Collection[str]) -> Absent:
    """Look for the object classes that no mask of a kind holds.

    Args:
        manifest: the data set.
        strong: ids of the images that keep their masks.
    """
    names, chosen = manifest.classes.names, set(strong)

    def missing(rows: Iterable[Row]) -> tuple[str, ...]:
        held = {tag for row in rows for tag in row.known_tags}
        return tuple(name for index, name in enumerate(names) if index and index not in held)

    return Absent(
        missing(row for row in manifest.train() if row.id in chosen),
        missing(manifest.scored()),
    )


def absence_warnings(absent: Absent) -> list[str]:
    """Warnings about them, a line each; none where every class is everywhere.

    >>> absence_warnings(Absent(strong=(), val=("cat",)))
    ['no val mask holds cat: the mean leaves it out, or has an IoU of 0 where it is predicted']
    """
    warnings = []
    if absent.strong:
        warnings.append(
            f"no strong mask holds {some_of(absent.strong)}: it can be trained on proxies at most"
        )
    if absent.val:
        effect = "the mean leaves it out, or has an IoU of 0 where it is predicted"
        warnings.append(f"no val mask holds {some_of(absent.val)}: {effect}")
    return warnings


def some_of(names: Sequence[str]) -> str:
    """The first few of many names.

    >>> some_of(["cat", "dog"])
    'cat, dog'
    >>> some_of([str(number) for number in range(12)])
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more'
    """
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
