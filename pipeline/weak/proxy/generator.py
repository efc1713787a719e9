"""Generators of proxy masks (G of Eq. 1), one module each (docs/adding-a-proxy-generator.md).

A module of pipeline/generators has a function `load(params, manifest)` that returns a `Generator`,
and `STAGES`, the names of the stages whose output it reads, of `seeds`, `dsrg` and `teacher`. Stage
proxy asks it for every training image and does the rest: shares the images among processes, resumes
after a stop, writes masks and confidence, measures them.

Shape legend: H W image, L labels that an image may have.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.data.manifest import Row


class Proxy(NamedTuple):
    """Class indices (H, W), 255 where ignored, and how sure they are (H, W), 0..1; any device."""

    mask_HW: Tensor
    sure_HW: Tensor


# From a training image's row and its pixels, (3, H, W) uint8 RGB, to its proxy; None: it gets none,
# such as one whose tags are not known from a generator that starts from tags.
Generator = Callable[[Row, Tensor], Proxy | None]


def best_label(p_LHW: Tensor, labels: Sequence[int]) -> Tensor:
    """The most probable of some labels at every pixel, (H, W) int64."""
    return torch.tensor(labels, device=p_LHW.device)[p_LHW.argmax(dim=0)]
