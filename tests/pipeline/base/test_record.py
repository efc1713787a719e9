"""Records of a stage's run, and the progress lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.base import progress, record
from pipeline.base.progress import duration, track
from pipeline.base.record import PACKAGES, PROJECT, peak_memory_mb, read_record, write_record


def test_a_record_says_what_ran_where(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/stages/train.py", "dual", "0"])
    monkeypatch.setenv("DVC_EXP_NAME", "quick-look")
    Path("made").write_text("network")
    write_record(workspace / "data" / "records" / "train.json", Path("made"), summary={"loss": 0.5})
    written = json.loads((workspace / "data" / "records" / "train.json").read_text())
    assert written["command"] == "train.py dual 0"  # no path of this machine
    assert written["experiment"] == "quick-look"
    assert written["summary"] == {"loss": 0.5}
    assert written["commit"] is None  # no repository here
    assert set(written["packages"]) == {PROJECT, *PACKAGES}
    assert written["packages"][PROJECT] == __version__
    assert "numba" in written["packages"]
    assert written["seconds"] >= 0
    assert written["peak_memory_mb"] > 0


def test_a_record_is_of_one_file_alone(workspace: Path) -> None:
    """DVC may bring another in its place, and brings no record."""
    assert read_record(Path("record.json")) == {}
    Path("made").write_text("one")
    write_record(Path("record.json"), Path("made"), commit="abc")
    assert read_record(Path("record.json"))["commit"] == "abc"
    Path("made").write_text("another")
    assert read_record(Path("record.json")) == {}
    Path("made").unlink()
    assert read_record(Path("record.json")) == {}
    Path("record.json").write_text('{"commit": "of a version that did not say what it made"}')
    assert read_record(Path("record.json")) == {}


def test_the_peak_is_the_stages_own_and_not_that_of_dvc_which_started_it() -> None:
    large = b"1" * 300 * 2**20  # held here while the child starts
    code = "from pipeline.base.record import peak_memory_mb; print(peak_memory_mb())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert len(large) > 0
    assert 5 < int(done.stdout) < 150


def test_a_peak_grows_with_what_is_held() -> None:
    before = peak_memory_mb()
    held = b"1" * (before + 64) * 2**20
    assert peak_memory_mb() >= before + 32
    del held
    assert peak_memory_mb() >= before + 32


@pytest.mark.parametrize("text", [None, "VmSize: 3 kB\n"])
def test_without_proc_the_peak_is_that_of_getrusage(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        Path("status").write_text(text)
    monkeypatch.setattr(record, "STATUS", Path("status"))
    peak = peak_memory_mb()
    assert peak > 5
    monkeypatch.setattr("sys.platform", "darwin")  # its getrusage counts bytes
    assert peak_memory_mb() == pytest.approx(peak / 1024, abs=2)


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
    assert duration(seconds) == text
