"""Masks of the project's images, on the photographs as they are in the user's folder."""

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.base.errors import UserError, need
from pipeline.data.images import Bytes, read_image, read_mask, resize_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import made_by, proxy_path
from pipeline.datasets.folder.class_names import near
from pipeline.datasets.folder.find_files import Photographs
from pipeline.editable.exchange import Export
from pipeline.settings.paths import proxy_dir


def export_masks(
    masks: Iterable[tuple[str, Bytes]], photographs: Photographs, export: Export
) -> None:
    """Add masks at the working size, by id, to an export, each at its photograph's own size."""
    for key, mask_HW in masks:
        photograph = photographs.paths[key]
        own_HW = resize_mask(mask_HW, read_image(photograph).size)
        export.add(photograph, f"{key}{photograph.suffix}", own_HW)


def read_proxy(key: str, generator: str) -> Bytes:
    """The proxy that a generator made of an image.

    Raises:
        UserError: there is none.
    """
    return np.asarray(read_mask(need(proxy_path(key, proxy_dir(generator)), f"proxy {generator}")))


def without_mask(
    manifest: Manifest, names: Sequence[str], photographs: Photographs, generator: str
) -> tuple[str, ...]:
    """The ids of images without a mask that a generator has made a proxy of, or of those named.

    Raises:
        UserError: there are none, or a name is none of them.
    """
    made = set(made_by(generator))
    weak = tuple(row.id for row in manifest.of("weak") if row.id in made)
    if not weak:
        raise UserError(f"generator {generator} has made no proxy of an image without a mask")
    keys = tuple(photographs.find(name) or name for name in names)
    for name, key in zip(names, keys, strict=True):
        if key not in weak:
            raise UserError(f"{name} is no image without a mask that has a proxy{near(name, weak)}")
    return keys or weak
