"""Signals: at once, at the end of a step, or when a step takes too long."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.base import stopping
from pipeline.base.stopping import StoppedError, asked, held, listening
from tests.settings import ROOT


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    assert before == {number: signal.getsignal(number) for number in before}


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_outside_a_loop_a_signal_ends_the_stage_at_once(number: int, code: int) -> None:
    with pytest.raises(StoppedError) as stopped, listening():
        send(number)
        pytest.fail("not reached")
    assert stopped.value.exit_code == code


def test_inside_it_waits_for_the_end_of_a_step() -> None:
    with listening(), held():
        assert not asked()
        send(signal.SIGTERM)
        assert asked()


def test_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "GRACE", 0.2)
    started = time.monotonic()
    with pytest.raises(StoppedError, match="SIGTERM"), listening(), held():
        send(signal.SIGTERM)
        time.sleep(5)
    assert time.monotonic() - started < 2


def test_a_second_signal_grants_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC's end sends one of its own."""
    monkeypatch.setattr(stopping, "GRACE", 0.6)
    started = time.monotonic()
    with pytest.raises(StoppedError, match="SIGTERM"), listening(), held():
        send(signal.SIGTERM)
        time.sleep(0.4)
        send(signal.SIGTERM)
        time.sleep(5)
    assert time.monotonic() - started < 0.9


def test_a_second_ctrl_c_leaves_at_once() -> None:
    with pytest.raises(StoppedError), listening(), held():
        send(signal.SIGINT)
        send(signal.SIGINT)
        pytest.fail("not reached")


def test_a_second_run_begins_anew() -> None:
    with listening(), held():
        send(signal.SIGTERM)
    with listening(), held():
        assert not asked()


@pytest.mark.skipif(not Path("/proc").exists(), reason="prctl is Linux's")
def test_under_dvc_a_stage_stops_when_dvc_is_killed(tmp_path: Path) -> None:
    stage = (
        "import time\nfrom pathlib import Path\nfrom pipeline.base.stopping import *\n"
        "with listening(), held():\n"
        "    Path('up').touch()\n"
        "    while not asked(): time.sleep(0.01)\n"
        "    Path('saved').touch()\n"
    )
    dvc = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {stage!r}])"
    env = {**os.environ, "DVC_STAGE": "train", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", dvc], cwd=tmp_path, env=env)
    until(tmp_path / "up")
    process.kill()
    process.wait()
    until(tmp_path / "saved")


def until(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
