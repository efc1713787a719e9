"""Layers that see the whole batch; over two processes: test_distributed.py."""

import pytest
import torch
from torch import nn

from pipeline.networks.layers import BatchNorm, Dropout, Layers


def test_dropout_keeps_a_share_and_the_mean() -> None:
    torch.manual_seed(0)
    values = torch.ones(4, 8, 50, 50)
    kept = Dropout(0.3)(values)
    assert kept.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert float((kept == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(kept[0], kept[1])


def test_dropout_is_nothing_in_eval_mode_or_at_zero() -> None:
    values = torch.randn(2, 3, 4, 4)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values


def test_dropout_sends_gradients_through_what_it_kept() -> None:
    values = torch.ones(2, 3, 4, 4, requires_grad=True)
    kept = Dropout(0.5)(values)
    kept.sum().backward()
    torch.testing.assert_close(values.grad, kept.detach())


def test_batch_norm_is_torchs_in_one_process() -> None:
    torch.manual_seed(0)
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    theirs.load_state_dict(ours.state_dict())
    values = torch.randn(4, 3, 5, 5)
    assert torch.equal(ours(values), theirs(values))
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(values), theirs.eval()(values))


def conv_and_norm(kind: type[nn.Sequential]) -> nn.Sequential:
    """Convolutions of all kinds, each with a norm that has seen something, in training mode."""
    torch.manual_seed(0)
    layers = kind(
        *(nn.Conv2d(3, 6, 3, padding=1, bias=False), BatchNorm(6, eps=1e-3), nn.ReLU6()),
        *(nn.Conv2d(6, 6, 3, 2, 2, 2, groups=6, bias=False), BatchNorm(6), nn.ReLU6()),
        *(nn.Conv2d(6, 4, 1, bias=False), BatchNorm(4)),
    ).double()
    for norm in (layers[1], layers[4], layers[7]):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            tensor.copy_(torch.rand(len(tensor)) + 0.2)
        norm.eval()
    return layers


def test_folding_frozen_norms_changes_no_output_and_no_gradient() -> None:
    values = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    folded, plain = conv_and_norm(Layers), conv_and_norm(nn.Sequential)
    found, wanted = folded(values), plain(values)
    torch.testing.assert_close(found, wanted)
    for output in (found, wanted):
        output.square().sum().backward()
    for (name, ours), theirs in zip(folded.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=name)


def test_norms_are_called_where_they_learn_and_where_nothing_does() -> None:
    values = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    layers, calls = conv_and_norm(Layers), list[nn.Module]()
    for layer in layers:
        layer.register_forward_hook(lambda layer, _inputs, _output: calls.append(layer))
    layers(values)
    assert calls == [layers[2], layers[5]]  # nothing but ReLU6
    for mode in (True, False):
        calls.clear()
        layers.train(mode)(values)
        assert calls == list(layers)
