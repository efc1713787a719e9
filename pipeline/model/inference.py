"""Predictions for images of any size: whole or in windows, at several scales, with mirroring.

The paper predicts the whole image once: one scale, no mirroring. Stage evaluate and the defaults
here do the same, and agree to the last bit.

Shape legend: C classes, H W image, R rows of a band of it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.base.errors import UserError
from pipeline.batches.augment import normalise, resize
from pipeline.networks.grid import ROWS, best_class, resize_rows, upsample
from pipeline.train.network import DualBranchNet

# Pixels that a network gets at once (2048 x 2048). Images that are larger at their largest scale go
# through it in windows of that size, so that memory is bounded.
AT_ONCE = 2**22
LEAST_WINDOW = 32
SCALES = (0.1, 4.0)


@dataclass(frozen=True)
class Options:
    """How an image is predicted.

    Attributes:
        scales: the image is resized by each, and the probabilities are averaged.
        flip: the mirrored image is predicted as well, and averaged.
        window: side in pixels of windows that slide over the image; None: the whole image.
        stride: pixels from one window to the next; None: three quarters of the window.
        longest_side: pixels of the working size, to which larger photographs are scaled before all
            else; None: that of the training.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    window: int | None = None
    stride: int | None = None
    longest_side: int | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: a value is impossible; the message names the option.
        """
        low, high = SCALES
        if not self.scales or not all(low <= scale <= high for scale in self.scales):
            raise UserError(f"scales: give numbers from {low} to {high}, such as 0.75,1,1.25")
        if self.window is not None and self.window < LEAST_WINDOW:
            raise UserError(f"window: give at least {LEAST_WINDOW} pixels, not {self.window}")
        if self.longest_side is not None and self.longest_side < LEAST_WINDOW:
            raise UserError(
                f"longest_side: give at least {LEAST_WINDOW} pixels, not {self.longest_side}"
            )
        if self.stride is not None:
            if self.window is None:
                raise UserError("stride: it needs windows; give a window, too")
            if not 1 <= self.stride <= self.window:
                raise UserError(f"stride: give 1 to the window's {self.window}, not {self.stride}")

    @property
    def single(self) -> bool:
        """Whether each window goes through the network once."""
        return self.scales == (1.0,) and not self.flip

    def windows(self, height: int, width: int) -> tuple[int, int] | None:
        """Window and stride for an image of this size; None to predict it whole."""
        window = self.window
        if window is None:
            widest = max(self.scales)
            if height * width * widest**2 <= AT_ONCE:
                return None
            window = int(math.isqrt(AT_ONCE) / max(1.0, widest))
        return window, self.stride or max(1, window * 3 // 4)


def read_scales(text: str) -> tuple[float, ...]:
    """Parse scales from the command line.

    Raises:
        UserError: they are not numbers.

    >>> read_scales("0.75, 1")
    (0.75, 1.0)
    """
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise UserError(f"scales: give numbers such as 0.75,1,1.25, not {text!r}") from None


class Band(NamedTuple):
    """Rows of a prediction from `top`: class indices (R, W) and probabilities (C, R, W)."""

    top: int
    mask_RW: NDArray[np.uint8]
    probabilities_CRW: Tensor | None


def predict_bands(
    network: DualBranchNet,
    image_3hw: Tensor,
    options: Options,
    size: tuple[int, int] | None = None,
    *,
    probabilities: bool = False,
) -> Iterator[Band]:
    """Predict an image from top to bottom; only one band is in memory at full size.

    Args:
        network: in eval mode.
        image_3hw: RGB at the working size, uint8.
        options: scales, mirroring, windows.
        size: of the prediction, (H, W); by default the working size.
        probabilities: whether to return them beside the mask.

    Yields:
        bands, one below the other, that cover (H, W).
    """
    height, width = image_3hw.shape[-2:]
    size = size or (height, width)
    windows = options.windows(height, width)
    logits = windows is None and options.single  # no softmax: it would round them
    if windows is not None and size == (height, width):
        bands = slide(network, image_3hw, options, *windows)
    else:
        if windows is not None:  # the next band overwrites what a band points to
            parts = [p_CRw.clone() for _, p_CRw in slide(network, image_3hw, options, *windows)]
            scaled = [torch.cat(parts, dim=1)]
        elif logits:
            scaled = [logits_of(network, image_3hw)]
        else:
            scaled = per_scale(network, image_3hw, options)
        bands = (
            (top, mean_at(scaled, size, slice(top, min(size[0], top + ROWS))))
            for top in range(0, size[0], ROWS)
        )
    for top, scores_CRW in bands:
        mask_RW = best_class(scores_CRW).to(torch.uint8).cpu().numpy()
        wanted = None
        if probabilities:
            wanted = (scores_CRW.softmax(dim=0) if logits else scores_CRW.clone()).cpu()
        yield Band(top, mask_RW, wanted)


def slide(
    network: DualBranchNet, image_3HW: Tensor, options: Options, window: int, stride: int
) -> Iterator[tuple[int, Tensor]]:
    """Probabilities averaged over all windows that contain a pixel, in bands from top to bottom.

    The last window of each row and column is moved back into the image, so that all are whole.

    Yields:
        the first row of a band, and its probabilities (C, R, W), valid until the next band.
    """
    height, width = image_3HW.shape[-2:]
    tops, lefts = starts(height, window, stride), starts(width, window, stride)
    rows = min(window, height)
    over_W = _covers(lefts, min(window, width), width).to(image_3HW.device)
    over_H = _covers(tops, rows, height).to(image_3HW.device)
    total_CRW: Tensor | None = None
    for top, following in zip(tops, [*tops[1:], height], strict=True):
        for left in lefts:
            part_3RW = image_3HW[:, top : top + window, left : left + window]
            size = part_3RW.shape[-2], part_3RW.shape[-1]
            p_CRW = mean_at(per_scale(network, part_3RW, options), size, slice(0, size[0]))
            if total_CRW is None:
                total_CRW = p_CRW.new_zeros(len(p_CRW), rows, width)
            total_CRW[:, :, left : left + window] += p_CRW
        assert total_CRW is not None
        done = following - top
        times_RW = over_H[top:following, None] * over_W
        yield top, total_CRW[:, :done].div_(times_RW)
        left_over_CRW = total_CRW[:, done:].clone()
        total_CRW.zero_()[:, : rows - done] = left_over_CRW


def starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows start along an axis.

    >>> starts(10, 4, 3), starts(11, 4, 3), starts(3, 4, 3)
    ([0, 3, 6], [0, 3, 6, 7], [0])
    """
    last = max(0, length - window)
    return [*range(0, last, stride), last]


