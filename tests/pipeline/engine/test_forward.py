"""Networks made ready to train: precision, compiling, and what is said when they are not had."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.base.errors import UserError
from pipeline.devices.distributed import World
from pipeline.engine import forward as module
from pipeline.engine.forward import prepare, share_of
from pipeline.networks.layers import Dropout
from pipeline.settings.params import Engine
from tests.settings import small_params


def settings(**changes: Any) -> Engine:
    return small_params(**{f"engine.{key}": value for key, value in changes.items()}).engine


def tiny() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


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
    with pytest.warns(UserWarning, match="bfloat16 is left out on mps, float32 is used"):
        assert not module.bf16_works(torch.device("mps"))
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
