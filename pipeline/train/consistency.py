"""Consistency of the strong branch on weak images: FixMatch with CutMix-Seg's mixing.

What the branch is sure of on a plain view, it is trained on in a strongly augmented copy of it.
All randomness is a function of seed, step and place in the batch, for any number of processes.
Shape legend: B batch, C classes, H W view.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.batches.order import Item
from pipeline.data.manifest import IGNORE
from pipeline.data.randomness import rng
from pipeline.devices.distributed import gathered, total, world
from pipeline.train.losses import summed_cross_entropy

UNSURE = -1  # a pixel of the image whose best class is not probable enough

# UniMatch's strong augmentation, which is that of most semi-supervised segmentation.
JITTERED, GREY, BLURRED, MIXED = 0.8, 0.2, 0.5, 0.5  # share of the copies
REACH, HUE = 0.5, 0.25  # brightness, contrast and saturation by 0.5 to 1.5; hue by a quarter turn
SIGMA = (0.1 / 321, 2.0 / 321)  # of the blur, in sides of the view
AREA, RATIO = (0.02, 0.4), (0.3, 1 / 0.3)  # of CutMix's rectangle; the area in views

Box = tuple[slice, slice]


@torch.no_grad()
def pseudo_labels(logits_BCHW: Tensor, masks_BHW: Tensor, threshold: float) -> Tensor:
    """The best class where its probability is above the threshold, (B, H, W) int64.

    Args:
        logits_BCHW: of the plain views.
        masks_BHW: their masks, 255 where a view shows nothing of its image.
        threshold: probability.

    Returns:
        classes, UNSURE below the threshold, IGNORE outside of the image.
    """
    p_BHW, labels_BHW = logits_BCHW.softmax(dim=1).max(dim=1)
    labels_BHW = labels_BHW.masked_fill(p_BHW <= threshold, UNSURE)
    return labels_BHW.masked_fill(masks_BHW == IGNORE, IGNORE)


def strong_copies(
    images_B3HW: Tensor, labels_BHW: Tensor, items: Sequence[Item]
) -> tuple[Tensor, Tensor]:
    """Other colours, blur, and a rectangle of another image of the batch's, with its labels.

    Args:
        images_B3HW: bytes, this process's weak images.
        labels_BHW: what they are to be trained on.
        items: what asked for them; their keys decide everything.

    Returns:
        new images and labels, shaped alike.
    """
    copies_B3HW, mixed_BHW = images_B3HW.clone(), labels_BHW.clone()
    for copy_3HW, item in zip(copies_B3HW, items, strict=True):
        copy_3HW.copy_(recolour(copy_3HW, rng(*item.key, 1)))
    # CutMix takes from the whole batch, so from other processes' images, too.
    others_B3HW, others_BHW = gathered(copies_B3HW.clone()), gathered(labels_BHW)
    for place, item in enumerate(items):
        generator = rng(*item.key, 2)
        if generator.random() < MIXED and len(others_BHW) > 1:
            whole_place = place * world().size + world().rank
            other = int(generator.integers(len(others_BHW) - 1))
            other += other >= whole_place  # never itself
            y, x = draw_box(labels_BHW.shape[-1], generator)
            copies_B3HW[place, :, y, x] = others_B3HW[other, :, y, x]
            mixed_BHW[place, y, x] = others_BHW[other, y, x]
    return copies_B3HW, mixed_BHW


def recolour(image_3HW: Tensor, generator: np.random.Generator) -> Tensor:
    """Random brightness, contrast, saturation, hue; sometimes grey, sometimes blurred; bytes."""
    # Slow to import, and wanted by one extra alone.
    from torchvision.transforms.v2 import functional as transform

    if generator.random() < JITTERED:
        for adjust in (
            transform.adjust_brightness,
            transform.adjust_contrast,
            transform.adjust_saturation,
        ):
            image_3HW = adjust(image_3HW, generator.uniform(1 - REACH, 1 + REACH))
        image_3HW = transform.adjust_hue(image_3HW, generator.uniform(-HUE, HUE))
    if generator.random() < GREY:
        image_3HW = transform.rgb_to_grayscale(image_3HW, num_output_channels=3)
    if generator.random() < BLURRED:
        sigma = generator.uniform(*SIGMA) * image_3HW.shape[-1]
        width = 2 * math.ceil(3 * sigma) + 1
        image_3HW = transform.gaussian_blur(image_3HW, [width, width], [sigma, sigma])
    return image_3HW


def draw_box(side: int, generator: np.random.Generator) -> Box:
    """Rows and columns of a random rectangle within a square view."""
    area, ratio = generator.uniform(*AREA) * side**2, generator.uniform(*RATIO)
    spans = []
    for length in (math.sqrt(area / ratio), math.sqrt(area * ratio)):
        taken = min(side, max(1, round(length)))
        start = int(generator.integers(side - taken + 1))
        spans.append(slice(start, start + taken))
    return spans[0], spans[1]


def consistency_loss(logits_BCHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy against the sure labels, mean over all pixels that show an image.

    Unsure pixels add 0 and count: the less is known, the less the term weighs. Of several
    processes each gives its share.

    Returns:
        this process's share of the loss, and of the share of pixels that are sure; scalars.
    """
    shown = total((labels_BHW != IGNORE).sum()).clamp(min=1)
    # Unsure pixels add nothing to the sum and stay in the count.
    target_BHW = labels_BHW.masked_fill(labels_BHW == UNSURE, IGNORE)
    loss = summed_cross_entropy(logits_BCHW, target_BHW)
    return loss / shown, (target_BHW != IGNORE).sum() / shown
