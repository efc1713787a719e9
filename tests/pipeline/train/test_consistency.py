"""Consistency: what is taught, what is mixed, what counts, and where no gradient goes."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.batches.augment import normalise
from pipeline.batches.labelled import Batch
from pipeline.batches.order import Item
from pipeline.data.manifest import IGNORE
from pipeline.data.randomness import rng
from pipeline.engine.forward import prepare
from pipeline.networks.grid import upsample
from pipeline.train import consistency as module
from pipeline.train.build import build_network
from pipeline.train.consistency import (
    UNSURE,
    consistency_loss,
    draw_box,
    pseudo_labels,
    recolour,
    strong_copies,
)
from tests.settings import small_params

B, C, H = 5, 3, 24


def logits(seed: int = 0) -> Tensor:
    return 3 * torch.randn(B, C, H, H, generator=torch.Generator().manual_seed(seed)).double()


def items(step: int = 0) -> list[Item]:
    return [Item(1, slot, (0, step, 1, slot)) for slot in range(B)]


def flat_images() -> tuple[Tensor, Tensor]:
    """Images and labels that are filled with their own number, so that a mix can be told."""
    numbers = torch.arange(B).view(B, 1, 1)
    return (40 * numbers[:, None]).byte().expand(B, 3, H, H).clone(), numbers.expand(
        B, H, H
    ).clone()


# --- pseudo-labels ------------------------------------------------------------------------------


def test_labels_are_the_sure_ones_within_the_image() -> None:
    known, masks = logits(), torch.zeros(B, H, H, dtype=torch.uint8)
    masks[:, :, 20:] = IGNORE
    found = pseudo_labels(known, masks, 0.8)
    seen = set()
    for b, y, x in np.ndindex(B, H, H):
        powers = [math.exp(v) for v in known[b, :, y, x].tolist()]
        best = max(range(C), key=powers.__getitem__)
        expected = best if powers[best] / sum(powers) > 0.8 else UNSURE
        assert int(found[b, y, x]) == (IGNORE if x >= 20 else expected)
        seen.add(int(found[b, y, x]))
    assert seen == {0, 1, 2, UNSURE, IGNORE}


def test_a_probability_of_just_the_threshold_is_not_enough() -> None:
    known, masks = torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, dtype=torch.uint8)
    assert int(pseudo_labels(known, masks, 0.5)) == UNSURE
    assert int(pseudo_labels(known, masks, 0.49)) == 0


def test_the_strong_branch_learns_what_the_teacher_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are the average's, made without a graph; the copies go through the strong branch."""
    from pipeline.data.plan import make_plan
    from pipeline.train import batch_losses
    from pipeline.train.train import losses_of

    params = small_params(
        **{"train.crop": H, "extras.consistency_threshold": 0.12, "train.batch_size": 8}
    )
    plan = make_plan("dual+consistency", 0, ["a"], ["b"], extras=params.extras)
    subject, teacher = (build_network(params, plan, 9, "none") for _ in range(2))
    for network, std in ((subject, 1.0), (teacher, 2.0)):
        for branch in network.branches:
            torch.nn.init.normal_(branch[-1].weight, std=std)
    teacher.eval()
    graphs, seen = [], []
    teacher.register_forward_hook(lambda *_: graphs.append(torch.is_grad_enabled()))

    def looking(logits_BCHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(labels_BHW)
        return consistency_loss(logits_BCHW, labels_BHW)

    monkeypatch.setattr(batch_losses, "consistency_loss", looking)
    monkeypatch.setattr(batch_losses, "strong_copies", lambda images, labels, _: (images, labels))
    monkeypatch.setattr(batch_losses, "masks_loss", lambda logits, _: 0 * logits.sum())
    images = torch.randint(0, 256, (8, 3, H, H), dtype=torch.uint8)
    masks = torch.zeros(8, H, H, dtype=torch.uint8)
    asked = tuple(Item(0, 0, (slot,)) for slot in range(8))
    batch = Batch(("x",) * 8, images, masks, (4, 4), asked, None)
    forward = prepare(subject, params.engine, 8)
    losses = losses_of(params, plan, forward, teacher)
    loss, terms = losses(batch)
    loss.backward()
    assert terms.shape == (3,)  # loss, consistency, sure
    assert graphs == [False]
    with torch.no_grad():
        grid = teacher(normalise(images[4:]))
        known = upsample(grid, (H, H), teacher.backbone.geometry)
    expected = pseudo_labels(known, masks[4:], 0.12)
    assert torch.equal(seen[0], expected)
    assert not torch.equal(expected, pseudo_labels(known.roll(1, 0), masks[4:], 0.12))
    strong, weak = (branch[-1].weight.grad for branch in subject.branches)
    assert strong.abs().sum() > 0
    assert weak.abs().sum() == 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


# --- the loss -----------------------------------------------------------------------------------


def test_the_loss_is_a_loop_over_pixels() -> None:
    learnt, generator = logits(), np.random.default_rng(0)
    labels = torch.from_numpy(generator.choice([0, 1, 2, UNSURE, IGNORE], (B, H, H)))
    total, shown, sure = 0.0, 0, 0
    for b, y, x in np.ndindex(B, H, H):
        label = int(labels[b, y, x])
        shown += label != IGNORE
        if label in (0, 1, 2):
            powers = [math.exp(v) for v in learnt[b, :, y, x].tolist()]
            total -= math.log(powers[label] / sum(powers))
            sure += 1
    loss, share = consistency_loss(learnt, labels)
    assert float(loss) == pytest.approx(total / shown, rel=1e-9)
    assert float(share) == pytest.approx(sure / shown, rel=1e-6)


@pytest.mark.parametrize("label", [UNSURE, IGNORE])
def test_nothing_sure_is_no_loss(label: int) -> None:
    learnt = logits().requires_grad_()
    loss, share = consistency_loss(learnt, torch.full((B, H, H), label))
    loss.backward()
    assert float(loss.detach()) == float(share) == 0
    assert learnt.grad is not None
    assert not learnt.grad.any()


# --- copies -------------------------------------------------------------------------------------


def test_image_and_label_are_mixed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "recolour", lambda image, _: image)
    images, labels = flat_images()
    mixed, alone = 0, 0
    for step in range(20):
        copies, taught = strong_copies(images, labels, items(step))
        assert torch.equal(copies.long(), 40 * taught[:, None].expand(B, 3, H, H))
        for number in range(B):
            values = taught[number].unique().tolist()
            assert number in values
            assert len(values) <= 2
            foreign = taught[number] != number
            mixed, alone = mixed + bool(foreign.any()), alone + (not foreign.any())
            rows, columns = foreign.any(1), foreign.any(0)
            assert torch.equal(foreign, rows[:, None] & columns)  # one rectangle
            assert int(foreign.sum()) <= 0.45 * H * H
            for line in (rows, columns):
                assert int(line.diff().sum()) <= 2  # without gaps
    assert 35 <= mixed <= 65  # half of a hundred, by three deviations
    assert mixed + alone == 100
    assert torch.equal(images, flat_images()[0])  # the plain views are as they were
    assert torch.equal(labels, flat_images()[1])


