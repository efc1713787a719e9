"""Tagged images: warped, mirrored with their seeds, repeatable."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pipeline.batches.augment import View, image_tensor, warp
from pipeline.batches.image_cache import ImageCache
from pipeline.batches.order import Item
from pipeline.data.images import read_image, read_mask
from pipeline.data.manifest import Manifest
from pipeline.data.seeds import UNSEEDED
from pipeline.networks.backbone import build_backbone
from pipeline.networks.grid import Geometry
from pipeline.weak.seeds.tagged import Tagged, TaggedImages, mask_on_grid, strong_truths

SIDE, GRID = 32, 8


@pytest.fixture
def seeds(manifest: Manifest) -> np.ndarray:
    """Seeds that tell images and columns apart."""
    count = len(manifest.train())
    seeds = np.full((count, GRID, GRID), UNSEEDED, dtype=np.uint8)
    seeds[:, 0, :] = np.arange(GRID)
    seeds[:, 1, 0] = np.arange(count)
    return seeds


def items(images: TaggedImages, keys: int = 6) -> Iterator[tuple[int, Tagged]]:
    for index in range(len(images.rows)):
        for key in range(keys):
            yield index, images[Item(0, index, (0, key, 0, index))]


def test_image_tags_and_seeds_belong_together(manifest: Manifest, seeds: np.ndarray) -> None:
    images = TaggedImages(manifest, manifest.train(), SIDE, seeds)
    mirrored = 0
    for index, (_, image, tags, seed, _) in items(images):
        row = manifest.train()[index]
        plain = image_tensor(read_image(manifest.path(row.image)))
        assert (image.dtype, tags.dtype, seed.dtype) == (torch.uint8, torch.bool, torch.uint8)
        assert tags.nonzero().flatten().tolist() == sorted({0, *row.tags})
        flipped = not torch.equal(image, plain)
        mirrored += flipped
        assert torch.equal(image, plain.flip(-1) if flipped else plain)
        expected = torch.from_numpy(seeds[index])
        assert torch.equal(seed, expected.flip(-1) if flipped else expected)
    assert 0.25 < mirrored / (6 * len(manifest.train())) < 0.75


def test_truth_under_the_grid_points() -> None:
    """Block-centred at stride 4 on 32 pixels: the pixel before the middle of each block."""
    geometry = build_backbone("vgg16_narrow", "none").geometry
    mask = np.random.default_rng(0).integers(0, 5, (SIDE, SIDE)).astype(np.uint8)
    large = np.kron(mask, np.ones((2, 3), dtype=np.uint8))
    for array in (mask, large):
        found = mask_on_grid(Image.fromarray(array), SIDE, (GRID, GRID), geometry)
        assert np.array_equal(found.numpy(), mask[1::4, 1::4])


def test_the_truth_of_strong_images_lies_on_the_grid(manifest: Manifest, seeds: np.ndarray) -> None:
    """Every fourth pixel of the mask, mirrored where the image is; unknown for weak images."""
    geometry = Geometry(1, 4, corner=True, saliency="")
    truths = strong_truths(manifest, SIDE, (SIDE // 4, SIDE // 4), geometry)
    images = TaggedImages(manifest, manifest.train(), SIDE, seeds[:, :8, :8], truths=truths)
    strong = 0
    for index, sample in items(images, 2):
        row = manifest.train()[index]
        plain = image_tensor(read_image(manifest.path(row.image)))
        mask = torch.from_numpy(np.array(read_mask(manifest.path(row.mask))))[::4, ::4]
        expected = mask if row.split == "strong" else torch.full_like(mask, 255)
        strong += row.split == "strong"
        flipped = not torch.equal(sample.images, plain)
        assert torch.equal(sample.truth, expected.flip(-1) if flipped else expected)
    assert strong


def test_images_are_warped_to_the_side(manifest: Manifest) -> None:
    images = TaggedImages(manifest, manifest.train(), 20)
    row = manifest.train()[3]
    warped = warp(image_tensor(read_image(manifest.path(row.image))), 20)
    _, image, _, seed, _ = images[Item(0, 3, (0,))]
    assert torch.equal(image, warped) or torch.equal(image, warped.flip(-1))
    assert seed.shape == (1, 1)
    assert int(seed) == UNSEEDED


def test_a_view_scales_and_moves(manifest: Manifest) -> None:
    view = View(SIDE, 0.5, 2.0)
    images = TaggedImages(manifest, manifest.train(), SIDE, view=view)
    seen = {
        sample.images.contiguous().numpy().tobytes() for index, sample in items(images) if not index
    }
    assert len(seen) == 6
    assert all(sample.images.shape == (3, SIDE, SIDE) for _, sample in items(images, 1))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_repeat(manifest: Manifest, seeds: np.ndarray, workers: int) -> None:
    def made(seed: int, workers: int) -> list[Tensor]:
        images = TaggedImages(manifest, manifest.train(), SIDE, seeds)
        loaded = images.batches(5, 4, seed=seed, workers=workers)
        return [part for batch in loaded for part in batch[1:]]

    first, second = made(1, 0), made(1, workers)
    assert len(first) == len(second) == 4 * 4
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, made(2, 0), strict=True))


def test_batches_resume_where_they_were(manifest: Manifest, seeds: np.ndarray) -> None:
    images = TaggedImages(manifest, manifest.train(), SIDE, seeds)
    whole, rest = (list(images.batches(5, 4, 1, done)) for done in (0, 3))
    for before, after in zip(whole[3:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(before[1:], after[1:], strict=True))


def test_a_batch_knows_its_images(manifest: Manifest, seeds: np.ndarray) -> None:
    images = TaggedImages(manifest, manifest.train(), SIDE, seeds)
    rows = {row.id: row for row in images.rows}
    for batch in images.batches(5, 4, 1):
        known = [set(rows[name].tags) for name in batch.ids]
        assert known == [set(row.nonzero()[:, 0].tolist()) - {0} for row in batch.tags]


def test_a_pass_serves_every_image_once(manifest: Manifest, seeds: np.ndarray) -> None:
    images = TaggedImages(manifest, manifest.train(), SIDE, seeds)
    (batch,) = images.batches(16, 1, seed=0)
    number = torch.minimum(batch.seeds[:, 1, 0], batch.seeds[:, 1, -1])  # mirrored or not
    assert sorted(number.tolist()) == list(range(16))


def test_memory_is_not_overrun(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    images = TaggedImages(manifest, manifest.train(), SIDE)
    assert images.warped(0) is images.warped(0)
    monkeypatch.setattr(ImageCache, "LIMIT", 3 * SIDE**2 * 2 + 1)
    images = TaggedImages(manifest, manifest.train(), SIDE)
    kept = [images.warped(i) is images.warped(i) for i in range(4)]
    assert kept == [True, True, False, False]
