"""Average precision against its definition, and the table of the stage."""

import numpy as np
import pytest

from pipeline.weak.seeds.tag_precision import average_precision


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_matches_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=40).astype(np.float32)
    present = rng.random(40) < 0.3
    order = sorted(range(40), key=lambda i: -scores[i])
    precisions = [
        sum(present[j] for j in order[: place + 1]) / (place + 1)
        for place, i in enumerate(order)
        if present[i]
    ]
    assert average_precision(scores, present) == pytest.approx(100 * np.mean(precisions))


def test_known_values() -> None:
    scores = np.arange(4, dtype=np.float32)
    assert average_precision(scores, np.array([False, False, True, True])) == 100
    assert average_precision(scores, np.array([True, False, False, False])) == 25
    assert np.isnan(average_precision(scores, np.zeros(4, dtype=bool)))
