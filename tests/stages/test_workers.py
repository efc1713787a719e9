"""A stage whose decoding workers fail ends soon, with one message and nothing half-written."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.settings import ROOT, SMALL, put, raw_values

ENV = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
ENDLESS = {"machine.workers": 2, "cam.optimiser.iterations": 1_000_000}

pytestmark = pytest.mark.slow


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A folder with a data set, and params for a training that would take days."""
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(put(put(raw_values(), SMALL), ENDLESS), file)
    command = [sys.executable, "-m", "stages.download"]
    subprocess.run(command, cwd=tmp_path, env=ENV, check=True, capture_output=True)
    return tmp_path


def begin(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stages.seeds"]
    return subprocess.Popen(
        command, cwd=folder, env=ENV, text=True, stderr=subprocess.PIPE, start_new_session=True
    )


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def end(process: subprocess.Popen[str]) -> None:
    """Leave nothing behind, whatever a test found."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The workers of a training, once it is into the steps."""
    deadline = time.monotonic() + 60
    while len(workers := children(process.pid)) < 2:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    return workers


def the_message(errors: str) -> str:
    """The one message among a progress bar."""
    assert "Traceback" not in errors
    (message,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    return message


@pytest.mark.skipif(not Path("/proc").exists(), reason="wants Linux's /proc")
def test_a_killed_worker(rendered: Path) -> None:
    process = begin(rendered)
    workers = workers_of(process)
    os.kill(workers[1], signal.SIGKILL)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    message = the_message(errors)
    assert "machine.workers: a process that decodes images was killed" in message
    assert "/dev/shm" in message
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert not (rendered / "data/seeds").exists()


@pytest.mark.skipif(not Path("/proc").exists(), reason="wants Linux's /proc")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_of_them_saves_and_leaves(rendered: Path, sent: signal.Signals) -> None:
    process = begin(rendered)
    workers = workers_of(process)
    os.killpg(process.pid, sent)
    try:
        _, errors = process.communicate(timeout=10)
    finally:
        end(process)
    assert process.returncode == 128 + sent
    assert the_message(errors).startswith(f"error: stopped by {sent.name}")
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert list((rendered / "data/checkpoints").glob("seeds-*/*.pt"))


def test_an_image_that_was_spoilt_after_the_manifest_was_made(rendered: Path) -> None:
    image = sorted((rendered / "data/dataset/images").iterdir())[3]
    image.write_bytes(image.read_bytes()[:100])
    _, errors = begin(rendered).communicate(timeout=60)
    message = the_message(errors)
    assert f"data/dataset/images/{image.name} cannot be read as an image" in message
    assert not (rendered / "data/seeds").exists()
