"""Problems of a data set, collected so that one run of stage download reports all of them."""

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


class Problems:
    """Problems of a data set, each with its cases in the order in which they were found."""

    def __init__(self) -> None:
        """Start with none."""
        self.found: dict[str, list[str]] = {}
        self.sentences: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.found)

    def add(self, problem: str, cases: Iterable[object]) -> None:
        """Add cases of a problem, if there are any."""
        texts = [str(case) for case in cases]
        if texts:
            self.found.setdefault(problem, []).extend(texts)

    def say(self, problem: str, case: object) -> None:
        """Add one case that is a sentence, and is printed on its own line.

        Raises:
            StoppedError: that is the case; it is not a problem of the data set.
        """
        if isinstance(case, StoppedError):
            raise case
        self.sentences.add(problem)
        self.add(problem, [case])

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Add the UserError that a block raises as a problem, and continue after the block."""
        try:
            yield
        except StoppedError:
            raise
        except UserError as error:
            self.found.setdefault(str(error), [])

    def refuse(self, place: Path) -> None:
        """Raise all problems as one error, if there are any.

        Args:
            place: where the data set lies.

        Raises:
            DataError: there are problems.
        """
        if self.found:
            raise DataError(self._text(place, NAMED), self._text(place, None))

    def _text(self, place: Path, most: int | None) -> str:
        """All problems, with at most `most` cases of each."""
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
