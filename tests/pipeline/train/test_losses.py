"""Every loss against one written as loops, and where its gradient may go."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.data.manifest import IGNORE
from pipeline.data.seeds import UNSEEDED
from pipeline.train.losses import segmentation_loss
from pipeline.weak.dsrg.losses import boundary_loss, floored_softmax, seeding_loss

B, C, H, W = 4, 3, 5, 6


def random_logits(seed: int = 0, scale: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(B, C, H, W, generator=generator, dtype=torch.float64)


def random_labels(none: int, seed: int = 0) -> Tensor:
    labels = torch.from_numpy(np.random.default_rng(seed).integers(0, C, (B, H, W)))
    labels[torch.rand(B, H, W, generator=torch.Generator().manual_seed(seed)) < 0.4] = none
    return labels


def slow_softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def pixels(image: int, labels: Tensor) -> list[tuple[int, int, int, int]]:
    """(image, y, x, label) of every pixel of one image."""
    return [(image, y, x, int(labels[image, y, x])) for y in range(H) for x in range(W)]


# --- Eq. 2 and Eq. 3 ----------------------------------------------------------------------------


def slow_segmentation(logits: Tensor, target: Tensor, parts: list[range]) -> float:
    total = 0.0
    for part in parts:
        losses = [
            -math.log(slow_softmax(logits[b, :, y, x].tolist())[label])
            for image in part
            for b, y, x, label in pixels(image, target)
            if label != IGNORE
        ]
        total += sum(losses) / len(losses) if losses else 0.0
    return total


@pytest.mark.parametrize("sizes", [(2, 2), (1, 3), (4,), (1, 1, 2)])
def test_segmentation_loss_matches_loops(sizes: tuple[int, ...]) -> None:
    logits, target = random_logits(), random_labels(IGNORE)
    ends = np.cumsum([0, *sizes]).tolist()
    parts = [range(a, b) for a, b in pairwise(ends)]
    expected = slow_segmentation(logits, target, parts)
    assert float(segmentation_loss(logits, target, sizes)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sizes", [(2, 2), (1, 3), (4,)])
def test_weighted_loss_matches_loops(sizes: tuple[int, ...]) -> None:
    logits, target = random_logits(), random_labels(IGNORE)
    weight = torch.rand(B, H, W, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ends = np.cumsum([0, *sizes]).tolist()
    expected = 0.0
    for part in (range(a, b) for a, b in pairwise(ends)):
        over, under = 0.0, 0.0
        for b, y, x, label in (pixel for image in part for pixel in pixels(image, target)):
            if label != IGNORE:
                over -= float(weight[b, y, x]) * math.log(
                    slow_softmax(logits[b, :, y, x].tolist())[label]
                )
                under += float(weight[b, y, x])
        expected += over / under
    found = segmentation_loss(logits, target, sizes, weight)
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_weights_at_known_values() -> None:
    """Two pixels of losses log 2 and log 4, the second three times as heavy."""
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]]).T.reshape(1, 2, 1, 2)
    target = torch.tensor([[[0, 1]]])
    weight = torch.tensor([[[0.25, 0.75]]])
    expected = (math.log(2) + 3 * math.log(4)) / 4
    assert float(segmentation_loss(logits, target, (1,), weight)) == pytest.approx(expected)
    alike = segmentation_loss(logits, target, (1,), torch.full((1, 1, 2), 0.4))
    assert float(alike) == pytest.approx(float(segmentation_loss(logits, target, (1,))))


def test_a_branch_without_weight_adds_nothing() -> None:
    logits, target = random_logits().requires_grad_(), random_labels(IGNORE)
    weight = torch.ones(B, H, W, dtype=torch.float64)
    weight[2:] = 0
    loss = segmentation_loss(logits, target, (2, 2), weight)
    alone = segmentation_loss(logits.detach()[:2], target[:2], (2,))
    assert float(loss.detach()) == pytest.approx(float(alone))
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[2:].any()


def test_both_branches_weigh_the_same_whatever_they_ignore() -> None:
    logits, target = torch.zeros(2, C, H, W), torch.zeros(2, H, W, dtype=torch.int64)
    target[0, :, 1:] = IGNORE
    loss = segmentation_loss(logits, target, (1, 1))
    assert float(loss) == pytest.approx(2 * math.log(C))


def test_ignored_pixels_get_no_gradient_and_their_logits_do_not_matter() -> None:
    logits, target = random_logits().requires_grad_(), random_labels(IGNORE)
    segmentation_loss(logits, target, (2, 2)).backward()
    ignored = (target == IGNORE)[:, None].expand_as(logits)
    assert logits.grad is not None
    assert (logits.grad[ignored] == 0).all()
    assert (logits.grad[~ignored] != 0).all()
    other = logits.detach().clone()
    other[ignored] = 7.0
    torch.testing.assert_close(
        segmentation_loss(other, target, (2, 2)), segmentation_loss(logits, target, (2, 2))
    )


def test_a_branch_without_a_labelled_pixel_adds_nothing() -> None:
    logits, target = random_logits().requires_grad_(), random_labels(IGNORE)
    target[2:] = IGNORE
    loss = segmentation_loss(logits, target, (2, 2))
    loss.backward()
    torch.testing.assert_close(loss, segmentation_loss(logits[:2], target[:2], (2,)))
    assert logits.grad is not None
    assert (logits.grad[2:] == 0).all()
    assert float(segmentation_loss(logits[2:].detach(), target[2:], (2,))) == 0.0


# --- DSRG ---------------------------------------------------------------------------------------


def test_floored_softmax_is_the_softmax_with_a_floor() -> None:
    logits = random_logits(scale=20.0)
    p = floored_softmax(logits)
    assert p.dtype == torch.float32
    for b, y, x in np.ndindex(B, H, W):
        plain = slow_softmax(logits[b, :, y, x].tolist())
        expected = [(value + 1e-4) / (1 + 1e-4 * C) for value in plain]
        assert p[b, :, y, x].tolist() == pytest.approx(expected, rel=1e-4)
    assert float(p.min()) >= 0.9e-4


def slow_seeding(p: Tensor, seeds: Tensor) -> float:
    losses = []
    for image in range(len(p)):
        loss = 0.0
        for wanted in ([0], range(1, C)):
            logs = [
                math.log(float(p[b, label, y, x]))
                for b, y, x, label in pixels(image, seeds)
                if label in wanted
            ]
            loss -= sum(logs) / max(len(logs), 1e-4)
        losses.append(loss)
    return sum(losses) / len(losses)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_seeding_loss_matches_loops(dtype: torch.dtype) -> None:
    p, seeds = random_logits().softmax(dim=1), random_labels(UNSEEDED)
    seeds[0] = UNSEEDED  # no seed at all
    seeds[1][seeds[1] == 0] = UNSEEDED  # no background
    seeds[2][seeds[2] != 0] = UNSEEDED  # no object
    loss = seeding_loss(p, seeds.to(dtype))
    assert float(loss) == pytest.approx(slow_seeding(p, seeds), rel=1e-12)


def test_seeding_loss_of_known_images() -> None:
    p = torch.tensor([0.5, 0.25, 0.25]).view(1, 3, 1, 1).expand(1, 3, 1, 4)
    seeds = torch.tensor([[[0, 1, 2, UNSEEDED]]], dtype=torch.uint8)
    # Background log 2 by its one pixel; objects 2 log 4 by their two pixels together.
    assert float(seeding_loss(p, seeds)) == pytest.approx(math.log(2) + math.log(4))
    assert float(seeding_loss(p, torch.full_like(seeds, UNSEEDED))) == 0.0


def test_seeding_gradient_reaches_seeds_only() -> None:
    logits, seeds = random_logits().requires_grad_(), random_labels(UNSEEDED)
    seeds[0] = UNSEEDED
    seeding_loss(floored_softmax(logits), seeds).backward()
    assert logits.grad is not None
    reached = (logits.grad != 0).any(dim=1)
    assert torch.equal(reached, seeds != UNSEEDED)
    assert torch.isfinite(logits.grad).all()


def slow_boundary(p: Tensor, q: Tensor) -> float:
    terms = []
    for b, y, x in np.ndindex(B, H, W):
        kept = q[b, :, y, x].tolist()
        target = [value / sum(kept) for value in kept]
        ratios = [t / v for t, v in zip(target, p[b, :, y, x].tolist(), strict=True)]
        clipped = [min(max(ratio, 0.05), 20.0) for ratio in ratios]
        terms.append(sum(t * math.log(r) for t, r in zip(target, clipped, strict=True)))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("scale", [0.5, 3.0, 15.0])
def test_boundary_loss_matches_loops(scale: float) -> None:
    p = (random_logits(0, scale).softmax(dim=1) + 1e-4) / (1 + 1e-4 * C)
    q = 0.7 * random_logits(1, scale).softmax(dim=1)  # the rest fell to missing classes
    assert float(boundary_loss(p, q)) == pytest.approx(slow_boundary(p, q), rel=1e-12)


def test_boundary_loss_is_the_divergence_where_nothing_is_clipped() -> None:
    p, q = random_logits(0, 0.3).softmax(dim=1), random_logits(1, 0.3).softmax(dim=1)
    divergence = (q * (q / p).log()).sum(dim=1).mean()
    torch.testing.assert_close(boundary_loss(p, q), divergence)
    assert float(boundary_loss(p, p)) == pytest.approx(0.0, abs=1e-12)


def test_boundary_gradient_reaches_the_network_and_not_the_crf() -> None:
    p = random_logits(0).softmax(dim=1).requires_grad_()
    q = random_logits(1).softmax(dim=1).requires_grad_()
    boundary_loss(p, q).backward()
    assert q.grad is None
    assert p.grad is not None
    target = q.detach()
    free = (target / p > 0.05) & (target / p < 20.0)
    expected = torch.where(free, -target / p, 0.0) / (B * H * W)
    torch.testing.assert_close(p.grad, expected.detach())
