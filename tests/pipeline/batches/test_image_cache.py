"""The cache of decoded images."""

import pytest
import torch

from pipeline.batches.image_cache import ImageCache


def test_an_image_that_does_not_fit_does_not_close_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageCache, "LIMIT", 100)
    cache = ImageCache()
    sizes = {"a": 60, "big": 1000, "b": 40, "c": 1}
    reads: list[str] = []

    def get(key: str) -> None:
        cache.get(key, lambda: (reads.append(key) or torch.zeros(sizes[key], dtype=torch.uint8),))

    for key in ("a", "big", "b", "c", "a", "big", "b", "c"):
        get(key)
    assert reads == ["a", "big", "b", "c", "big", "c"]
