"""Proxies from the DSRG network: several scales, then a CRF at full resolution within the tags.

Shape legend: C classes, H W image, h w grid, s warped image, T classes of one image (background
and tags).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.batches.augment import normalise, warp
from pipeline.data.manifest import Manifest, Row
from pipeline.devices.device import pick_device, placed
from pipeline.networks.grid import upsample
from pipeline.settings.params import Params
from pipeline.settings.paths import DSRG
from pipeline.weak.dsrg.crf import CrfWeights
from pipeline.weak.dsrg.lattice import lattice_crf
from pipeline.weak.dsrg.network import DsrgNet, load_dsrg
from pipeline.weak.proxy.generator import Generator

LEAST = 1e-5  # DSRG clips probabilities here before the logarithm


def load(params: Params, manifest: Manifest) -> Generator:
    """The generator that asks the network of stage dsrg.

    Raises:
        UserError: that stage's network is missing, damaged or another one.
    """
    return generator_of(params, load_dsrg(params, manifest, DSRG))


def generator_of(params: Params, network: DsrgNet) -> Generator:
    """The generator that asks a network at the scales of `params.proxy`."""
    device = pick_device()
    network = placed(network, device).eval()
    weights = CrfWeights(**params.proxy.crf.model_dump())
    sides = [round(params.proxy.image_size * scale) for scale in params.proxy.scales]

    def generate(row: Row, image_3HW: Tensor) -> Tensor:
        image_3HW = image_3HW.to(device)
        warped = [warp(image_3HW, side) for side in sides]
        logits_CHW = multi_scale_logits(network, warped, (row.height, row.width))
        return posterior(logits_CHW, image_3HW, row.known_tags, weights)

    return generate


@torch.inference_mode()
def multi_scale_logits(network: DsrgNet, images: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Logits of one image at several warped sizes, each laid on (H, W), summed: (C, H, W)."""
    total: Tensor | None = None
    for image_3ss in images:
        logits_1Chw = network(normalise(image_3ss[None]))
        side = image_3ss.shape[-1]
        square_1Css = upsample(logits_1Chw, (side, side), network.backbone.geometry)
        logits_1CHW = torch.nn.functional.interpolate(
            square_1Css, size=size, mode="bilinear", align_corners=False
        )
        total = logits_1CHW if total is None else total + logits_1CHW
    assert total is not None
    return total[0]


def posterior(
    logits_CHW: Tensor, image_3HW: Tensor, tags: Sequence[int], weights: CrfWeights
) -> Tensor:
    """The CRF's probabilities of background and the image's tags, in their order, (T, H, W).

    The other classes are left out before the CRF: by the tags they are not there, and its cost
    grows with the classes.
    """
    if not tags:
        return torch.ones_like(logits_CHW[:1])
    labels_T = torch.tensor([0, *tags], device=logits_CHW.device)
    p_THW = logits_CHW[labels_T].float().softmax(dim=0).clamp(min=LEAST)
    return lattice_crf(-p_THW.log()[None], image_3HW.float()[None], weights)[0]