def _covers(begins: Sequence[int], window: int, length: int) -> Tensor:
    """How many windows contain each place of an axis, (length,)."""
    count_L = torch.zeros(length)
    for begin in begins:
        count_L[begin : begin + window] += 1
    return count_L


def per_scale(network: DualBranchNet, image_3HW: Tensor, options: Options) -> list[Tensor]:
    """Probabilities (C, h, w) of an image at each scale, averaged with the mirrored image's."""
    height, width = image_3HW.shape[-2:]
    found = []
    for scale in options.scales:
        size = max(1, round(height * scale)), max(1, round(width * scale))
        resized_3hw = resize(image_3HW, size)
        p_Chw = logits_of(network, resized_3hw).softmax(dim=0)
        if options.flip:
            p_Chw += logits_of(network, resized_3hw.flip(-1)).softmax(dim=0).flip(-1)
            p_Chw /= 2
        found.append(p_Chw)
    return found


def mean_at(scaled: Sequence[Tensor], size: tuple[int, int], rows: slice) -> Tensor:
    """Mean (C, R, W) of probabilities of several sizes, on some rows of an image of (H, W)."""
    total_CRW = resize_rows(scaled[0], size, rows)
    for p_Chw in scaled[1:]:
        total_CRW = total_CRW + resize_rows(p_Chw, size, rows)
    return total_CRW / len(scaled) if len(scaled) > 1 else total_CRW


@torch.no_grad()
def logits_of(network: DualBranchNet, image_3HW: Tensor) -> Tensor:
    """Logits (C, H, W) of an image, equal to those of `scoring.score.predict_logits`."""
    device = next(network.parameters()).device
    normal_13HW = normalise(image_3HW[None].to(device))
    size = (image_3HW.shape[-2], image_3HW.shape[-1])
    return upsample(network(normal_13HW), size, network.backbone.geometry)[0]
