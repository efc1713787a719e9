"""Generators of proxy masks (G of Eq. 1), one module each (docs/adding-a-proxy-generator.md).

A module of pipeline/generators has a function `load(params, manifest)` that returns a `Generator`.
Stage proxy asks it for every training image and does the rest: shares the images among processes,
resumes after a stop, writes masks and confidence, measures them.
"""

from collections.abc import Callable

from torch import Tensor

from pipeline.data.manifest import Row

# From a training image's row and its pixels, (3, H, W) uint8 RGB, to the probabilities of
# background and the row's tags, in this order, (1 + tags, H, W), on any device.
Generator = Callable[[Row, Tensor], Tensor]
