"""The device that is asked for: which one it becomes, and what is said where it is not there.

GPUs are pretended: their number is what torch is made to say. None is needed, and none is tried.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.base.errors import UserError
from pipeline.devices import gpus
from pipeline.devices.choice import devices_here, named_device, take_device
from pipeline.devices.device import device_name, layout, pick_device, use_deterministic, without_mps
from pipeline.devices.distributed import world
from pipeline.devices.gpus import VISIBLE

Machine = Callable[..., None]
MPS = torch.device("mps")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, as_before: None) -> Machine:
    """A function that has torch see so many GPUs, and Apple's or none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # locks of its own

    def pretend(count: int = 0, *, mps: bool = False, visible: str | None = None) -> None:
        if visible is not None:
            monkeypatch.setenv(VISIBLE, visible)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(
            torch.cuda, "is_available", lambda: count > 0 and os.environ.get(VISIBLE) != ""
        )
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("asked", "count", "mps", "kind", "visible"),
    [
        ("auto", 0, False, "cpu", None),
        ("auto", 0, True, "cpu", None),  # Apple's GPU must be asked for
        ("auto", 1, False, "cuda", None),
        ("auto", 2, False, "cuda", "0"),
        ("cpu", 0, True, "cpu", ""),
        ("cpu", 2, False, "cpu", ""),
        ("cuda", 1, False, "cuda", None),
        ("cuda", 2, False, "cuda", "0"),
        ("cuda:0", 1, False, "cuda", None),
        ("cuda:1", 2, False, "cuda", "1"),
        ("mps", 0, True, "mps", None),
    ],
)
def test_what_it_becomes(
    machine: Machine, asked: str, count: int, mps: bool, kind: str, visible: str | None
) -> None:
    machine(count, mps=mps)
    take_device(asked)
    assert pick_device() == torch.device(kind)
    assert os.environ.get(VISIBLE) == visible


def test_a_later_choice_replaces_an_earlier_one(machine: Machine) -> None:
    machine(mps=True)
    take_device("mps")
    take_device("auto")
    assert pick_device().type == "cpu"


def test_numbers_count_the_gpus_that_are_visible(machine: Machine) -> None:
    machine(2, visible="4,GPU-5a")
    take_device("cuda:1")
    assert os.environ[VISIBLE] == "GPU-5a"


def test_who_does_not_wait_shares(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "lock", lambda _name: pytest.fail("locked"))
    machine(2)
    take_device("auto", wait=False)
    assert VISIBLE not in os.environ
    take_device("cuda:1", wait=False)
    assert os.environ[VISIBLE] == "1"


def test_of_several_processes_none_takes_a_gpu_before_they_meet(machine: Machine) -> None:
    machine(2)
    take_device("cuda", 2)
    assert (pick_device().type, VISIBLE in os.environ) == ("cuda", False)
    take_device("cpu", 2)
    assert (pick_device().type, os.environ[VISIBLE]) == ("cpu", "")


@pytest.mark.parametrize(
    ("asked", "count", "mps", "message"),
    [
        ("cuda", 0, False, "torch sees no cuda here; use cpu or auto"),
        ("cuda:1", 0, True, "torch sees no cuda:1 here; use mps, cpu or auto"),
        ("cuda:2", 2, False, "torch sees no cuda:2 here; use cuda:0, cuda:1, cpu or auto"),
        ("mps", 1, False, "torch sees no mps here; use cuda:0, cpu or auto"),
        ("gpu", 1, False, "should be auto, cpu, cuda, cuda:N with a number, or mps, not 'gpu'"),
    ],
)
def test_what_is_not_there_is_refused(
    machine: Machine, asked: str, count: int, mps: bool, message: str
) -> None:
    machine(count, mps=mps)
    with pytest.raises(UserError) as refused:
        take_device(asked)
    assert str(refused.value) == f"machine.device or --device: {message}"
    assert VISIBLE not in os.environ
    with pytest.raises(UserError) as refused:
        named_device(asked, "device")
    assert str(refused.value) == f"device: {message}"


def test_a_refusal_tells_what_hides_gpus(machine: Machine) -> None:
    machine(1, visible="3")
    with pytest.raises(UserError, match=r"no cuda:3 here \(CUDA_VISIBLE_DEVICES is '3'\); use cud"):
        take_device("cuda:3")


@pytest.mark.parametrize("asked", ["cuda", "cuda:0"])
def test_cuda_that_does_not_start_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    machine(1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    take_device("auto")
    assert pick_device().type == "cpu"
    with pytest.raises(UserError, match=f"CUDA does not start, so {asked} cannot be used"):
        take_device(asked)


def test_one_gpu_for_several_processes_is_refused(machine: Machine) -> None:
    machine(2, mps=True)
    with pytest.raises(UserError, match=r"cuda:1 is one GPU, and there are 2 processes; use cuda,"):
        take_device("cuda:1", 2)
    with pytest.raises(UserError, match=r"mps is one GPU, and there are 2 processes; use cpu, or"):
        take_device("mps", 2)


def test_a_device_by_name_is_no_choice_for_the_process(machine: Machine) -> None:
    machine(2, mps=True)
    assert devices_here() == ["cuda:0", "cuda:1", "mps", "cpu"]
    assert named_device("cuda:1", "device") == torch.device("cuda:1")
    assert named_device("mps", "device") == MPS
    assert named_device("auto", "device") == pick_device() == torch.device("cuda")
    assert VISIBLE not in os.environ


def test_records_name_what_was_used(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(1, mps=True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA X1")
    assert device_name() == "NVIDIA X1"
    take_device("mps")
    assert world().device == "MPS"
    take_device("cpu")
    assert world().device == "CPU"


def test_on_apples_gpus_nothing_lies_channels_last() -> None:
    assert layout(MPS) == torch.contiguous_format
    assert layout(torch.device("cuda")) == layout(torch.device("cpu")) == torch.channels_last
    assert without_mps(MPS) == torch.device("cpu")
    assert without_mps(torch.device("cuda:1")) == torch.device("cuda:1")


def test_apples_gpus_are_said_not_to_repeat_themselves(machine: Machine) -> None:
    machine(mps=True)
    take_device("mps")
    with pytest.warns(UserWarning, match=r"engine\.deterministic is for NVIDIA GPUs"):
        use_deterministic(wanted=True)
    assert not torch.are_deterministic_algorithms_enabled()
