"""What is wrong with a data set, gathered so that one run of stage download tells it all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from pipeline.stopping import StoppedError

NAMED = 10  # so many cases of a problem are named, the rest is counted


class DataError(UserError):
    """Everything that is wrong with a data set; `whole` names every case, the message some."""

    def __init__(self, message: str, whole: str) -> None:
        """Take both texts."""
        super().__init__(message)
        self.whole = whole


class Problems:
    """Problems by what they are, each with its cases in the order of their finding."""

    def __init__(self) -> None:
        """Start with none."""
        self.found: dict[str, list[str]] = {}
        self.sentences: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.found)

    def add(self, problem: str, cases: Iterable[object]) -> None:
        """Add the names of what has a problem; none adds nothing."""
        texts = [str(case) for case in cases]
        if texts:
            self.found.setdefault(problem, []).extend(texts)

    def say(self, problem: str, case: object) -> None:
        """Add one case that is a sentence of its own, and stands on a line of its own.

        Raises:
            StoppedError: that is the case: no fault of the data set's.
        """
        if isinstance(case, StoppedError):
            raise case
        self.sentences.add(problem)
        self.add(problem, [case])

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep what a block raises for later; what it would have given stays as it was."""
        try:
            yield
        except StoppedError:
            raise
        except UserError as error:
            self.found.setdefault(str(error), [])

    def refuse(self, place: Path) -> None:
        """Raise where there is a problem.

        Args:
            place: where the data set lies.

        Raises:
            DataError: with all problems of `place`.
        """
        if self.found:
            raise DataError(self._text(place, NAMED), self._text(place, None))

    def _text(self, place: Path, most: int | None) -> str:
        """All problems, with at most so many cases of each."""
        texts = [self._entry(problem, cases, most) for problem, cases in self.found.items()]
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
    """Name the first ten things and count the rest.

    >>> name_some("abc")
    'a, b, c'
    >>> name_some(range(12))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more'
    """
    texts = [str(item) for item in items]
    if most is not None and len(texts) > most:
        texts[most:] = [f"and {len(texts) - most} more"]
    return joint.join(texts)
