"""Batches of views: their halves and ids, and the same bytes whoever decodes them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pipeline.base.errors import UserError
from pipeline.batches import labelled
from pipeline.batches.augment import View
from pipeline.batches.image_cache import ImageCache
from pipeline.batches.labelled import Batch, LabelledImages, Views, batches
from pipeline.batches.loading import loader
from pipeline.batches.order import BatchPlan
from pipeline.data.pairs import Pair
from tests.elsewhere import ELSEWHERE, back_to_the_cpu

VIEW = View(16, 0.8, 1.3)


@pytest.fixture
def streams(tmp_path: Path) -> list[list[Pair]]:
    """Three strong and seven weak images of noise; each mask is filled with its image's number."""
    pairs = []
    for number in range(10):
        noise = np.random.default_rng(number).integers(0, 256, (20, 24, 3)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
        Image.new("L", (24, 20), number).save(tmp_path / f"mask{number}.png")
        files = tmp_path / f"{number}.png", tmp_path / f"mask{number}.png"
        pairs.append(Pair(str(number), *files))
    return [pairs[:3], pairs[3:]]


def made(streams: list[list[Pair]], steps: int = 5, **changes: int) -> list[tuple[Tensor, Tensor]]:
    settings = {"seed": 0, "workers": 0, **changes}
    device = torch.device("cpu")
    counts = [len(stream) for stream in streams]
    plan = BatchPlan(counts, (2, 2), steps, settings["seed"])
    workers = settings["workers"]
    got = list(batches(streams, plan, view=VIEW, classes=10, device=device, workers=workers))
    assert {batch.sizes for batch in got} == {(2, 2)}
    assert {batch.sure for batch in got} == {None}
    for batch in got:  # a batch knows its images
        drawn = [streams[item.stream][item.index].id for item in batch.items]
        assert list(batch.ids) == drawn
    return [(batch.images, batch.masks) for batch in got]


def test_shapes_and_halves(streams: list[list[Pair]]) -> None:
    for images, masks in made(streams):
        assert images.shape == (4, 3, 16, 16)
        assert masks.shape == (4, 16, 16)
        assert images.dtype == masks.dtype == torch.uint8
        numbers = [int(mask[mask != 255][0]) for mask in masks]
        assert all(number < 3 for number in numbers[:2])
        assert all(3 <= number < 10 for number in numbers[2:])


def same(a: list[tuple[Tensor, Tensor]], b: list[tuple[Tensor, Tensor]]) -> bool:
    pairs = zip(a, b, strict=True)
    return all(torch.equal(x, y) for one, two in pairs for x, y in zip(one, two, strict=True))


def test_workers_do_not_change_a_byte(streams: list[list[Pair]]) -> None:
    assert same(made(streams, workers=0), made(streams, workers=2))


@pytest.mark.parametrize("workers", [0, 2])
def test_decoding_apart_from_the_views_changes_no_byte(
    streams: list[list[Pair]], workers: int
) -> None:
    """What a GPU does, on the CPU: workers decode, views are cut from what they hand over."""
    plan = BatchPlan([3, 7], (2, 2), 5, seed=0)
    decoded = loader(LabelledImages(streams, 10), plan, workers, list)
    cut = map(Views(VIEW, 2, torch.device("cpu")), decoded)
    assert same(made(streams), [(batch.images, batch.masks) for batch in cut])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_cuts_the_same_views(streams: list[list[Pair]]) -> None:
    images = LabelledImages(streams, 10)
    samples = [images[item] for batch in BatchPlan([3, 7], (2, 2), 5, seed=0) for item in batch]
    here, there = (Views(VIEW, 2, torch.device(name))(samples) for name in ("cpu", "cuda"))
    assert torch.equal(here.masks, there.masks.cpu())
    assert int((here.images.int() - there.images.cpu().int()).abs().max()) <= 1


@pytest.mark.parametrize("workers", [0, 2])
def test_for_apples_gpus_the_workers_cut_the_views_of_a_cpu(
    streams: list[list[Pair]], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """The device without values stands for one; what reaches it is what a CPU's batch is."""
    plain = made(streams)
    monkeypatch.setattr(labelled, "without_mps", back_to_the_cpu)
    moved: list[Batch] = []
    real = Batch.on
    monkeypatch.setattr(Batch, "on", lambda batch, to: (moved.append(batch), real(batch, to))[1])
    plan = BatchPlan([3, 7], (2, 2), 5, seed=0)
    kind = {"view": VIEW, "classes": 10, "workers": workers}
    for batch in batches(streams, plan, device=ELSEWHERE, **kind):
        assert batch.images.device == batch.masks.device == ELSEWHERE
        assert batch.images.shape == (4, 3, 16, 16)
    assert same(plain, [(batch.images, batch.masks) for batch in moved])


def test_confidence_takes_the_view_of_its_mask(streams: list[list[Pair]], tmp_path: Path) -> None:
    """A mask of pixel numbers, and a confidence that repeats them, stay equal in every view."""
    numbered = []
    for pair in streams[1]:
        noise = np.random.default_rng(len(numbered)).integers(0, 10, (20, 24)).astype(np.uint8)
        file = tmp_path / f"noise{len(numbered)}.png"
        Image.fromarray(noise).save(file)
        numbered.append(Pair(pair.id, pair.image, file, file))
    device, plan = torch.device("cpu"), BatchPlan((3, 7), (2, 2), 5, seed=0)
    both = [streams[0], numbered]
    for batch in batches(both, plan, view=VIEW, classes=10, device=device, workers=0):
        assert batch.sure is not None
        assert [item.stream for item in batch.items] == [0, 0, 1, 1]
        assert torch.equal(batch.sure[2:], batch.masks[2:])
        assert (batch.sure[:2] == 255).all()  # true masks are sure
        assert batch.sure[2:].unique().numel() > 5


def test_seed_decides_and_length_does_not(streams: list[list[Pair]]) -> None:
    assert same(made(streams, seed=4), made(streams, seed=4))
    assert not same(made(streams, seed=4), made(streams, seed=5))
    assert same(made(streams, steps=2), made(streams, steps=5)[:2])


def test_without_memory_to_spare_the_batches_are_the_same(
    streams: list[list[Pair]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = made(streams)
    opened: list[Path] = []
    real = labelled.read_image

    def counting(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
        opened.append(path)
        return real(path, size)

    monkeypatch.setattr(labelled, "read_image", counting)
    assert same(plenty, made(streams))
    assert len(opened) == len(set(opened))  # each file once
    opened.clear()
    monkeypatch.setattr(ImageCache, "LIMIT", 4 * 24 * 20 * 2 + 1)
    assert same(plenty, made(streams))
    counts = Counter(opened)
    assert sorted(counts.values())[:2] == [1, 1]  # two images stayed in memory
    assert sum(counts.values()) > len(counts)


def test_a_mask_past_the_classes_is_named(streams: list[list[Pair]]) -> None:
    Image.new("L", (24, 20), 10).save(streams[1][0].mask)
    with pytest.raises(UserError, match=r"mask3\.png holds the class index 10"):
        made(streams)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_process_may_have_no_image_of_a_batch(weighted: bool) -> None:
    """Chance decides who is in a natural batch; what is empty is still a batch."""
    batch = Views(View(8, 1.0, 1.0), 2, torch.device("cpu"), weighted)([])
    assert batch.images.shape == (0, 3, 8, 8)
    assert batch.masks.shape == (0, 8, 8)
    assert batch.sizes == (0, 0)
    assert (batch.sure is not None) == weighted
