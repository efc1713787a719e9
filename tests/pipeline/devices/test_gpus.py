"""Claims of GPUs, by name: no CUDA is needed for them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.devices import gpus

HOLD = "from pipeline.devices.gpus import claim_gpu; import os; claim_gpu(NUMBER); "
HOLD += "print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); input()"


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    for claim in gpus.held:
        claim.release()
    gpus.held.clear()


def start(number: int | None = None) -> subprocess.Popen[str]:
    """A process that claims a GPU, any or this one, and holds it until it is told to end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("NUMBER", str(number))], text=True, **pipes
    )


def test_processes_beside_each_other_get_different_gpus_and_the_third_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-5a")
    first, second = start(), start()
    seen = {process.stdout.readline().strip(): process for process in (first, second)}
    assert set(seen) == {"4", "GPU-5a"}
    third = start()
    assert third.stderr.readline() == "waiting for one of the GPUs 4, GPU-5a\n"
    seen["GPU-5a"].kill()  # however it ends
    assert third.stdout.readline().strip() == "GPU-5a"
    for process in (first, second, third):
        process.kill()
        process.communicate()


def test_who_wants_one_gpu_waits_for_it_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    first = start(1)
    assert first.stdout.readline() == "5\n"
    second, third = start(1), start()
    assert second.stderr.readline() == "waiting for GPU 5\n"
    assert third.stdout.readline() == "4\n"
    first.kill()
    assert second.stdout.readline() == "5\n"
    for process in (first, second, third):
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [None, 0])
@pytest.mark.parametrize("visible", ["", "3"])
def test_one_gpu_or_none_is_left_to_everybody(
    monkeypatch: pytest.MonkeyPatch, visible: str, number: int | None
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus.claim_gpu(number)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible
    assert gpus.held == []


def test_without_the_variable_all_gpus_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert gpus.visible_gpus() == ["0", "1", "2"]
