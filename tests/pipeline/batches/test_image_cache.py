"""The cache of decoded images."""

from types import SimpleNamespace

import pytest
import torch

from pipeline.batches import image_cache
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


def test_all_processes_that_decode_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageCache, "LIMIT", 120)
    monkeypatch.setattr(image_cache, "world", lambda: SimpleNamespace(size=2))
    kept = []
    for worker in (None, SimpleNamespace(num_workers=3)):
        monkeypatch.setattr(image_cache, "get_worker_info", lambda worker=worker: worker)
        cache = ImageCache()
        for key in range(9):
            cache.get(key, lambda: (torch.zeros(10, dtype=torch.uint8),))
        kept.append(len(cache.tensors))
    assert kept == [6, 2]
