"""The CRF on final predictions: what pydensecrf's users call post-processing."""

from pathlib import Path

import numpy as np
import torch

from pipeline.data.manifest import Manifest
from pipeline.evaluate.refinement import crf_of, refinement
from pipeline.scoring.score import confusion_of
from pipeline.train.build import build_single
from pipeline.weak.dsrg.crf import CrfWeights, dense_crf
from tests.settings import small_params


def test_it_is_the_crf_of_the_proxies_over_all_classes() -> None:
    """Against the exact kernel, on two images of two regions whose border the network missed."""
    params = small_params(**{"evaluate.crf": True})
    images = torch.full((2, 3, 24, 24), 40, dtype=torch.uint8)
    images[:, :, :, 12:] = 200
    logits = torch.zeros(2, 3, 24, 24)
    logits[:, 1, :, :10], logits[:, 2, :, 10:] = 2.0, 2.0
    refine = refinement(params)
    assert refine is not None
    found = refine(logits, images)
    weights = CrfWeights(**params.proxy.crf.model_dump())
    exact = dense_crf(-logits.log_softmax(dim=1), images.float(), weights)
    assert torch.equal(found.argmax(dim=1), exact.argmax(dim=1))
    assert (found.argmax(dim=1)[:, :, :12] == 1).all()
    assert (found.argmax(dim=1)[:, :, 12:] == 2).all()


def test_predictions_go_through_it_only_where_asked_for(manifest: Manifest, tmp_path: Path) -> None:
    params = small_params()
    assert refinement(params) is None
    torch.manual_seed(0)
    network = build_single(params, len(manifest.classes), "none")
    plain = confusion_of(network, manifest, 4)
    refined = confusion_of(network, manifest, 4, refine=crf_of(params.proxy.crf))
    assert plain.sum() == refined.sum()
    assert not np.array_equal(plain, refined)
