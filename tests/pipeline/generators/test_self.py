"""Self-training: a network's own masks, unsure pixels ignored."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.batches.augment import image_tensor
from pipeline.data.images import read_image
from pipeline.data.manifest import IGNORE, Manifest
from pipeline.generators.self import generator_of
from pipeline.scoring.score import predict_logits
from pipeline.train.build import build_single
from pipeline.train.network import DualBranchNet
from tests.settings import small_params

CLASSES = 9


@pytest.fixture(scope="module")
def network() -> DualBranchNet:
    torch.manual_seed(0)
    network = build_single(small_params(), CLASSES, "none").eval()
    with torch.no_grad():
        network.branches[0][-1].weight.mul_(40)
    return network


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("sure", [0.3, 0.7])
def test_the_most_probable_of_the_labels_where_it_is_sure(
    manifest: Manifest, network: DualBranchNet, known: bool, sure: float
) -> None:
    row = next(row for row in manifest.train() if len(row.known_tags) > 1)
    image_3HW = image_tensor(read_image(manifest.path(row.image)))
    given = row if known else replace(row, tags=None)
    proxy = generator_of(network, sure, CLASSES)(given, image_3HW)
    assert proxy is not None
    scores_CHW = predict_logits(network, image_3HW[None])[0].double().numpy()
    labels = [0, *row.known_tags] if known else list(range(CLASSES))
    for y, x in np.ndindex(row.height, row.width):
        p = np.exp(scores_CHW[labels, y, x] - scores_CHW[labels, y, x].max())
        p /= p.sum()
        wanted = labels[int(p.argmax())] if p.max() >= sure else IGNORE
        assert proxy.sure_HW[y, x] == pytest.approx(p.max(), abs=1e-5)
        assert int(proxy.mask_HW[y, x]) == wanted or abs(p.max() - sure) < 1e-5
    assert (proxy.mask_HW == IGNORE).any() == (proxy.sure_HW < sure).any()


def test_two_classes(manifest: Manifest) -> None:
    torch.manual_seed(0)
    network = build_single(small_params(), 2, "none").eval()
    row = replace(manifest.train()[0], tags=None)
    proxy = generator_of(network, 0.5, 2)(row, image_tensor(read_image(manifest.path(row.image))))
    assert proxy is not None
    assert set(proxy.mask_HW.unique().tolist()) <= {0, 1, IGNORE}
