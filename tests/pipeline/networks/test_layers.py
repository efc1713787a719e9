"""Layers that see the whole batch; over two processes: test_distributed.py."""

import pytest
import torch
from torch import nn

from pipeline.networks.layers import BatchNorm, Dropout


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
