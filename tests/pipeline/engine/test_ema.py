"""The average of a network's weights against one kept by a slow loop of numbers."""

import pytest
import torch
from torch import nn

from pipeline.engine.ema import Average


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)).double()


def numbers(module: nn.Module) -> list[float]:
    """All floating weights and buffers, one after another."""
    tensors = [t for t in module.state_dict().values() if t.is_floating_point()]
    return [float(value) for tensor in tensors for value in tensor.flatten()]


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_the_average_is_the_slow_loops(decay: float) -> None:
    subject = network()
    average = Average(subject, decay)
    optimiser = torch.optim.SGD(subject.parameters(), lr=0.3)
    slow: list[float] = []
    for step in range(25):
        images = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(step)).double()
        subject(images).square().mean().backward()  # moves the batch norm's buffers, too
        optimiser.step()
        optimiser.zero_grad()
        average.update(subject)
        now = numbers(subject)
        kept = min(decay, (1 + step) / (10 + step)) if step else 0.0
        slow = [kept * a + (1 - kept) * b for a, b in zip(slow or now, now, strict=True)]
        assert numbers(average.module) == pytest.approx(slow, rel=1e-9, abs=1e-12)
        counted = [module[1].num_batches_tracked for module in (average.module, subject)]
        assert int(counted[0]) == int(counted[1]) == step + 1  # a counter is no average
    assert numbers(average.module) != pytest.approx(numbers(subject), rel=1e-3)


def test_the_average_wants_no_gradient_and_leaves_the_network_alone() -> None:
    subject = network().train()
    average = Average(subject, 0.9)
    average.update(subject)
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert not average.module.training
    assert all(parameter.requires_grad for parameter in subject.parameters())
    assert subject.training
    before = numbers(average.module)
    with torch.no_grad():
        for parameter in subject.parameters():
            parameter.add_(1)
    assert numbers(average.module) == before


def test_a_state_taken_up_goes_on_alike() -> None:
    subject = network()
    whole, first = Average(subject, 0.9), Average(subject, 0.9)

    def move(step: int) -> None:
        with torch.no_grad():
            for parameter in subject.parameters():
                parameter.fill_(step)

    for step in range(5):
        move(step)
        whole.update(subject)
        first.update(subject)
    second = Average(network(), 0.9)
    second.load_state_dict(first.state_dict())
    for step in range(5, 12):
        move(step)
        whole.update(subject)
        second.update(subject)
    assert numbers(second.module) == numbers(whole.module)
