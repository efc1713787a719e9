"""Stage proxy: masks for all training images from the generator of params.yaml (G of Eq. 1).

Shape legend: H W image, T classes of one image (background and tags).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.batches.augment import image_tensor
from pipeline.data.confidence import crf_confidence, write_confidence
from pipeline.data.images import read_image, write_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import confidence_path, proxy_path
from pipeline.devices.distributed import wait_for_all, world
from pipeline.runs.resume import resumable_folder, walk
from pipeline.runs.work_key import key_of
from pipeline.settings.params import Params
from pipeline.settings.paths import DSRG
from pipeline.settings.registry import GENERATORS
from pipeline.weak.proxy.generator import Generator
from pipeline.weak.proxy.quality import measure


def make_proxies(
    params: Params, manifest: Manifest, *, seeds: Path, folder: Path
) -> dict[str, float]:
    """Write masks, confidence and how good they are into `folder`, in one piece.

    A run that was stopped resumes where it was.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        seeds: data/seeds.
        folder: data/proxy.

    Returns:
        what `quality.measure` returns.
    """
    generate: Generator = GENERATORS.load(params.proxy.generator).load(params, manifest)
    files = [DSRG / "network.safetensors", seeds / "seeds.npy", manifest.folder / "manifest.csv"]
    with resumable_folder(folder, "proxy", key_of("proxy", params, files)) as part:
        write_proxies(manifest, generate, part, part.with_name("masks"))
        return measure(params, manifest, part, seeds, part.with_name("quality"))


def write_proxies(
    manifest: Manifest, generate: Generator, folder: Path, resume: Path | None = None
) -> None:
    """Write a palette PNG of every strong and weak image into `folder`/masks.

    How sure it is of each pixel goes into `folder`/confidence. Each process writes its share, and
    returns when those of all are written. A run resumes from `resume`, if given.

    Raises:
        ValueError: what the generator gave has not the shape of background and tags.
    """
    rows = manifest.proxied()
    for path_of in (proxy_path, confidence_path):
        path_of("", folder).parent.mkdir(parents=True, exist_ok=True)
    for row in walk(world().share(rows), resume, {}, "proxy: masks"):
        image_3HW = image_tensor(read_image(manifest.path(row.image), row.size))
        q_THW = generate(row, image_3HW)
        if q_THW.shape != (wanted := (1 + len(row.known_tags), row.height, row.width)):
            raise ValueError(f"proxy of {row.id!r}: shape {tuple(q_THW.shape)} and not {wanted}")
        mask_HW = best_label(q_THW, row.known_tags).cpu().numpy().astype(np.uint8)
        write_mask(proxy_path(row.id, folder), mask_HW, manifest.classes)
        write_confidence(confidence_path(row.id, folder), crf_confidence(q_THW))
    wait_for_all()


def best_label(q_THW: Tensor, tags: Sequence[int]) -> Tensor:
    """The most probable of background and the image's tags at every pixel, (H, W) int64."""
    return torch.tensor([0, *tags], device=q_THW.device)[q_THW.argmax(dim=0)]
