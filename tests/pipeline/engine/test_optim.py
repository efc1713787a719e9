"""Which part of a network learns how fast."""

import pytest
import torch

from pipeline.engine.optim import caffe_optimiser, caffe_schedule, paper_adam, steps_of
from pipeline.networks.backbone import build_backbone
from pipeline.train.network import DualBranchNet
from pipeline.weak.seeds.cam import CamNet
from tests.settings import small_params


def test_sgd_rates_and_decay() -> None:
    network = CamNet(build_backbone("vgg16_narrow", "none"), 5, 8, dropout=0.5)
    params = small_params(
        **{
            "cam.optimiser.learning_rate": 0.01,
            "cam.optimiser.head_factor": 10.0,
            "cam.optimiser.weight_decay": 0.5,
        }
    ).cam.optimiser
    optimiser = caffe_optimiser(network, params)
    groups = {id(group["params"][0]): group for group in optimiser.param_groups}
    assert all(len(group["params"]) == 1 for group in optimiser.param_groups)
    assert len(groups) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        group = groups[id(parameter)]
        rate = 0.01 * (1 if name.startswith("backbone.") else 10)
        bias = name.endswith("bias")
        assert group["lr"] == pytest.approx(2 * rate if bias else rate)
        assert group["weight_decay"] == (0 if bias else 0.5)
        assert group["momentum"] == 0.9


def test_adam_takes_the_same_rates() -> None:
    network = CamNet(build_backbone("vgg16_narrow", "none"), 5, 8, dropout=0.5)
    params = small_params(
        **{"dsrg.optimiser.method": "adam", "dsrg.optimiser.head_factor": 7.0}
    ).dsrg.optimiser
    optimiser = caffe_optimiser(network, params)
    assert isinstance(optimiser, torch.optim.Adam)
    rates = {round(group["lr"] / params.learning_rate, 6) for group in optimiser.param_groups}
    assert rates == {1, 2, 7, 14}


def test_schedule_multiplies_every_rate() -> None:
    network = CamNet(build_backbone("vgg16_narrow", "none"), 5, 8, dropout=0.5)
    params = small_params(
        **{"cam.optimiser.decay": 0.33, "cam.optimiser.decay_every": 0.3}
    ).cam.optimiser
    optimiser = caffe_optimiser(network, params)
    schedule = caffe_schedule(optimiser, params, steps=10)
    first = [group["lr"] for group in optimiser.param_groups]
    factors = []
    for _ in range(8):
        optimiser.step()
        schedule.step()
        rates = [group["lr"] for group in optimiser.param_groups]
        factors.append(rates[0] / first[0])
        assert rates == pytest.approx([rate * factors[-1] for rate in first])
    assert factors == pytest.approx([1, 1, 0.33, 0.33, 0.33, 0.1089, 0.1089, 0.1089])


def test_steps_are_iterations_or_passes() -> None:
    changes = {"epochs": 3, "batch_size": 4, "iterations": None}
    passes = small_params().cam.optimiser.model_copy(update=changes)
    assert steps_of(passes, images=10) == 8  # 30 images
    assert steps_of(passes.model_copy(update={"iterations": 5}), images=10) == 5


def test_adam_has_the_papers_two_rates() -> None:
    params = small_params(
        **{"train.learning_rate": 1e-4, "train.learning_rate_backbone": 5e-6}
    ).train
    network = DualBranchNet(build_backbone("vgg16_narrow", "none"), 5, neck_n=1, width=8)
    optimiser = paper_adam(network, params)
    slow, fast = optimiser.param_groups
    assert (slow["lr"], fast["lr"]) == (5e-6, 1e-4)
    assert slow["weight_decay"] == fast["weight_decay"] == params.weight_decay
    assert {id(p) for p in slow["params"]} == {id(p) for p in network.backbone.parameters()}
    everything = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert everything == {id(p) for p in network.parameters()}
    assert isinstance(optimiser, torch.optim.Adam)
    assert not isinstance(optimiser, torch.optim.AdamW)
