"""Stage proxy: masks for the training images from one generator of params.yaml (G of Eq. 1).

Shape legend: H W image.
"""

from pathlib import Path

import numpy as np

from pipeline.base.errors import need
from pipeline.batches.augment import image_tensor
from pipeline.data.confidence import write_confidence
from pipeline.data.id_lists import read_ids, write_ids
from pipeline.data.images import read_image, write_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import MADE, TAUGHT, confidence_path, proxy_path
from pipeline.devices.distributed import wait_for_all, world
from pipeline.runs.resume import resumable_folder, walk
from pipeline.runs.work_key import key_of
from pipeline.settings.params import Params
from pipeline.settings.paths import DATA, TEACHER
from pipeline.settings.registry import GENERATORS, stages_of
from pipeline.weak.proxy.generator import Generator
from pipeline.weak.proxy.quality import measure


def make_proxies(
    params: Params, manifest: Manifest, generator: str, *, seeds: Path, folder: Path
) -> dict[str, float]:
    """Write masks, confidence and how good they are into `folder`, in one piece.

    A run that was stopped resumes where it was.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        generator: one of `proxy.generators`.
        seeds: data/seeds.
        folder: data/proxy/<generator>.

    Returns:
        what `quality.measure` returns.
    """
    generate: Generator = GENERATORS.load(generator).load(params, manifest)
    stages = stages_of(generator)
    read = [path for stage in stages for path in sorted((DATA / stage).iterdir())]
    key = key_of("proxy", params, [*read, manifest.folder / "manifest.csv"], generator=generator)
    with resumable_folder(folder, f"proxy-{generator}", key) as part:
        write_proxies(manifest, generate, part, part.with_name("masks"))
        write_made(manifest, part)
        start = seeds if "seeds" in stages else None
        # A network is not measured on the masks that it was trained on.
        taught = read_ids(need(TEACHER / TAUGHT, "teacher")) if "teacher" in stages else []
        return measure(params, manifest, part, start, part.with_name("quality"), taught)


def write_proxies(
    manifest: Manifest, generate: Generator, folder: Path, resume: Path | None = None
) -> None:
    """Write a palette PNG of every strong and weak image that gets one into `folder`/masks.

    How sure it is of each pixel goes into `folder`/confidence. Each process writes its share, and
    returns when those of all are written. A run resumes from `resume`, if given.

    Raises:
        ValueError: what the generator gave has not the image's size.
    """
    for path_of in (proxy_path, confidence_path):
        path_of("", folder).parent.mkdir(parents=True, exist_ok=True)
    for row in walk(world().share(manifest.train()), resume, {}, "proxy: masks"):
        image_3HW = image_tensor(read_image(manifest.path(row.image), row.size))
        proxy = generate(row, image_3HW)
        if proxy is None:
            continue
        shape = tuple(proxy.mask_HW.shape)
        if shape != (wanted := (row.height, row.width)):
            raise ValueError(f"proxy of {row.id!r}: shape {shape} and not {wanted}")
        mask_HW = proxy.mask_HW.cpu().numpy().astype(np.uint8)
        write_mask(proxy_path(row.id, folder), mask_HW, manifest.classes)
        write_confidence(confidence_path(row.id, folder), proxy.sure_HW)
    wait_for_all()


def write_made(manifest: Manifest, folder: Path) -> None:
    """Write made.txt, the ids of the images with a proxy, in the manifest's order."""
    if world().leads:
        rows = manifest.train()
        write_ids(folder / MADE, (r.id for r in rows if proxy_path(r.id, folder).exists()))
