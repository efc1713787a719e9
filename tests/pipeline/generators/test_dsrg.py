"""G of the paper as DSRG has it: within the tags, along the image's edges, from several scales."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.batches.augment import normalise
from pipeline.generators.dsrg import multi_scale_logits, posterior
from pipeline.weak.dsrg.crf import CrfWeights
from pipeline.weak.dsrg.network import DsrgNet, build_dsrg
from pipeline.weak.proxy.generator import best_label
from tests.settings import small_params

CLASSES = 9
WEIGHTS = CrfWeights(theta_alpha=12.0, theta_gamma=1.0, iterations=5)
NO_CRF = CrfWeights(bilateral=0.0, gaussian=0.0, iterations=1)


@pytest.fixture(scope="module")
def network() -> DsrgNet:
    torch.manual_seed(0)
    return build_dsrg(small_params(), CLASSES, "none").eval()


def proxy_mask(logits: Tensor, image: Tensor, tags: tuple[int, ...], weights: CrfWeights) -> Tensor:
    return best_label(posterior(logits, image, tags, weights), (0, *tags))


def scene(height: int = 20, width: int = 31) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(CLASSES, height, width, generator=generator)
    image = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
    return logits, image


@pytest.mark.parametrize("tags", [(), (3,), (8, 1), (1, 2, 3, 4, 5, 6, 7, 8)])
def test_no_untagged_class_is_ever_given(tags: tuple[int, ...]) -> None:
    logits, image = scene()
    mask = proxy_mask(logits, image, tags, WEIGHTS)
    assert mask.shape == logits.shape[1:]
    assert mask.dtype == torch.int64
    assert set(mask.unique().tolist()) <= {0, *tags}


def test_without_messages_the_best_tagged_logit_wins() -> None:
    logits, image = scene()
    mask = proxy_mask(logits, image, (7, 2), NO_CRF)
    for y, x in np.ndindex(*mask.shape):
        values = {c: float(logits[c, y, x]) for c in (0, 7, 2)}
        assert int(mask[y, x]) == max(values, key=values.__getitem__)


def test_the_crf_follows_the_image() -> None:
    """A wrong speck inside a region of one colour is taken back."""
    image = torch.full((3, 24, 24), 60, dtype=torch.uint8)
    image[:, :, 12:] = 190
    logits = torch.zeros(3, 24, 24)
    logits[0, :, :12] = logits[1, :, 12:] = 1.0
    logits[1, 10:13, 3:6] = 1.5
    assert int(proxy_mask(logits, image, (1,), NO_CRF)[11, 4]) == 1
    mask = proxy_mask(logits, image, (1,), CrfWeights(theta_alpha=20.0, theta_gamma=1.0))
    assert not mask[:, :12].any()
    assert mask[:, 12:].all()


def test_scales_are_summed_at_the_images_own_size(network: DsrgNet) -> None:
    images = [torch.randint(0, 256, (3, side, side), dtype=torch.uint8) for side in (24, 32, 40)]
    total = multi_scale_logits(network, images, (20, 31))
    assert total.shape == (CLASSES, 20, 31)
    parts = [multi_scale_logits(network, [image], (20, 31)) for image in images]
    torch.testing.assert_close(total, parts[0] + parts[1] + parts[2])
    with torch.inference_mode():
        grid = network(normalise(images[1][None]))
    # Stride 4, block-centred, 32 px: first to the square, then to the image, both half-pixel.
    square = F.interpolate(grid, (32, 32), mode="bilinear", align_corners=False)
    expected = F.interpolate(square, (20, 31), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(parts[1], expected)
