"""What networks show about a photograph, against slow statements of the same."""

import math

import numpy as np
import pytest

from pipeline.choosing.signals import ENOUGH, features, look
from pipeline.model.predict import Model, load_model
from tests.models import NAMES, small_info, small_network, write_small

TAGS = (1, 3)


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_small(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def other() -> Model:
    network = small_network()
    for parameter in network.branches.parameters():
        parameter.neg_()
    return Model(small_info(), network)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def test_signals(main: Model, other: Model, image: np.ndarray) -> None:
    seen = look(main, other, image, TAGS, specks=0.0)
    probabilities, own, its = main.probabilities(image), main.predict(image), other.predict(image)
    entropy = differs = outside = 0.0
    pixels = dict.fromkeys(range(len(NAMES)), 0)
    for y in range(30):
        for x in range(40):
            column = [float(p) for p in probabilities[:, y, x]]
            entropy -= sum(p * math.log(p) for p in column if p > 0) / math.log(len(NAMES))
            differs += own[y, x] != its[y, x]
            outside += own[y, x] not in (0, *TAGS)
            pixels[int(own[y, x])] += 1
            best = max((0, *TAGS), key=lambda label: column[label])
            assert seen.mask_HW[y, x] == best
    missing = tuple(tag for tag in TAGS if pixels[tag] < ENOUGH * 1200)
    assert seen.entropy == pytest.approx(entropy / 1200, abs=1e-4)
    assert seen.disagreement == pytest.approx(differs / 1200)
    assert 0 < seen.disagreement < 1
    assert seen.missing == missing
    assert seen.misfit == pytest.approx(outside / 1200 + len(missing) / 2)
    assert seen.corners >= 3 * len(set(np.unique(seen.mask_HW)) - {0})
    assert float(seen.features_K @ seen.features_K) == pytest.approx(1, abs=1e-4)


def test_alone_a_network_agrees(main: Model, image: np.ndarray) -> None:
    assert look(main, None, image, (), specks=0.0).disagreement == 0.0
    assert (look(main, None, image, (), specks=0.0).mask_HW == 0).all()


def test_features_tell_photographs_apart(main: Model, image: np.ndarray) -> None:
    same, another = features(main, image), features(main, 255 - image)
    assert float(same @ features(main, image)) == pytest.approx(1, abs=1e-5)
    assert float(same @ another) < 0.999
