"""Troubles of the machine in a user's words."""

import errno
import os
import sys
from types import SimpleNamespace

import pytest
import torch

from stages.command import stage
from stages.machine_errors import explain


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "no space left to write data/x: make room there"),
        (errno.EDQUOT, "no space left to write data/x: make room there"),
        (errno.EACCES, "no permission for data/x (Permission denied): change that"),
        (errno.EROFS, "no permission for data/x (Read-only file system): change that"),
        (errno.EIO, "data/x: Input/output error"),
        (
            errno.ENOTDIR,
            "data/x: a file is there, or above it, where a folder is needed; move it",
        ),
        (errno.EEXIST, "data/x: a file is there where a folder is needed; move it away"),
        (errno.EISDIR, "data/x: a folder is there where a file is needed; move it away"),
        (errno.ENAMETOOLONG, "data/x: File name too long"),
    ],
)
def test_disks(number: int, told: str) -> None:
    known = explain(OSError(number, os.strerror(number), "data/x"))
    assert str(known).startswith(told)
    assert "run the same command again; long stages resume" in str(known)


def test_memory_names_peak_and_params() -> None:
    gpu = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    cpu = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate")
    apple = RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB, max allowed: 9.07 GB)")
    for error in (gpu, cpu, apple, MemoryError()):
        told = str(explain(error))
        assert "out of memory after a peak of" in told
        assert " GB" in told
        assert "lower evaluate.batch_size" in told


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("train", "lower train.batch_size, train.crop, train.neck_width"),
        ("predict", "lower --window, --scales"),
    ],
)
def test_params_are_those_of_the_stage(
    stage: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = SimpleNamespace(__spec__=SimpleNamespace(name=f"stages.{stage}"))
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert told in str(explain(MemoryError()))


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x"), OSError("no number")])
def test_a_mistake_of_ours_stays_what_it_is(error: Exception) -> None:
    assert explain(error) is None


def test_a_real_allocation_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**52)
    assert "out of memory" in str(explain(failed.value))


def test_an_end_of_file_that_nobody_expected_is_not_hidden_as_an_abortion() -> None:
    def main() -> None:
        raise EOFError

    with pytest.raises(RuntimeError, match="ended too soon"):
        stage(main)()
