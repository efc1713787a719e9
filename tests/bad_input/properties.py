"""What the tests of properties share."""

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import settings
from hypothesis import strategies as st

from pipeline.base.errors import UserError

# The same examples each time: a test that fails by chance teaches to run it again.
few = settings(max_examples=25, deadline=None, derandomize=True, database=None)
many = settings(max_examples=80, deadline=None, derandomize=True, database=None)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@contextmanager
def may_refuse(word: str) -> Iterator[list[UserError]]:
    """Let a block refuse its input, if it says `word`; the list is not empty then."""
    refused: list[UserError] = []
    try:
        yield refused
    except UserError as error:
        if word not in str(error):
            raise AssertionError(f"refused without naming {word}") from error
        refused.append(error)
