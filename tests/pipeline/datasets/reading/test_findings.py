"""Problems are gathered, told together, and listed in full where a message cannot."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError
from pipeline.datasets.reading.findings import DataError, Findings, name_some

HERE = Path("here")


def told(findings: Findings) -> DataError:
    with pytest.raises(DataError) as caught:
        findings.refuse(HERE)
    return caught.value


def test_none() -> None:
    findings = Findings()
    findings.add("tags are unknown", [])
    with findings.gathered():
        pass
    assert not findings
    findings.refuse(HERE)


def test_one_is_told_as_it_is() -> None:
    findings = Findings()
    findings.say("images cannot be used", "a.jpg is none")
    assert str(told(findings)) == "a.jpg is none"
    findings.say("images cannot be used", "b.jpg is none")
    assert str(told(findings)) == "2 images cannot be used:\n  a.jpg is none\n  b.jpg is none"


def test_several_stand_below_each_other() -> None:
    findings = Findings()
    with findings.gathered():
        raise UserError("no classes")
    findings.add("unknown", ["x", "y"])
    findings.say("images cannot be used", "a.jpg is none")
    assert str(told(findings)) == (
        "here cannot be used, for 3 reasons:\n  no classes\n  unknown: x, y\n  a.jpg is none"
    )


def test_other_errors_are_not_gathered() -> None:
    with pytest.raises(KeyError), Findings().gathered():
        raise KeyError("a mistake of ours")


def test_all_cases_are_in_the_whole() -> None:
    findings = Findings()
    findings.add("unknown", range(12))
    assert str(told(findings)).endswith("8, 9, and 2 more")
    assert told(findings).whole.endswith("8, 9, 10, 11")


def test_a_stop_is_no_problem_of_the_data_set() -> None:
    findings = Findings()
    with pytest.raises(StoppedError), findings.gathered():
        raise StoppedError(15)
    with pytest.raises(StoppedError):
        findings.say("images cannot be used", StoppedError(15))
    assert not findings


def test_only_some_are_named() -> None:
    assert name_some(["a", "b"], joint=" / ") == "a / b"
    assert name_some(range(11)).endswith("9, and 1 more")
