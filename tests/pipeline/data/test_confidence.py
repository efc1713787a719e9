"""Confidence: the tempered posterior, and sixteen grey levels in a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data.confidence import LEVELS, TEMPERATURE, crf_confidence, write_confidence


def test_it_is_the_eighth_root_normalised() -> None:
    generator = np.random.default_rng(0)
    q = generator.dirichlet([0.3, 0.3, 0.3], size=(5, 4)).transpose(2, 0, 1)
    found = crf_confidence(torch.from_numpy(q))
    for y, x in np.ndindex(5, 4):
        roots = [value ** (1 / TEMPERATURE) for value in q[:, y, x]]
        assert float(found[y, x]) == pytest.approx(max(roots) / sum(roots), rel=1e-9)


def test_it_ranks_pixels_as_the_posterior_and_stays_finite() -> None:
    first = torch.tensor([0.5, 0.6, 0.9, 0.999, 1 - 1e-7, 1.0])
    found = crf_confidence(torch.stack([first, 1 - first])[:, None])[0]
    assert found.tolist() == sorted(found.tolist())
    assert float(found[0]) == pytest.approx(0.5)
    assert float(found[-1]) == pytest.approx(1.0, abs=1e-3)
    assert torch.isfinite(found).all()
    assert (crf_confidence(torch.ones(1, 2, 2)) == 1).all()  # an image without tags


def test_files_have_sixteen_levels_of_which_the_last_is_one(tmp_path: Path) -> None:
    p = torch.linspace(0, 1, 1001).reshape(7, 143)
    write_confidence(tmp_path / "a.png", p)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "L"
        grey = np.array(image)
    assert grey.shape == (7, 143)
    assert np.unique(grey).tolist() == [17 * level for level in range(LEVELS)]
    assert np.abs(grey / 255 - p.numpy()).max() <= 0.5 / (LEVELS - 1) + 1e-6
