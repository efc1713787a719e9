"""New proxies, made by the network that is trained on them (self-training).

Shape legend: B batch, C classes, H W image, h w grid.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.confidence import write_confidence
from pipeline.data.images import write_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import confidence_path, proxied, proxy_path
from pipeline.data.plan import Plan
from pipeline.devices.distributed import shared_folder
from pipeline.scoring.score import image_batches, predict_logits
from pipeline.train.network import DualBranchNet


def refresh_proxies(
    network: DualBranchNet, manifest: Manifest, plan: Plan, batch_size: int, folder: Path
) -> None:
    """Write new proxies of all images that a plan has proxies of, laid out as stage proxy does.

    With their confidence where the plan uses it. Each process writes its share; the folder
    appears whole or not at all, and is there when this returns.

    Args:
        network: its strong branch makes them; left in the mode it was in.
        manifest: the data set.
        plan: the variant's plan.
        batch_size: images of one size that go through the network together.
        folder: replaced if it is there.
    """
    ids = set(proxied(plan))
    rows = [row for row in manifest.train() if row.id in ids]
    mode = network.training
    network.eval()
    with shared_folder(folder) as part:
        for path_of in (proxy_path, confidence_path) if plan.extras.confidence else (proxy_path,):
            path_of("", part).parent.mkdir(exist_ok=True)
        for few, images_B3HW in image_batches(manifest, rows, batch_size):
            logits_BCHW = predict_logits(network, images_B3HW)
            for row, logits_CHW in zip(few, logits_BCHW, strict=True):
                every = range(1, len(manifest.classes))
                tags = every if row.tags is None else row.tags
                mask_HW, p_HW = best_tagged(logits_CHW, tags)
                indices_HW = mask_HW.cpu().numpy().astype(np.uint8)
                write_mask(proxy_path(row.id, part), indices_HW, manifest.classes)
                if plan.extras.confidence:
                    write_confidence(confidence_path(row.id, part), p_HW)
    network.train(mode)


def best_tagged(logits_CHW: Tensor, tags: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The best of background and the image's tags at every pixel, and its softmax among them.

    Returns:
        labels (H, W) int64 and probabilities (H, W).
    """
    labels_T = torch.tensor([0, *tags], device=logits_CHW.device)
    p_THW = logits_CHW[labels_T].softmax(dim=0)
    return labels_T[logits_CHW[labels_T].argmax(dim=0)], p_THW.amax(dim=0)
