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
from pipeline.confidence import crf_confidence, write_confidence
from pipeline.crf import CrfWeights
from pipeline.device import pick_device
from pipeline.distributed import wait_for_all, world
from pipeline.dsrg import DsrgNet, build_dsrg
from pipeline.images import read_image, write_mask
from pipeline.kept import kept_folder, walk
from pipeline.keys import key_of
from pipeline.lattice import lattice_crf
from pipeline.manifest import Manifest
from pipeline.network import upsample
from pipeline.params import Params
from pipeline.plan import confidence_path, proxy_path
from pipeline.quality import measure
from pipeline.start import load_network

LEAST = 1e-5  # DSRG clips probabilities here before the logarithm


def load_dsrg(params: Params, manifest: Manifest, folder: Path) -> DsrgNet:
    """The network stage dsrg wrote into `folder`."""
    network = build_dsrg(params, len(manifest.classes), "none")
    load_network(network, folder / "network.safetensors", "dsrg")
    return network


def make_proxies(
    params: Params, manifest: Manifest, *, dsrg: Path, seeds: Path, folder: Path
) -> dict[str, float]:
    """Write masks, confidence and how good they are into `folder`, in one piece.

    A run that was stopped goes on where it was.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        dsrg: data/dsrg.
        seeds: data/seeds.
        folder: data/proxy.

    Returns:
        what `quality.measure` returns.
    """
    network = load_dsrg(params, manifest, dsrg)
    files = [dsrg / "network.safetensors", seeds / "seeds.npy", manifest.folder / "manifest.csv"]
    with kept_folder(folder, "proxy", key_of(params, files)) as part:
        write_proxies(params, manifest, network, part, part.with_name("masks"))
        return measure(params, manifest, part, seeds, part.with_name("quality"))


def write_proxies(
    params: Params, manifest: Manifest, network: DsrgNet, folder: Path, kept: Path | None = None
) -> None:
    """Write a palette PNG of every strong and weak image into `folder`/masks.

    How sure it is of each pixel goes into `folder`/confidence. Each process writes its share, and
    returns when those of all are written. `kept` is where it notes how far it is, if anywhere.
    """
    device = pick_device()
    network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    weights = CrfWeights(**params.proxy.crf.model_dump())
    sides = [round(params.proxy.image_size * scale) for scale in params.proxy.scales]
    rows = manifest.train()
    for path_of in (proxy_path, confidence_path):
        path_of("", folder).parent.mkdir(parents=True, exist_ok=True)
    for row in walk(world().share(rows), kept, {}, "proxy: masks"):
        image_3HW = image_tensor(read_image(manifest.path(row.image), row.size)).to(device)
        warped = [warp(image_3HW, side) for side in sides]
        logits_CHW = multi_scale_logits(network, warped, (row.height, row.width))
        q_THW = posterior(logits_CHW, image_3HW, row.tags, weights)
        mask_HW = best_label(q_THW, row.tags).cpu().numpy().astype(np.uint8)
        write_mask(proxy_path(row.id, folder), mask_HW, manifest.classes)
        write_confidence(confidence_path(row.id, folder), crf_confidence(q_THW))
    wait_for_all()


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

    The other classes are left out before the CRF: the tags say they are not there, and its cost
    grows with the classes.
    """
    if not tags:
        return torch.ones_like(logits_CHW[:1])
    labels_T = torch.tensor([0, *tags], device=logits_CHW.device)
    p_THW = logits_CHW[labels_T].float().softmax(dim=0).clamp(min=LEAST)
    return lattice_crf(-p_THW.log()[None], image_3HW.float()[None], weights)[0]


def best_label(q_THW: Tensor, tags: Sequence[int]) -> Tensor:
    """The most probable of background and the image's tags at every pixel, (H, W) int64."""
    return torch.tensor([0, *tags], device=q_THW.device)[q_THW.argmax(dim=0)]
