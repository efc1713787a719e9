"""A photograph larger than the working size: predicted and scored at its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from pipeline.batches.augment import image_tensor
from pipeline.data.images import read_mask, shrink, write_mask
from pipeline.data.manifest import Manifest, Row, make_classes
from pipeline.model.inference import Options
from pipeline.model.predict import Model
from pipeline.networks.grid import argmax_at
from pipeline.scoring.metrics import confusion_matrix
from pipeline.scoring.score import confusion_of, predict_logits
from tests.models import NAMES, small_info, small_network

SIDE = 48


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(small_info(longest_side=SIDE), small_network())


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(height).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def test_the_mask_has_the_photograph_s_size_and_the_network_the_working_one(model: Model) -> None:
    image_HW3 = photograph(310, 190)  # more rows than one band
    small = shrink(Image.fromarray(image_HW3), SIDE)
    assert small.size == (29, 48)
    logits_1Chw = predict_logits(model.network, image_tensor(small)[None])
    wanted = F.interpolate(logits_1Chw, size=(310, 190), mode="bilinear")[0]
    mask_HW = model.predict(image_HW3)
    assert mask_HW.shape == (310, 190)
    assert (mask_HW == wanted.argmax(dim=0).numpy()).mean() > 0.9999
    p_CHW = model.probabilities(image_HW3)
    np.testing.assert_allclose(p_CHW, wanted.softmax(dim=0).numpy(), atol=1e-4)


def test_a_small_photograph_is_predicted_as_it_is(model: Model) -> None:
    image_HW3 = photograph(40, 48)
    plain = Model(small_info(), model.network)
    assert np.array_equal(model.predict(image_HW3), plain.predict(image_HW3))


def test_another_working_size_is_a_wish(model: Model) -> None:
    image_HW3 = photograph(120, 90)
    plain = Model(small_info(), model.network)
    whole = model.predict(image_HW3, Options(longest_side=1000))
    assert np.array_equal(whole, plain.predict(image_HW3))
    assert not np.array_equal(whole, model.predict(image_HW3))


@pytest.mark.parametrize("options", [Options(scales=(0.75, 1.0), flip=True), Options(window=32)])
def test_scales_and_windows_are_of_the_working_size(model: Model, options: Options) -> None:
    image_HW3 = photograph(130, 96)
    plain = Model(small_info(), model.network)
    small = np.asarray(shrink(Image.fromarray(image_HW3), SIDE))
    p_Chw = torch.from_numpy(plain.probabilities(small, options))
    wanted = F.interpolate(p_Chw[None], size=(130, 96), mode="bilinear")[0]
    np.testing.assert_allclose(model.probabilities(image_HW3, options), wanted, atol=0.02)
    assert model.predict(image_HW3, options).shape == (130, 96)


def test_bands_are_the_whole(model: Model) -> None:
    scores_Chw = torch.randn(4, 9, 7, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(scores_Chw[None], size=(600, 33), mode="bilinear")[0].argmax(dim=0)
    assert (argmax_at(scores_Chw, (600, 33)) == whole).float().mean() > 0.999
    assert torch.equal(argmax_at(scores_Chw, (9, 7)), scores_Chw.argmax(dim=0))


def test_scores_are_of_the_photograph_s_own_size_and_of_the_same_mask(
    model: Model, tmp_path: Path
) -> None:
    """What is scored is, to the pixel, what a user gets for the same photograph."""
    classes, sizes = make_classes(NAMES), {"a": (310, 190), "b": (100, 75), "c": (30, 44)}
    rows, total = [], np.zeros((len(NAMES), len(NAMES) + 1), np.int64)
    (tmp_path / "out").mkdir()
    for name, (height, width) in sizes.items():
        image = Image.fromarray(photograph(height, width))
        image.save(tmp_path / f"{name}.png")
        small = shrink(image, SIDE)
        small.save(tmp_path / f"{name}_small.png")
        truth_HW = np.random.default_rng(1).integers(0, len(NAMES), (height, width), dtype=np.uint8)
        write_mask(tmp_path / f"{name}_truth.png", truth_HW, classes)
        truth = "" if small.size == image.size else f"{name}_truth.png"
        files = f"{name}_small.png", f"{name}_truth.png"
        rows.append(Row(name, *files, "val", (1,), *small.size, truth=truth))
        total += confusion_matrix(truth_HW, model.predict(tmp_path / f"{name}.png"), len(NAMES))
    manifest = Manifest(tuple(rows), classes, tmp_path, tmp_path)
    found = confusion_of(model.network, manifest, 2, tmp_path / "out")
    assert np.array_equal(found, total)
    for name in sizes:
        mask_HW = np.asarray(read_mask(tmp_path / "out" / f"{name}.png"))
        assert np.array_equal(mask_HW, model.predict(tmp_path / f"{name}.png"))
