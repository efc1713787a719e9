"""Masks of the project's images, on the photographs as they are in the user's folder."""

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.base.errors import UserError, need
from pipeline.data.images import Bytes, read_image, read_mask, resize_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import proxy_path
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
    manifest: Manifest, names: Sequence[str], photographs: Photographs
) -> tuple[str, ...]:
    """The ids of images with tags and no mask, or of those that `names` names.

    Raises:
        UserError: a name is none of them.
    """
    weak = tuple(row.id for row in manifest.of("weak") if row.tags is not None)
    keys = tuple(photographs.find(name) or name for name in names)
    for name, key in zip(names, keys, strict=True):
        if key not in weak:
            raise UserError(f"{name} is no image with tags and without a mask{near(name, weak)}")
    return keys or weak
