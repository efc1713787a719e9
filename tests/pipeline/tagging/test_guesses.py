"""What a project's classifier proposes for photographs without tags."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipeline.batches.augment import image_tensor, normalise
from pipeline.data.images import read_image
from pipeline.data.manifest import Manifest
from pipeline.settings.paths import SEEDS
from pipeline.tagging.guesses import in_order_of_doubt
from pipeline.weak.seeds.cam import load_classifier
from pipeline.weak.seeds.seeds import make_seeds
from tests.settings import small_params


def test_the_most_doubtful_first(manifest: Manifest, workspace: Path) -> None:
    params = small_params()
    make_seeds(params, manifest, SEEDS)
    rows = tuple(
        replace(row, tags=None, mask="") if row.split == "weak" else row for row in manifest.rows
    )
    pictures = in_order_of_doubt(params, replace(manifest, rows=rows))
    assert {picture.id for picture in pictures} == {row.id for row in manifest.of("weak")}
    network = load_classifier(params, len(manifest.classes), SEEDS).eval()
    side, doubts = params.cam.image_size, []
    for picture in pictures:
        row = next(row for row in manifest.rows if row.id == picture.id)
        resized = read_image(manifest.path(row.image)).resize((side, side))
        with torch.no_grad():
            scores = network(normalise(image_tensor(resized)[None]))[0].numpy()
        likely = 1 / (1 + np.exp(-scores.astype(np.float64)))
        doubts.append(max(1 - abs(2 * p - 1) for p in likely))
        for name, p in zip(manifest.classes.names[1:], likely, strict=True):
            assert abs(p - 0.5) < 0.01 or (name in (picture.guess or ())) == (p > 0.5)
        assert picture.doubt is not None
        assert abs(picture.doubt - doubts[-1]) < 0.02
    assert [picture.doubt for picture in pictures] == sorted(
        (picture.doubt or 0 for picture in pictures), reverse=True
    )
