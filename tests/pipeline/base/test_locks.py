"""Locks between processes: turns are taken, and whoever waits says so."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.base.locks import locked
from tests.child import child

HOLD = """
    import sys, time
    from pathlib import Path
    from pipeline.base.locks import locked
    path = Path(sys.argv[1])
    with locked(path):
        count = int(path.read_text() or 0)
        time.sleep(0.05)
        path.write_text(str(count + 1))
"""


def test_processes_take_turns(tmp_path: Path) -> None:
    """Reading, waiting and writing back loses counts where two do it at once."""
    path = tmp_path / "count"
    path.write_text("")
    runs = [child(HOLD, path) for _ in range(8)]
    assert [run.wait() for run in runs] == [0] * 8
    assert path.read_text() == "8"
    assert list(tmp_path.iterdir()) == [path]


def test_lock_file_of_a_killed_process_is_free(tmp_path: Path) -> None:
    (tmp_path / ".a.lock").write_text("")  # as a process leaves it that was killed
    with locked(tmp_path / "a"):
        assert (tmp_path / ".a.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


HOLD_LONG = """
    import sys, time
    from pathlib import Path
    from pipeline.base.locks import locked
    with locked(Path(sys.argv[1])):
        print("locked", file=sys.stderr, flush=True)
        time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds `a` until it is killed."""
    process = child(HOLD_LONG, tmp_path / "a")
    assert process.stderr is not None
    assert process.stderr.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_who_waits_says_for_what_and_gives_up(
    tmp_path: Path, holder: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    message = rf"another process is using {tmp_path / 'a'}: wait for it or stop it"
    with pytest.raises(UserError, match=message), locked(tmp_path / "a", 0.1):
        pytest.fail("not reached")
    assert capsys.readouterr().err == f"waiting for another process that is using {tmp_path}/a\n"
    assert (tmp_path / ".a.lock").exists()  # it is the other's
    os.kill(holder.pid, signal.SIGKILL)
    with locked(tmp_path / "a", 10.0):
        pass
    assert list(tmp_path.iterdir()) == []
