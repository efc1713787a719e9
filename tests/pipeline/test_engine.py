"""The training loop: steps, means, precision, compiling, and what is said when they are not had."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline import engine as module
from pipeline.checkpoint import Learner
from pipeline.distributed import World
from pipeline.engine import fit, logged, prepare, share_of
from pipeline.errors import UserError
from pipeline.layers import Dropout
from pipeline.params import Engine


def settings(**changes: Any) -> Engine:
    values = {"processes": 1, "workers": 0, "precision": "fp32", "tf32": False, "compile": False}
    return Engine(**{**values, "deterministic": False, **changes})


def tiny() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


# --- fit ----------------------------------------------------------------------------------------


def test_fit_is_gradient_descent_with_a_schedule() -> None:
    """Minimise (w - b)^2 for batches b; by hand with rates 0.1, 0.1, 0.01."""
    weight = nn.Parameter(torch.tensor(4.0))
    optimiser = torch.optim.SGD([weight], lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2], gamma=0.1)

    def losses(batch: float) -> tuple[Tensor, Tensor]:
        loss = (weight - batch).square()
        return loss, torch.stack([loss, weight])

    learner = Learner(nn.Module(), optimiser, schedule)
    shown = list(fit(learner, [1.0, 2.0, 3.0], losses))
    by_hand, w = [], 4.0
    for batch, rate in ((1.0, 0.1), (2.0, 0.1), (3.0, 0.01)):
        by_hand.append([(w - batch) ** 2, w])
        w -= rate * 2 * (w - batch)
    assert [row.tolist() for row in shown] == [pytest.approx(row, rel=1e-4) for row in by_hand]
    assert float(weight.detach()) == pytest.approx(w)
    assert not any(row.requires_grad for row in shown)


def test_means_come_at_every_so_manieth_step() -> None:
    shown = [torch.tensor([float(i), 10.0 * i]) for i in range(1, 8)]
    rows = list(logged(shown, ("a", "b"), 3))
    assert rows == [{}, {}, {"a": 2, "b": 20}, {}, {}, {"a": 5, "b": 50}, {}]


# --- prepare ------------------------------------------------------------------------------------


def test_a_prepared_network_trains_channels_last_and_knows_its_batch() -> None:
    network = nn.Sequential(tiny(), Dropout(0.5)).eval()
    prepare(network, settings(), batch_size=6)
    assert network.training
    assert network[0][0].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[1].batch_size == 6


def test_bf16_rounds_the_products_and_keeps_weights_and_outputs_float32() -> None:
    network, images = tiny(), torch.randn(2, 3, 8, 8)
    exact = prepare(network, settings(), 2)(images)
    rough = prepare(network, settings(precision="bf16"), 2)(images)
    assert exact.dtype == rough.dtype == network[0].weight.dtype == torch.float32
    assert torch.equal(exact, network(images))
    assert not torch.equal(exact, rough)
    torch.testing.assert_close(exact, rough, rtol=0.05, atol=0.02)
    rough.square().sum().backward()
    assert network[0].weight.grad.dtype == torch.float32


def test_a_compiled_network_gives_the_same() -> None:
    network, images = tiny(), torch.randn(2, 3, 8, 8)
    if not module.compiler_works(torch.device("cpu")):
        pytest.skip("no C++ compiler")
    compiled = prepare(network, settings(compile=True), 2)(images)
    torch.testing.assert_close(compiled, network(images), rtol=1e-5, atol=1e-5)


def test_without_a_compiler_it_says_so_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> object:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", broken)
    network, images = tiny(), torch.randn(2, 3, 8, 8)
    with pytest.warns(UserWarning, match=r"engine.compile: no compiler works here") as seen:
        forward = prepare(network, settings(compile=True), 2)
    assert len(seen) == 1
    assert torch.equal(forward(images), network(images))


def test_without_bf16_it_says_so_and_uses_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    with pytest.warns(UserWarning, match="float32 is used"):
        assert not module.bf16_works(torch.device("cuda"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module.bf16_works(torch.device("cpu"))


@pytest.mark.parametrize(("size", "processes", "expected"), [(8, 1, 8), (5, 2, 3), (3, 3, 1)])
def test_shares(monkeypatch: pytest.MonkeyPatch, size: int, processes: int, expected: int) -> None:
    monkeypatch.setattr(module, "world", lambda: World(0, processes))
    assert share_of("train.batch_size", size) == expected


def test_a_process_without_images_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "world", lambda: World(0, 4))
    with pytest.raises(UserError, match=r"train.batch_size: 3 images for 4 processes"):
        share_of("train.batch_size", 3)
