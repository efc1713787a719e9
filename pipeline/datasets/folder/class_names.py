"""The classes of a folder, and which of them each name and each index in its files stands for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.data.manifest import IGNORE, ClassList, make_classes
from pipeline.datasets.reading.image_names import clashing_names
from pipeline.datasets.reading.text_files import read_lines

BACKGROUND = "background"
LISTS = ("classes.txt", "labels.txt")  # the second is LabelMe's


def is_background(name: str) -> bool:
    """Whether a name is a spelling of background.

    >>> tuple(map(is_background, ("Background", "_background_", "leaf")))
    (True, True, False)
    """
    return name.strip("_ ").casefold() == BACKGROUND


def is_ignored(name: str) -> bool:
    """Whether a name means that its pixels are unknown, 255.

    >>> tuple(map(is_ignored, ("ignore", "__ignore__", "leaf")))
    (True, True, False)
    """
    return name.strip("_ ").casefold() == "ignore"


@dataclass(frozen=True)
class Labels:
    """The classes and what stands for them.

    Attributes:
        classes: background first.
        indices: class index, or 255, by the index in the user's masks: by the line of the list.
        place: the file or folder that names the classes, for messages.
    """

    classes: ClassList
    indices: tuple[int, ...]
    place: Path

    def find(self, name: str) -> int | None:
        """Class index of a name, 255 if it is ignored, None if it is no class."""
        if is_background(name):
            return 0
        if is_ignored(name):
            return IGNORE
        names = self.classes.names
        return names.index(name) if name in names else None

    @property
    def first(self) -> str | None:
        """The first class where that is not called background; it is taken for it."""
        name = self.classes.names[0]
        return None if is_background(name) else name

    @property
    def line_to_add(self) -> str:
        """What is wrong with a list that has no background, and the way out."""
        return (
            f"{self.place} begins with {self.first!r}, and the first class is the background: add "
            f"the line {BACKGROUND} above it"
        )


def find_list(root: Path) -> Path:
    """The list of classes in a folder: classes.txt, or labels.txt where only that exists."""
    return next((root / name for name in LISTS if (root / name).exists()), root / LISTS[0])


def read_list(path: Path) -> Labels:
    """The classes of a list, one name a line.

    A line's number is its class's index in masks, so background may be on any line. LabelMe's
    lists begin with `__ignore__`, which has no number.

    Raises:
        UserError: the file is missing, or the names cannot be classes.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: write one class name per line, background first")
    lines = read_lines(path)
    if lines and lines[0] == "__ignore__":
        lines = lines[1:]
    try:
        return make_labels(lines, path)
    except UserError as error:
        alone = len(lines) == 1 and not is_background(lines[0])
        more = f": add the line {BACKGROUND} above it" if alone else ""
        raise UserError(f"{path}: {error}{more}") from None


def make_labels(listed: Sequence[str], place: Path) -> Labels:
    """The classes of listed names; every spelling of background is class 0.

    Raises:
        UserError: as `make_classes`.
    """
    names = [name for name in listed if not (is_background(name) or is_ignored(name))]
    if any(map(is_background, listed)):
        names = [BACKGROUND, *names]
    classes = make_classes(names)
    places = {name: index for index, name in enumerate(names)}
    indices = [
        0 if is_background(name) else IGNORE if is_ignored(name) else places[name]
        for name in listed
    ]
    return Labels(classes, tuple(indices), place)


def labels_of_export(root: Path, names: Iterable[str]) -> Labels:
    """Background and the names in an export, where no list of classes is beside it.

    Raises:
        UserError: the names cannot be classes.
    """
    objects = [name for name in names if not (is_background(name) or is_ignored(name))]
    if not objects:
        raise UserError(f"{root}: nothing is annotated; draw some objects first")
    same = clashing_names(objects)
    if same:
        raise UserError(
            f"{root}: labels that differ only in case: {', '.join(same)}; merge them, or list "
            "both in classes.txt"
        )
    try:
        return make_labels([BACKGROUND, *objects], root)
    except UserError as error:
        raise UserError(
            f"{root}: the labels cannot be used as classes ({error}); rename them, or write "
            "classes.txt"
        ) from None


@cache
def near(name: str, known: tuple[str, ...]) -> str:
    """A question that suggests the known name closest to one that is unknown, or nothing.

    Names that differ only in their numbers are different on purpose.

    >>> near("fihs", ("fish", "boat")), near("photo 1", ("photo 2",))
    (' (did you mean fish?)', '')
    """
    by_case = {candidate.casefold(): candidate for candidate in known}
    wanted = name.casefold()
    for found in get_close_matches(wanted, by_case, n=1):
        if found == wanted or re.sub("[0-9]", "", found) != re.sub("[0-9]", "", wanted):
            return f" (did you mean {by_case[found]}?)"
    return ""
