"""Realistic inputs: rendered scenes, and probabilities as of a half-trained network."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.data.manifest import IGNORE
from pipeline.datasets.shapes.prepare import render_scene

GRID, CLASSES, BATCH = 41, 21, 20  # of DSRG's training on VOC
BIG = (375, 500)  # rows and columns of most VOC photographs


@functools.cache
def scenes(count: int, height: int = BIG[0], width: int = BIG[1]) -> tuple[Tensor, Tensor]:
    """Rendered photographs (N, 3, H, W) and masks (N, H, W), uint8."""
    drawn = [render_scene(0, index, max(height, width)) for index in range(count)]
    images = np.stack([scene.image[:height, :width] for scene in drawn])
    masks = np.stack([scene.mask[:height, :width] for scene in drawn])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(masks)


def probabilities(masks_NHW: Tensor, classes: int, *, sharpness: float = 4.0) -> Tensor:
    """Probabilities as of a half-trained network: blurred masks, mistakes as large as objects.

    Returns:
        probabilities with shape (N, classes, H, W).
    """
    labels = torch.where(masks_NHW == IGNORE, 0, masks_NHW).long().clamp(max=classes - 1)
    logits = F.one_hot(labels, classes).permute(0, 3, 1, 2).float()
    blurred = F.avg_pool2d(logits, 9, stride=1, padding=4)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(labels), classes, 6, 6, generator=generator)
    mistakes = F.interpolate(noise, size=labels.shape[-2:], mode="bicubic")
    return (sharpness * (blurred + 0.35 * mistakes)).softmax(dim=1)
