"""Batches: halves, passes, oversampling, and the same bytes whoever decodes them."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pipeline import sampling
from pipeline.augment import View
from pipeline.device import rng
from pipeline.errors import UserError
from pipeline.sampling import (
    BatchPlan,
    LabelledImages,
    Memory,
    Pair,
    Views,
    batches,
    endless_order,
    loader,
)

VIEW = View(16, 0.8, 1.3)


@pytest.fixture
def streams(tmp_path: Path) -> list[list[Pair]]:
    """Three strong and seven weak images of noise; each mask is filled with its image's number."""
    pairs = []
    for number in range(10):
        noise = np.random.default_rng(number).integers(0, 256, (20, 24, 3)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
        Image.new("L", (24, 20), number).save(tmp_path / f"mask{number}.png")
        pairs.append((tmp_path / f"{number}.png", tmp_path / f"mask{number}.png"))
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
    return [(batch.images, batch.masks) for batch in got]


# --- which images -------------------------------------------------------------------------------


def test_every_index_comes_once_in_every_pass() -> None:
    for count in (1, 5, 12):
        drawn = list(islice(endless_order(count, seed=3, stream=0), 4 * count))
        for first in range(0, len(drawn), count):
            assert sorted(drawn[first : first + count]) == list(range(count))
    passes = {tuple(drawn[first : first + 12]) for first in range(0, 48, 12)}
    assert len(passes) == 4  # in another order each time


def test_batches_are_halves_and_the_short_list_is_seen_more_often() -> None:
    plan = BatchPlan(counts=(6, 30), sizes=(3, 3), steps=10, seed=0)
    drawn = list(plan)
    assert len(plan) == len(drawn) == 10
    for batch in drawn:
        assert [item.stream for item in batch] == [0, 0, 0, 1, 1, 1]
    seen = Counter((item.stream, item.index) for batch in drawn for item in batch)
    assert seen == Counter({(0, i): 5 for i in range(6)} | {(1, i): 1 for i in range(30)})


def test_uneven_sizes_and_lists_shorter_than_their_half() -> None:
    drawn = list(BatchPlan(counts=(1, 4), sizes=(3, 1), steps=4, seed=0))
    assert all([item.stream for item in batch] == [0, 0, 0, 1] for batch in drawn)
    assert {item.index for batch in drawn for item in batch[:3]} == {0}
    assert sorted(batch[3].index for batch in drawn) == [0, 1, 2, 3]


def test_seeds_and_streams_are_shuffled_apart() -> None:
    def order(seed: int, stream: int) -> tuple[int, ...]:
        return tuple(islice(endless_order(20, seed, stream), 20))

    orders = {order(seed, stream) for seed in range(4) for stream in range(3)}
    assert len(orders) == 12
    assert order(2, 1) == order(2, 1)


def test_a_stream_does_not_depend_on_the_others() -> None:
    """Swapping the weak list for a longer one leaves the strong half as it was."""
    first = BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1)
    second = BatchPlan(counts=(6, 400), sizes=(2, 2), steps=9, seed=1)
    for a, b in zip(first, second, strict=True):
        assert a[:2] == b[:2]
        assert [item.key for item in a] == [item.key for item in b]


def test_a_plan_can_be_read_twice() -> None:
    plan = BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1)
    assert list(plan) == list(plan)


def test_a_natural_batch_holds_what_chance_gives_and_a_pass_holds_everything() -> None:
    plan = BatchPlan(counts=(6, 30), sizes=(3, 3), steps=12, seed=0, natural=True)
    drawn = list(plan)
    assert {len(batch) for batch in drawn} == {6}
    for batch in drawn:
        assert [item.stream for item in batch] == sorted(item.stream for item in batch)
        assert len({item.key for item in batch}) == 6
    assert len({sum(item.stream == 0 for item in batch) for batch in drawn}) > 1
    for first in (0, 6):  # six batches are one pass
        seen = Counter((i.stream, i.index) for batch in drawn[first : first + 6] for i in batch)
        assert seen == Counter({(0, i): 1 for i in range(6)} | {(1, i): 1 for i in range(30)})


def test_a_plan_goes_on_where_it_was() -> None:
    whole = list(BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1))
    rest = BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1, done=5)
    assert len(rest) == 4
    assert list(rest) == whole[5:]


def test_every_item_has_its_own_random_key() -> None:
    drawn = list(BatchPlan(counts=(6, 30), sizes=(4, 4), steps=50, seed=0))
    keys = [item.key for batch in drawn for item in batch]
    assert len(set(keys)) == len(keys) == 400
    firsts = {float(rng(*key).random()) for key in keys}
    assert len(firsts) == 400


# --- as tensors ---------------------------------------------------------------------------------


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_cuts_the_same_views(streams: list[list[Pair]]) -> None:
    images = LabelledImages(streams, 10)
    samples = [images[item] for batch in BatchPlan([3, 7], (2, 2), 5, seed=0) for item in batch]
    here, there = (Views(VIEW, 2, torch.device(name))(samples) for name in ("cpu", "cuda"))
    assert torch.equal(here[1], there[1].cpu())
    assert int((here[0].int() - there[0].cpu().int()).abs().max()) <= 1


def test_confidence_takes_the_view_of_its_mask(streams: list[list[Pair]], tmp_path: Path) -> None:
    """A mask of pixel numbers, and a confidence that repeats them, stay equal in every view."""
    numbered = []
    for image, _ in streams[1]:
        noise = np.random.default_rng(len(numbered)).integers(0, 10, (20, 24)).astype(np.uint8)
        file = tmp_path / f"noise{len(numbered)}.png"
        Image.fromarray(noise).save(file)
        numbered.append((image, file, file))
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
    real = sampling.read_image

    def counting(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
        opened.append(path)
        return real(path, size)

    monkeypatch.setattr(sampling, "read_image", counting)
    assert same(plenty, made(streams))
    assert len(opened) == len(set(opened))  # each file once
    opened.clear()
    monkeypatch.setattr(Memory, "LIMIT", 4 * 24 * 20 * 2 + 1)
    assert same(plenty, made(streams))
    counts = Counter(opened)
    assert sorted(counts.values())[:2] == [1, 1]  # two images stayed in memory
    assert sum(counts.values()) > len(counts)


def test_a_mask_past_the_classes_is_named(streams: list[list[Pair]]) -> None:
    Image.new("L", (24, 20), 10).save(streams[1][0][1])
    with pytest.raises(UserError, match=r"mask3\.png holds the class index 10"):
        made(streams)


def test_an_image_that_does_not_fit_does_not_close_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Memory, "LIMIT", 100)
    memory = Memory()
    sizes = {"a": 60, "big": 1000, "b": 40, "c": 1}
    reads: list[str] = []

    def get(key: str) -> None:
        memory.get(key, lambda: (reads.append(key) or torch.zeros(sizes[key], dtype=torch.uint8),))

    for key in ("a", "big", "b", "c", "a", "big", "b", "c"):
        get(key)
    assert reads == ["a", "big", "b", "c", "big", "c"]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_process_may_have_no_image_of_a_batch(weighted: bool) -> None:
    """Chance decides who is in a natural batch; what is empty is still a batch."""
    batch = Views(View(8, 1.0, 1.0), 2, torch.device("cpu"), weighted)([])
    assert batch.images.shape == (0, 3, 8, 8)
    assert batch.masks.shape == (0, 8, 8)
    assert batch.sizes == (0, 0)
    assert (batch.sure is not None) == weighted
