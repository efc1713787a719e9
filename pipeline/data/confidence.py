"""How sure a proxy mask is of each pixel, as a grey image next to the mask.

Shape legend: H W image, T classes of one image (background and tags).
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# The CRF's own posterior is 1 nearly everywhere; its eighth root, normalised, says on the embedded
# data about how often the label is right (docs/choices.md).
TEMPERATURE = 8.0
LEAST = 1e-30  # probabilities below vanish in float32
LEVELS = 16  # grey levels in a file: a map of 256 would be several times as large


def crf_confidence(q_THW: Tensor) -> Tensor:
    """Tempered posterior of the most probable label of each pixel, (H, W) in 1/T..1.

    >>> round(crf_confidence(torch.tensor([0.99, 0.01]).view(2, 1, 1)).item(), 2)
    0.64
    """
    return (q_THW.clamp(min=LEAST).log() / TEMPERATURE).softmax(dim=0).amax(dim=0)


def write_confidence(path: Path, p_HW: Tensor) -> None:
    """Write probabilities as an 8-bit grey PNG of sixteen levels, 255 for 1."""
    steps = LEVELS - 1
    grey_HW = (p_HW * steps).round().mul(255 // steps).to(torch.uint8)
    Image.fromarray(grey_HW.cpu().numpy().astype(np.uint8)).save(path, format="PNG")
