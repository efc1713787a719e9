"""What reading a data set found: problems, all reported in one go, warnings and conversions."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError

NAMED = 10  # cases of a problem that are listed; the rest is counted


class DataError(UserError):
    """All problems of a data set; `whole` lists every case, the message only some."""

    def __init__(self, message: str, whole: str) -> None:
        """Take both texts."""
        super().__init__(message)
        self.whole = whole


class Findings:
    """What was found, in the order in which it was found.

    Attributes:
        problems: what makes the data set unusable, each with its cases.
        warnings: what can be used but may be wrong, and what to do about it, each with its cases.
        converted: how often something was read otherwise than it stands in its file, by kind.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.problems: dict[str, list[str]] = {}
        self.warnings: dict[tuple[str, str], list[str]] = {}
        self.converted: Counter[str] = Counter()
        self.sentences: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there is any problem."""
        return bool(self.problems)

    def add(self, problem: str, cases: Iterable[object] | None = None) -> None:
        """Add cases of a problem, if there are any; without `cases`, it is a problem by itself."""
        texts = [str(case) for case in cases or ()]
        if texts or cases is None:
            self.problems.setdefault(problem, []).extend(texts)

    def say(self, problem: str, case: object) -> None:
        """Add one case that is a sentence, and is printed on its own line.

        Raises:
            StoppedError: that is the case; it is not a problem of the data set.
        """
        if isinstance(case, StoppedError):
            raise case
        self.sentences.add(problem)
        self.add(problem, [case])

    def warn(self, finding: str, cases: Iterable[object], fix: str) -> None:
        """Add cases of what may be wrong, if there are any, and what to do about it."""
        texts = [str(case) for case in cases]
        if texts:
            self.warnings.setdefault((finding, fix), []).extend(texts)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Add the UserError that a block raises as a problem, and continue after the block."""
        try:
            yield
        except StoppedError:
            raise
        except UserError as error:
            self.problems.setdefault(str(error), [])

    def refuse(self, place: Path) -> None:
        """Raise all problems as one error, if there are any.

        Args:
            place: where the data set lies.

        Raises:
            DataError: there are problems.
        """
        if self.problems:
            raise DataError(self._text(place, NAMED), self._text(place, None))

    def _text(self, place: Path, most: int | None) -> str:
        """All problems, with at most `most` cases of each."""
        texts = [self._entry(problem, cases, most) for problem, cases in self.problems.items()]
        if len(texts) == 1:
            return texts[0]
        listed = "\n".join(texts).replace("\n", "\n  ")
        return f"{place} cannot be used, for {len(texts)} reasons:\n  {listed}"

    def _entry(self, problem: str, cases: list[str], most: int | None) -> str:
        """One problem and its cases."""
        if problem in self.sentences and len(cases) == 1:
            return cases[0]
        if problem in self.sentences:
            listed = name_some(cases, "\n  ", most)
            return f"{len(cases)} {problem}:\n  {listed}"
        return f"{problem}: {name_some(cases, most=most)}" if cases else problem


def name_some(items: Iterable[object], joint: str = ", ", most: int | None = NAMED) -> str:
    """List the first ten items and count the rest.

    >>> name_some("abc")
    'a, b, c'
    >>> name_some(range(12))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more'
    """
    texts = [str(item) for item in items]
    if most is not None and len(texts) > most:
        texts[most:] = [f"and {len(texts) - most} more"]
    return joint.join(texts)
