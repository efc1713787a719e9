"""Optimisers with the learning rates each part of a network is given."""

import torch
from torch import nn

from pipeline.settings.params import Optimiser, Train


def caffe_optimiser(network: nn.Module, params: Optimiser) -> torch.optim.Optimizer:
    """SEC's and DSRG's rates: new layers faster, biases twice as fast and without decay.

    SGD is theirs. Adam is for backbones whose features SGD hardly learns on (docs/choices.md).
    """
    groups = []
    for name, parameter in network.named_parameters():
        new = not name.startswith("backbone.")
        factor = params.head_factor if new else 1.0
        is_bias = name.endswith("bias")
        groups.append(
            {
                "name": ("new" if new else "backbone") + "_bias" * is_bias,
                "params": [parameter],
                "lr": params.learning_rate * factor * (2.0 if is_bias else 1.0),
                "weight_decay": 0.0 if is_bias else params.weight_decay,
            }
        )
    if params.method == "adam":
        return torch.optim.Adam(groups, fused=True)
    return torch.optim.SGD(groups, lr=params.learning_rate, momentum=0.9)


def steps_of(params: Optimiser, images: int) -> int:
    """Steps of a training: `iterations`, or those of `epochs` passes over so many images."""
    return params.iterations or -(-params.epochs * images // params.batch_size)


def caffe_schedule(
    optimiser: torch.optim.Optimizer, params: Optimiser, steps: int
) -> torch.optim.lr_scheduler.StepLR:
    """Multiply every rate by `decay` after each share `decay_every` of a training's steps."""
    every = max(1, round(steps * params.decay_every))
    return torch.optim.lr_scheduler.StepLR(optimiser, every, params.decay)


def paper_adam(network: nn.Module, params: Train) -> torch.optim.Adam:
    """Adam of §4.1: one rate for the backbone, another for neck and branches."""
    named = list(network.named_parameters())
    backbone = [parameter for name, parameter in named if name.startswith("backbone.")]
    new = [parameter for name, parameter in named if not name.startswith("backbone.")]
    groups = [
        {"name": "backbone", "params": backbone, "lr": params.learning_rate_backbone},
        {"name": "new", "params": new, "lr": params.learning_rate},
    ]
    return torch.optim.Adam(groups, weight_decay=params.weight_decay, fused=True)
