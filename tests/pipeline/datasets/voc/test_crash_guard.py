"""A function in a process of its own: what it returns, raises, and what becomes of crashes."""

import os
import signal
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.datasets.voc.crash_guard import CrashError, crash_guard


def act(word: str) -> tuple[str, int]:
    """Do as told; answer with the process's id."""
    if word == "refuse":
        raise UserError("refused")
    if word == "once" and not Path("seen").exists():
        Path("seen").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if word in signal.Signals.__members__:
        os.kill(os.getpid(), signal.Signals[word])
    return word, os.getpid()


def test_one_process_answers_until_it_crashes(workspace: Path) -> None:
    with crash_guard(act) as call:
        first = call("a")
        assert first[1] != os.getpid()
        assert call("b") == ("b", first[1])
        with pytest.raises(UserError, match="refused"):
            call("refuse")
        assert call("c") == ("c", first[1])
        for name in ("SIGSEGV", "SIGABRT"):
            with pytest.raises(CrashError):
                call(name)
        after = call("d")
        assert after[0] == "d"
        assert after[1] != first[1]
    with pytest.raises(ProcessLookupError):
        os.kill(after[1], 0)
    assert list(workspace.iterdir()) == []  # no core file


def test_a_process_that_ended_once_is_started_again(workspace: Path) -> None:
    with crash_guard(act) as call:
        assert call("once")[0] == "once"
        os.kill(call("a")[1], signal.SIGKILL)  # while it is idle
        assert call("b")[0] == "b"


def test_ctrl_c_is_left_to_the_process_that_calls(workspace: Path) -> None:
    with crash_guard(act) as call:
        assert call("SIGINT") == ("SIGINT", call("a")[1])
