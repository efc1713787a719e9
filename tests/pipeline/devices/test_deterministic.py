"""What `engine.deterministic` asks of torch, and that what stands in for its operations is equal.

No test here needs a GPU, and so none shows that a GPU repeats itself; the last one would.
"""

import os

import pytest
import torch

from pipeline.data.manifest import IGNORE
from pipeline.devices.device import CUBLAS, any_order, in_order, use_deterministic
from pipeline.networks.grid import Geometry, upsample
from pipeline.train import losses
from pipeline.train.consistency import consistency_loss
from pipeline.train.losses import segmentation_loss, summed_cross_entropy
from pipeline.weak.dsrg import growing

enabled = torch.are_deterministic_algorithms_enabled


@pytest.fixture
def with_gpu(as_before: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch says there is a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_a_gpu_is_asked_for_everything(with_gpu: None) -> None:
    torch.backends.cudnn.benchmark = True
    use_deterministic(wanted=True)
    assert enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
    assert os.environ[CUBLAS] == ":4096:8"


@pytest.mark.parametrize(("before", "after"), [(":16:8", ":16:8"), (":0:0", ":4096:8")])
def test_a_workspace_that_repeats_itself_is_kept(
    with_gpu: None, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    monkeypatch.setenv(CUBLAS, before)
    use_deterministic(wanted=True)
    assert os.environ[CUBLAS] == after


def test_nothing_is_asked_for_unless_wanted(with_gpu: None) -> None:
    use_deterministic(wanted=False)
    assert (enabled(), CUBLAS in os.environ) == (False, False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about CPUs")
def test_a_cpu_needs_nothing(as_before: None) -> None:
    use_deterministic(wanted=True)
    assert (enabled(), CUBLAS in os.environ) == (False, False)


def test_order_matters_on_a_gpu_alone(with_gpu: None) -> None:
    use_deterministic(wanted=True)
    assert not in_order(torch.zeros(1))
    assert torch.cuda.is_available()


def test_any_order_is_for_a_while(with_gpu: None) -> None:
    with any_order():
        assert not enabled()
    assert not enabled()
    use_deterministic(wanted=True)
    with pytest.raises(ZeroDivisionError), any_order():
        assert 1 / int(enabled())
    assert enabled()


def test_losses_in_order_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 5, 6, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 3, (4, 5, 6), generator=generator)
    target[:, :2] = IGNORE

    def found() -> list[torch.Tensor]:
        leaf = logits.clone().requires_grad_()
        total = segmentation_loss(leaf, target, (2, 2)) + consistency_loss(leaf, target)[0]
        total = total + summed_cross_entropy(leaf, target)
        return [total.detach(), *torch.autograd.grad(total, leaf)]

    plain = found()
    monkeypatch.setattr(losses, "in_order", lambda _values: True)
    torch.testing.assert_close(found(), plain, rtol=1e-12, atol=1e-12)


def test_growing_is_let_pass(with_gpu: None) -> None:
    labels = torch.randint(0, 3, (2, 9, 9), generator=torch.Generator().manual_seed(0))
    plain = growing.components(labels)
    use_deterministic(wanted=True)
    assert torch.equal(growing.components(labels), plain)
    assert enabled()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_repeats_a_step_to_the_last_bit(as_before: None) -> None:
    use_deterministic(wanted=True)

    def gradient() -> torch.Tensor:
        generator = torch.Generator("cuda").manual_seed(0)
        leaf = torch.randn(4, 21, 41, 41, device="cuda", generator=generator).requires_grad_()
        full = upsample(leaf, (328, 328), Geometry(1, 8, corner=False, saliency=""))
        target = torch.randint(0, 21, (4, 328, 328), device="cuda", generator=generator)
        return torch.autograd.grad(segmentation_loss(full, target, (2, 2)), leaf)[0]

    first = gradient()
    assert all(torch.equal(gradient(), first) for _ in range(5))
