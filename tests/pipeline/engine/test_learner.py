"""What a training resumes from, on the same device and on another one."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pipeline.engine.learner import Learner
from pipeline.engine.log import Log


def learner() -> Learner:
    network = nn.Linear(2, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2])
    return Learner(network, optimiser, schedule, Log("x", ("loss",), every=1))


def pretend(monkeypatch: pytest.MonkeyPatch, kind: str) -> list[object]:
    """Say that networks are on such a GPU; the random numbers that are set there."""
    taken: list[object] = []
    gpu = SimpleNamespace(get_rng_state=lambda: f"numbers of {kind}", set_rng_state=taken.append)
    monkeypatch.setattr(torch, "get_device_module", lambda device: gpu)
    monkeypatch.setattr(Learner, "device", torch.device(kind))
    monkeypatch.setattr(Log, "restore", lambda *_: None)
    return taken


def test_a_cpu_has_no_other_random_numbers() -> None:
    state = learner().state()
    assert (state["device"], state["rng_gpu"]) == ("cpu", None)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_gpu_goes_on_with_its_random_numbers(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    taken = pretend(monkeypatch, kind)
    learner().restore(learner().state())
    assert taken == [f"numbers of {kind}"]


def test_a_training_resumes_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    first, on_cpu = learner(), learner().state()
    with monkeypatch.context() as patch:
        pretend(patch, "cuda")
        on_cuda = first.state()
        assert on_cuda["device"] == "cuda"
    other = learner()
    other.restore(on_cuda)
    assert torch.equal(other.network.weight, first.network.weight)
    taken = pretend(monkeypatch, "mps")
    learner().restore(on_cuda)
    learner().restore(on_cpu)
    assert taken == []
