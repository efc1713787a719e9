"""The classification network and the seeds read off it (CAM; SEC's cue networks).

Shape legend: B batch, C classes with background at 0, K channels, H W image, h w grid.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from pipeline.data.seeds import CLASSIFIER, UNSEEDED
from pipeline.networks.backbone import Backbone, build_backbone, he_init
from pipeline.networks.grid import resize_grid
from pipeline.networks.layers import Dropout
from pipeline.networks.stored import load_network
from pipeline.settings.params import Cam, Params

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class CamNet(nn.Module):
    """Backbone, two 3x3 convolutions, global average pooling, a linear layer without bias.

    SEC's foreground network: fc6 with ReLU, fc7 without, dropout after both. Because pooling and
    the linear layer commute, applying the linear layer to every grid point gives the class
    activation maps whose means are the scores.
    """

    def __init__(self, backbone: Backbone, classes: int, width: int, dropout: float) -> None:
        """Build the head for `classes` including background, which has no score of its own."""
        super().__init__()
        self.backbone = backbone
        self.dropout = Dropout(dropout)
        self.fc6 = nn.Conv2d(backbone.geometry.channels, width, 3, padding=1)
        self.fc7 = nn.Conv2d(width, width, 3, padding=1)
        self.fc8 = nn.Conv2d(width, classes - 1, 1, bias=False)
        self.apply_head_init()

    def apply_head_init(self) -> None:
        """He initialisation of the head, small first scores."""
        he_init(self.fc6)
        he_init(self.fc7)
        nn.init.normal_(self.fc8.weight, std=0.01)

    def maps(self, images_B3HW: Tensor) -> Tensor:
        """Class activation maps of the object classes, (B, C-1, h, w)."""
        hidden = self.dropout(F.relu(self.fc6(self.backbone(images_B3HW))))
        maps: Tensor = self.fc8(self.dropout(self.fc7(hidden)))
        return maps

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Scores of the object classes, (B, C-1); a class is present where its score is > 0."""
        return self.maps(images_B3HW).mean(dim=(2, 3))


def cam_sides(cam: Cam) -> list[int]:
    """Sides of the warped images whose activation maps are summed, in pixels."""
    return [round(cam.image_size * scale) for scale in cam.scales]


def load_classifier(params: Params, classes: int, folder: Path) -> CamNet:
    """The classification network that stage seeds wrote into `folder`.

    Raises:
        UserError: it is missing or damaged, or params.yaml has another one.
    """
    backbone = build_backbone(params.backbone, "none", block=params.backbone_block)
    network = CamNet(backbone, classes, params.cam.width, params.cam.dropout)
    load_network(network, folder / CLASSIFIER, "seeds")
    return network


def scores_and_saliency(network: CamNet, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of the object classes and gradient saliency of a batch.

    Saliency (SEC's background cue): the gradient of the sum of all scores at a middle layer, its
    absolute value, the maximum over channels.

    Returns:
        scores (B, C-1) and saliency (B, h, w), both without gradient.
    """
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        # A copy, because the next layer's ReLU works in place.
        outputs.append(output)
        output.retain_grad()
        return output.clone()

    layer = network.backbone.body.get_submodule(network.backbone.geometry.saliency)
    hook = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            scores_BC = network(images_B3HW.requires_grad_())
            scores_BC.sum().backward()
    finally:
        hook.remove()
    gradient_BKhw = outputs[0].grad
    assert gradient_BKhw is not None
    network.zero_grad(set_to_none=True)
    return scores_BC.detach(), gradient_BKhw.abs().amax(dim=1)


@torch.inference_mode()
def activation_maps(
    network: CamNet, batches: Sequence[Tensor], size: int, *, flip: bool = False
) -> Tensor:
    """Class activation maps of a batch, negative parts cut off, summed over sizes and mirrors.

    One size is the way of CAM and SEC; several sizes and mirrors, that of AffinityNet and IRN.

    Args:
        network: the classification network.
        batches: the same images warped to one size after the other, normalised, (B, 3, s, s).
        size: side of the image on whose grid the maps are wanted.
        flip: add the maps of the mirrored images.

    Returns:
        maps of the object classes, (B, C-1, h, w).
    """
    geometry = network.backbone.geometry
    grid = -(-size // geometry.stride)
    total_BChw = None
    for images_B3ss in batches:
        side = images_B3ss.shape[-1]
        for mirrored in (False, True) if flip else (False,):
            maps_BChw = network.maps(images_B3ss.flip(-1) if mirrored else images_B3ss).relu()
            maps_BChw = resize_grid(maps_BChw, side, grid, size, geometry)
            maps_BChw = maps_BChw.flip(-1) if mirrored else maps_BChw
            total_BChw = maps_BChw if total_BChw is None else total_BChw + maps_BChw
    assert total_BChw is not None
    return total_BChw


def background_from_saliency(saliency_hw: Floats, share: float) -> NDArray[np.bool_]:
    """The least salient pixels: 3x3 median filter, then strictly below the value at rank share*hw.

    SEC's rule; strictly below means at most that many pixels.
    """
    smooth = ndimage.median_filter(saliency_hw, size=3)
    rank = int(share * smooth.size)
    below: NDArray[np.bool_] = smooth < np.sort(smooth, axis=None)[rank]
    return below


def place_seeds(
    maps_Chw: Floats, tags: tuple[int, ...], background_hw: NDArray[np.bool_], threshold: float
) -> Bytes:
    """Seeds of one image: CAM above a share of its own maximum, conflicts resolved.

    Foreground beats background; among object classes the one with the smaller seed area wins
    (SEC; docs/choices.md).

    Args:
        maps_Chw: activation maps of the object classes; map c-1 belongs to class c.
        tags: object classes the image holds.
        background_hw: background seeds.
        threshold: share of the class's maximum a pixel must exceed.

    Returns:
        class index of each seed, 255 elsewhere.
    """
    seeds = np.full(background_hw.shape, UNSEEDED, dtype=np.uint8)
    seeds[background_hw] = 0
    areas = []
    for tag in tags:
        map_hw = maps_Chw[tag - 1]
        # A map without a positive value gives no seed: any place would be a guess.
        above = map_hw > max(0.0, threshold * map_hw.max())
        areas.append((int(above.sum()), tag, above))
    # Painted from the largest area to the smallest: where two overlap the smaller one wins.
    for _, tag, above in sorted(areas, key=lambda entry: (-entry[0], entry[1])):
        seeds[above] = tag
    return seeds


def cam_mask(maps_Chw: Tensor, tags: tuple[int, ...], threshold: float) -> Tensor:
    """The plain CAM mask of one image: highest tagged map, background below the threshold.

    Args:
        maps_Chw: activation maps at the size wanted.
        tags: object classes the image holds.
        threshold: share of a class's maximum under which a pixel is background.

    Returns:
        int64 tensor with shape (h, w).
    """
    scores = torch.full_like(maps_Chw[:1], threshold)
    for tag in tags:
        map_hw = maps_Chw[tag - 1].clamp(min=0)
        scores = torch.cat([scores, (map_hw / map_hw.max().clamp(min=1e-6))[None]])
    labels = torch.tensor([0, *tags], device=maps_Chw.device)
    return labels[scores.argmax(dim=0)]
