"""What the trained networks show about a photograph that has tags and no mask.

Shape legend: C classes, H W image, K channels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.batches.augment import normalise
from pipeline.data.images import Bytes
from pipeline.editable.outlines import outline
from pipeline.model.predict import ImageInput, Model

ENOUGH = 0.001  # of the image's pixels: with less of a class it does not show


class Signals(NamedTuple):
    """One photograph.

    Attributes:
        entropy: of the main network, the mean over pixels; 1 where all classes are alike.
        disagreement: the share of pixels for which the two networks find other classes; 0 with one.
        misfit: how far the main network's mask and the tags contradict each other: the share of
            pixels of classes that are not tagged, plus the share of tags that do not show.
        missing: the tags that do not show, class indices.
        corners: of the outlines of the mask, so about as many clicks to draw it.
        features_K: the backbone's, their mean over the image, of length 1.
        mask_HW: what the main network finds among the tags and background, class indices.
    """

    entropy: float
    disagreement: float
    misfit: float
    missing: tuple[int, ...]
    corners: int
    features_K: NDArray[np.float32]
    mask_HW: Bytes


def look(
    main: Model, other: Model | None, image: ImageInput, tags: Sequence[int], specks: float
) -> Signals:
    """What the networks show about a photograph.

    Args:
        main: the network that is to become better.
        other: one that was trained otherwise.
        image: the photograph.
        tags: its object classes.
        specks: as for `outline`.
    """
    image = main.read(image).permute(1, 2, 0).numpy()  # decoded once for all that follows
    found_CHW = main.probabilities(image)
    mask_HW = found_CHW.argmax(axis=0)
    possible = [0, *tags]
    among_tags_HW = np.array(possible, np.uint8)[found_CHW[possible].argmax(axis=0)]
    shares_C = np.bincount(mask_HW.ravel(), minlength=len(found_CHW)) / mask_HW.size
    missing = tuple(tag for tag in tags if shares_C[tag] < ENOUGH)
    untagged = 1.0 - float(shares_C[possible].sum())
    logs_CHW = np.log(np.maximum(found_CHW, 1e-12))
    entropy = -(found_CHW * logs_CHW).sum(axis=0).mean() / np.log(len(found_CHW))
    differs = 0.0 if other is None else float((other.predict(image) != mask_HW).mean())
    return Signals(
        float(entropy),
        differs,
        untagged + len(missing) / max(1, len(tags)),
        missing,
        sum(len(region.ring_N2) for region in outline(among_tags_HW, specks).objects),
        features(main, image),
        among_tags_HW,
    )


@torch.inference_mode()
def features(model: Model, image: ImageInput) -> NDArray[np.float32]:
    """The backbone's features of a photograph, their mean over it, of length 1, (K,)."""
    working_3hw = model.working(model.read(image), model.info.longest_side)
    device = next(model.network.parameters()).device
    images_13hw = normalise(working_3hw[None].to(device))
    features_1Khw = model.network.backbone(images_13hw)
    mean_K: NDArray[np.float32] = features_1Khw.mean(dim=(0, 2, 3)).float().cpu().numpy()
    return mean_K / max(1e-12, float(np.linalg.norm(mean_K)))