def test_copies_are_a_function_of_the_items() -> None:
    images = torch.randint(0, 256, (B, 3, H, H), dtype=torch.uint8)
    labels = torch.randint(0, C, (B, H, H))
    one, two, other = (strong_copies(images, labels, items(step)) for step in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0], other[0])


def test_without_weak_images_there_are_no_copies() -> None:
    none = torch.empty(0, 3, H, H, dtype=torch.uint8), torch.empty(0, H, H, dtype=torch.int64)
    copies, labels = strong_copies(*none, [])
    assert len(copies) == len(labels) == 0
    loss, share = consistency_loss(torch.empty(0, C, H, H), labels)
    assert float(loss) == float(share) == 0


def test_colours_change_as_often_as_is_said() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, H, H), generator=generator, dtype=torch.uint8)
    copies = [recolour(image, rng(0, step)) for step in range(200)]
    assert all(copy.shape == image.shape and copy.dtype == torch.uint8 for copy in copies)
    plain = sum(torch.equal(copy, image) for copy in copies)
    grey = sum(bool((copy == copy[:1]).all()) for copy in copies)
    assert 5 <= plain <= 35  # 0.2 * 0.8 * 0.5 of 200, where a weak blur may not show
    assert 25 <= grey <= 55  # 0.2 of 200
    assert torch.equal(copies[7], recolour(image, rng(0, 7)))


def test_boxes_lie_within_the_view() -> None:
    areas = []
    for step in range(300):
        for span in (box := draw_box(H, rng(1, step))):
            assert 0 <= span.start < span.stop <= H
        areas.append((box[0].stop - box[0].start) * (box[1].stop - box[1].start) / H**2)
    assert 0.01 < min(areas) < 0.05
    assert 0.3 < max(areas) < 0.45
