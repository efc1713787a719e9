"""The fuzzer starts from files that are read, and tells findings from refusals."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from tests.torture.fuzz import TARGETS, read_or_refuse

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_good(target: str, tmp_path: Path) -> None:
    read, seeds = TARGETS[target](tmp_path)
    assert seeds
    for data in seeds:
        read(data)


@pytest.mark.parametrize("target", TARGETS)
def test_noise_is_refused(target: str, tmp_path: Path) -> None:
    read, _ = TARGETS[target](tmp_path)
    if target != "image":  # it compares refusals instead
        with pytest.raises(UserError):
            read(b"\xff\x00 noise")
    read_or_refuse(read, b"\xff\x00 noise", UserError)


def test_anything_but_a_refusal_is_a_finding() -> None:
    def fails(data: bytes) -> None:
        raise KeyError(data)

    def refuses_without_a_word(data: bytes) -> None:
        raise UserError

    with pytest.raises(KeyError):
        read_or_refuse(fails, b"", UserError)
    with pytest.raises(AssertionError):
        read_or_refuse(refuses_without_a_word, b"", UserError)
