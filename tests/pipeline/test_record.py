"""Records of a stage's run, and the progress lines."""

import json
from pathlib import Path

import pytest

from pipeline import progress
from pipeline.progress import clock, track
from pipeline.record import PACKAGES, write_record


def test_a_record_says_what_ran_where(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/stages/train.py", "dual", "0"])
    monkeypatch.setenv("DVC_EXP_NAME", "quick-look")
    write_record(workspace / "data" / "records" / "train.json", summary={"loss": 0.5})
    record = json.loads((workspace / "data" / "records" / "train.json").read_text())
    assert record["command"] == "train.py dual 0"  # no path of this machine
    assert record["experiment"] == "quick-look"
    assert record["summary"] == {"loss": 0.5}
    assert record["commit"] is None  # no repository here
    assert set(record["packages"]) == set(PACKAGES)
    assert record["seconds"] >= 0


def test_progress_passes_everything_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    assert list(track([1, 2, 3], "seeds: place")) == [1, 2, 3]
    assert list(track(iter("ab"), "letters", 2)) == ["a", "b"]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "seeds: place: 1/3, 0:00 left",
        "seeds: place: 2/3, 0:00 left",
        "letters: 1/2, 0:00 left",
    ]


def test_progress_is_silent_while_nothing_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(5), "fast")) == list(range(5))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (86400, "24:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
