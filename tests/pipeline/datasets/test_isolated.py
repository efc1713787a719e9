"""A function in a process of its own: what it returns, raises, and what becomes of crashes."""

import os
import signal
from pathlib import Path

import pytest

from pipeline.datasets.isolated import CrashError, Isolated
from pipeline.errors import UserError


def act(word: str) -> tuple[str, int]:
    """Do as told; answer with the process's id."""
    if word == "refuse":
        raise UserError("refused")
    if word == "once" and not Path("seen").exists():
        Path("seen").touch()
        os.kill(os.getpid(), signal.SIGTERM)
    if word in signal.Signals.__members__:
        os.kill(os.getpid(), signal.Signals[word])
    return word, os.getpid()


def test_one_process_answers_until_it_crashes(workspace: Path) -> None:
    with Isolated(act) as call:
        first = call("a")
        assert first[1] != os.getpid()
        assert call("b") == ("b", first[1])
        with pytest.raises(UserError, match="refused"):
            call("refuse")
        assert call("c") == ("c", first[1])
        for name in ("SIGSEGV", "SIGABRT"):
            with pytest.raises(CrashError, match=name):
                call(name)
        after = call("d")
        assert after[0] == "d"
        assert after[1] != first[1]
    with pytest.raises(ProcessLookupError):
        os.kill(after[1], 0)
    assert list(workspace.iterdir()) == []  # no core file


def test_who_is_ended_from_outside_is_asked_again(workspace: Path) -> None:
    with Isolated(act) as call:
        assert call("once")[0] == "once"
        os.kill(call("a")[1], signal.SIGKILL)  # while it is idle
        assert call("b")[0] == "b"
        with pytest.raises(UserError, match=r"SIGKILL: .*ended twice \(SIGKILL\); memory ran out"):
            call("SIGKILL")
