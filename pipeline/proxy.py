"""Stage proxy: masks for all training images from the DSRG network (the generator G of Eq. 1).

Multi-scale logits, a CRF at full resolution over the image's own classes, argmax within the tags.
Shape legend: C classes, H W image, h w grid, T classes of one image (background and tags).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.augment import image_tensor, normalise, warp
from pipeline.crf import CrfWeights
from pipeline.device import pick_device
from pipeline.distributed import wait_for_all, world
from pipeline.dsrg import DsrgNet, build_dsrg
from pipeline.images import read_image, write_mask
from pipeline.lattice import lattice_crf
from pipeline.manifest import Manifest
from pipeline.network import upsample
from pipeline.params import Params
from pipeline.progress import track
from pipeline.start import load_network

LEAST = 1e-5  # DSRG clips probabilities here before the logarithm


def load_dsrg(params: Params, manifest: Manifest, folder: Path) -> DsrgNet:
    """The network stage dsrg wrote into `folder`."""
    network = build_dsrg(params, len(manifest.classes), "none")
    load_network(network, folder / "network.safetensors", "dsrg")
    return network


def write_proxies(params: Params, manifest: Manifest, network: DsrgNet, folder: Path) -> int:
    """Write a palette PNG for every strong and weak image into `folder`, each process its share.

    It returns when those of all processes are written.

    Returns:
        number of masks all processes write.
    """
    device = pick_device()
    network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    weights = CrfWeights(**params.proxy.crf.model_dump())
    sides = [round(params.proxy.image_size * scale) for scale in params.proxy.scales]
    rows = manifest.train()
    folder.mkdir(parents=True, exist_ok=True)
    for row in track(world().share(rows), "proxy: masks"):
        image_3HW = image_tensor(read_image(manifest.path(row.image))).to(device)
        warped = [warp(image_3HW, side) for side in sides]
        logits_CHW = multi_scale_logits(network, warped, (row.height, row.width))
        mask_HW = proxy_mask(logits_CHW, image_3HW, row.tags, weights)
        write_mask(
            folder / f"{row.id}.png", mask_HW.cpu().numpy().astype(np.uint8), manifest.classes
        )
    wait_for_all()
    return len(rows)


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


def proxy_mask(
    logits_CHW: Tensor, image_3HW: Tensor, tags: Sequence[int], weights: CrfWeights
) -> Tensor:
    """CRF and argmax over background and the image's tags, (H, W) int64.

    The other classes are left out before the CRF: the tags say they are not there, and its cost
    grows with the classes.
    """
    labels_T = torch.tensor([0, *tags], device=logits_CHW.device)
    if len(labels_T) == 1:
        return torch.zeros_like(logits_CHW[0], dtype=torch.int64)
    p_THW = logits_CHW[labels_T].float().softmax(dim=0).clamp(min=LEAST)
    q_THW = lattice_crf(-p_THW.log()[None], image_3HW.float()[None], weights)[0]
    return labels_T[q_THW.argmax(dim=0)]
