"""Proxies that another tool made: masks in the folder proxies/ beside the photographs.

They are taken as they are: tags do not rule out what a tool saw, for someone may have looked at its
masks. A pixel of 255 is ignored. An image without a file gets no proxy.
"""

import torch
from torch import Tensor

from pipeline.batches.augment import mask_tensor
from pipeline.data.images import read_mask
from pipeline.data.manifest import Manifest, Row
from pipeline.settings.params import Params
from pipeline.weak.proxy.generator import Generator, Proxy

STAGES = ()


def load(params: Params, manifest: Manifest) -> Generator:
    """The generator that reads them from the data set's folder."""
    classes = len(manifest.classes)

    def generate(row: Row, image_3HW: Tensor) -> Proxy | None:
        if not row.proxy:
            return None
        mask_HW = mask_tensor(read_mask(manifest.path(row.proxy), classes, size=row.size))
        return Proxy(mask_HW, torch.ones(mask_HW.shape))

    return generate
