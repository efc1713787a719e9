"""Problems are gathered, told together, and listed in full where a message cannot."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError
from pipeline.datasets.reading.problems import DataError, Problems, name_some

HERE = Path("here")


def told(problems: Problems) -> DataError:
    with pytest.raises(DataError) as caught:
        problems.refuse(HERE)
    return caught.value


def test_none() -> None:
    problems = Problems()
    problems.add("tags are unknown", [])
    with problems.gathered():
        pass
    assert not problems
    problems.refuse(HERE)


def test_one_is_told_as_it_is() -> None:
    problems = Problems()
    problems.say("images cannot be used", "a.jpg is none")
    assert str(told(problems)) == "a.jpg is none"
    problems.say("images cannot be used", "b.jpg is none")
    assert str(told(problems)) == "2 images cannot be used:\n  a.jpg is none\n  b.jpg is none"


def test_several_stand_below_each_other() -> None:
    problems = Problems()
    with problems.gathered():
        raise UserError("no classes")
    problems.add("unknown", ["x", "y"])
    problems.say("images cannot be used", "a.jpg is none")
    assert str(told(problems)) == (
        "here cannot be used, for 3 reasons:\n  no classes\n  unknown: x, y\n  a.jpg is none"
    )


def test_other_errors_are_not_gathered() -> None:
    with pytest.raises(KeyError), Problems().gathered():
        raise KeyError("a mistake of ours")


def test_all_cases_are_in_the_whole() -> None:
    problems = Problems()
    problems.add("unknown", range(12))
    assert str(told(problems)).endswith("8, 9, and 2 more")
    assert told(problems).whole.endswith("8, 9, 10, 11")


def test_a_stop_is_no_problem_of_the_data_set() -> None:
    problems = Problems()
    with pytest.raises(StoppedError), problems.gathered():
        raise StoppedError(15)
    with pytest.raises(StoppedError):
        problems.say("images cannot be used", StoppedError(15))
    assert not problems


def test_only_some_are_named() -> None:
    assert name_some(["a", "b"], joint=" / ") == "a / b"
    assert name_some(range(11)).endswith("9, and 1 more")
