"""The interval over images: known values, a slow loop, SciPy, and how often it covers the truth."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pipeline.data.manifest import open_manifest
from pipeline.report.bootstrap import draw_sets, image_counts, interval_over_images, pooled_miou
from pipeline.report.collect import read_outcome
from pipeline.report.differences import between_outcomes
from pipeline.report.image_scores import read_image_counts
from pipeline.report.page import with_images
from pipeline.scoring.metrics import Counts, summarise
from pipeline.settings.params import Params


def some_confusions(seed: int, images: int, classes: int, right: float) -> list[Counts]:
    """Confusion matrices (C, C+1) of small images with few of the classes."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(images):
        confusion = np.zeros((classes, classes + 1), np.int64)
        for index in rng.choice(classes, size=2, replace=False):
            pixels = int(rng.integers(5, 60))
            share = np.full(classes + 1, (1 - right) / classes)
            share[index] = right
            confusion[index] = rng.multinomial(pixels, share)
        made.append(confusion)
    return made


def test_counts_give_the_score_of_the_whole_set() -> None:
    confusions = some_confusions(0, images=12, classes=4, right=0.7)
    miou = pooled_miou(image_counts(confusions).sum(axis=0)[None].astype(float))
    assert miou == pytest.approx([summarise(np.sum(confusions, axis=0))["miou"]])


def test_against_a_loop_over_sets() -> None:
    """Each set's confusion matrices summed one by one, and scored as stage evaluate does."""
    first = some_confusions(1, images=7, classes=5, right=0.7)
    second = some_confusions(2, images=7, classes=5, right=0.6)
    apart = []
    for times in draw_sets(7, 300).astype(int):
        drawn = [place for place, count in enumerate(times) for _ in range(count)]
        assert len(drawn) == 7
        one, two = (
            summarise(np.sum([confusions[place] for place in drawn], axis=0))["miou"]
            for confusions in (first, second)
        )
        apart.append(one - two)
    bounds = interval_over_images(image_counts(first), image_counts(second), 300)
    assert bounds == pytest.approx(np.percentile(apart, [2.5, 97.5]))


def test_against_scipy() -> None:
    """SciPy draws other sets, so its bounds lie near and not in the same place."""
    first = image_counts(some_confusions(3, images=60, classes=4, right=0.8))
    second = image_counts(some_confusions(4, images=60, classes=4, right=0.7))

    def statistic(places: np.ndarray, axis: int) -> np.ndarray:
        assert axis == -1
        one, two = (counts[places.astype(int)].sum(axis=-3) for counts in (first, second))
        flat = [sums.reshape(-1, 2, sums.shape[-1]).astype(float) for sums in (one, two)]
        return (pooled_miou(flat[0]) - pooled_miou(flat[1])).reshape(places.shape[:-1])

    theirs = stats.bootstrap(
        (np.arange(60),), statistic, n_resamples=4000, method="percentile", vectorized=True,
        batch=500, rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    ours = interval_over_images(first, second)
    assert ours is not None
    assert ours == pytest.approx(tuple(theirs), abs=0.05 * (theirs.high - theirs.low))


def test_known_values() -> None:
    even = image_counts([np.array([[8, 2, 0], [1, 9, 0]])] * 5)
    worse = image_counts([np.array([[6, 4, 0], [3, 7, 0]])] * 5)
    apart = summarise(np.array([[8, 2, 0], [1, 9, 0]]))["miou"]
    apart -= summarise(np.array([[6, 4, 0], [3, 7, 0]]))["miou"]
    assert interval_over_images(even, worse) == pytest.approx((apart, apart))  # all images alike
    assert interval_over_images(even, even) == (0.0, 0.0)
    assert interval_over_images(even[:1], worse[:1]) is None
    bounds = interval_over_images(even, worse)
    assert interval_over_images(worse, even) == pytest.approx((-bounds[1], -bounds[0]))


def test_it_is_the_same_whenever_it_is_computed() -> None:
    first, second = (image_counts(some_confusions(s, 30, 4, 0.7)) for s in (6, 7))
    assert interval_over_images(first, second) == interval_over_images(first, second)


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    """Two thousand images as the whole, a hundred of them scored at a time."""
    first = image_counts(some_confusions(8, images=2000, classes=4, right=0.75))
    second = image_counts(some_confusions(9, images=2000, classes=4, right=0.7))
    whole = [pooled_miou(c.sum(axis=0)[None].astype(float))[0] for c in (first, second)]
    truth, rng, covered = whole[0] - whole[1], np.random.default_rng(10), 0
    for _ in range(100):
        places = rng.choice(2000, size=100, replace=False)
        low, high = interval_over_images(first[places], second[places], 400) or (0.0, 0.0)
        covered += low <= truth <= high
    assert 88 <= covered <= 100


def test_of_a_run(params: Params, run: Path) -> None:
    """The predictions of a finished run give its scores, and one training gets an interval."""
    manifest = open_manifest(params)
    counts = read_image_counts(manifest, "dual")
    assert counts is not None
    assert len(counts) == len(manifest.scored())
    outcomes = [read_outcome(params, manifest.classes, name) for name in ("dual", "strong")]
    miou = pooled_miou(counts.sum(axis=0)[None].astype(float))[0]
    assert miou == pytest.approx(outcomes[0].by_seed[0], abs=1e-4)
    assert with_images(params, manifest, outcomes) == outcomes  # two seeds have Student's
    assert between_outcomes("dual", *outcomes).over_images is None
