"""The cue network and the rules that turn its maps into seeds, each against a slow statement."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.networks.backbone import Backbone, build_backbone
from pipeline.networks.grid import Geometry
from pipeline.weak.seeds.cam import (
    CamNet,
    activation_maps,
    background_from_saliency,
    cam_mask,
    place_seeds,
    scores_and_saliency,
)

NONE = np.zeros((2, 3), dtype=bool)


# --- the network --------------------------------------------------------------------------------


def tiny_backbone(corner: bool = True) -> Backbone:
    """Its ReLUs work in place, so a hook that kept no copy would read the wrong values."""
    body = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(6, 5, 3, 2, 1), nn.ReLU(True)
    )
    return Backbone(body, Geometry(5, 4, corner=corner, saliency="2"))


def test_scores_are_the_means_of_the_maps() -> None:
    torch.manual_seed(0)
    network = CamNet(build_backbone("vgg16_narrow", "none"), classes=5, width=8, dropout=0.5).eval()
    images = torch.randn(2, 3, 20, 24)
    maps = network.maps(images)
    assert maps.shape == (2, 4, 5, 6)  # no map of the background
    pooled = before_linear(network, images).mean(dim=(2, 3))  # pooling first, then the linear layer
    weight = network.fc8.weight[:, :, 0, 0]
    torch.testing.assert_close(network(images), pooled @ weight.T)
    torch.testing.assert_close(network(images), maps.mean(dim=(2, 3)))
    assert network.fc8.bias is None


def before_linear(network: CamNet, images: Tensor) -> Tensor:
    """Features before the linear layer: ReLU after fc6, none after fc7."""
    return network.fc7(torch.relu(network.fc6(network.backbone(images))))


def test_dropout_only_while_training() -> None:
    network = CamNet(tiny_backbone(), 4, 8, dropout=0.5)
    images = torch.randn(1, 3, 16, 16)
    assert not torch.equal(network.train().maps(images), network.maps(images))
    assert torch.equal(network.eval().maps(images), network.maps(images))


def test_saliency_is_the_gradient_at_the_middle_layer() -> None:
    torch.manual_seed(0)
    network = CamNet(tiny_backbone(), classes=4, width=8, dropout=0.5).eval()
    images = torch.randn(3, 3, 16, 20)
    found, saliency = scores_and_saliency(network, images.clone())
    body = network.backbone.body
    middle = body[2](torch.relu(body[0](images))).detach().requires_grad_()
    scores = network.fc8(network.fc7(torch.relu(network.fc6(torch.relu(middle))))).mean((2, 3))
    (gradient,) = torch.autograd.grad(scores.sum(), middle)
    torch.testing.assert_close(saliency, gradient.abs().amax(dim=1))
    torch.testing.assert_close(found, network(images))
    assert not found.requires_grad
    assert not saliency.requires_grad
    assert all(p.grad is None for p in network.parameters())
    assert not body[2]._forward_hooks


def test_images_of_a_batch_do_not_touch() -> None:
    torch.manual_seed(0)
    network = CamNet(build_backbone("vgg16_narrow", "none"), classes=4, width=8, dropout=0.5).eval()
    images = torch.randn(3, 3, 32, 32)
    scores, saliency = scores_and_saliency(network, images.clone())
    assert saliency.shape == (3, 8, 8)
    assert float(saliency.min()) >= 0
    for i in range(3):
        one_score, one_saliency = scores_and_saliency(network, images[i : i + 1].clone())
        torch.testing.assert_close(one_score[0], scores[i])
        torch.testing.assert_close(one_saliency[0], saliency[i])


# --- maps at several sizes ----------------------------------------------------------------------


@pytest.mark.parametrize("corner", [True, False])
def test_one_size_gives_the_maps_as_they_are(corner: bool) -> None:
    torch.manual_seed(0)
    network = CamNet(tiny_backbone(corner=corner), 4, 8, dropout=0.0).eval()
    side = 32 + corner
    images = torch.randn(2, 3, side, side)
    maps = activation_maps(network, [images], side)
    assert torch.equal(maps, network.maps(images).relu())


class Painted(nn.Module):
    """A network whose maps are the red and green channel, averaged over each grid point's reach."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.backbone = type("B", (), {"geometry": geometry})()

    def maps(self, images_B3HW: Tensor) -> Tensor:
        stride = self.backbone.geometry.stride
        if self.backbone.geometry.corner:
            return images_B3HW[:, :2, ::stride, ::stride]
        return torch.nn.functional.avg_pool2d(images_B3HW[:, :2], stride)


@pytest.mark.parametrize("corner", [True, False])
def test_maps_of_several_sizes_and_mirrors_lie_on_each_other(corner: bool) -> None:
    """A ramp over the photograph gives the same ramp at any size, so sums are multiples of it."""
    network = Painted(Geometry(2, 4, corner, saliency=""))
    size = 32 + corner

    def ramps(side: int) -> Tensor:
        """Red: 1 + 2 x - y + 0.5 x y over the photograph's unit square; green: below zero."""
        middle = (torch.arange(side) + 0.5) / side
        y, x = middle[:, None], middle[None]
        red = 1 + 2 * x - y + 0.5 * x * y
        return torch.stack([red, -red, red])[None]

    once = activation_maps(network, [ramps(size)], size)
    sides = [size, 2 * size, 3 * size // 2]
    summed = activation_maps(network, [ramps(side) for side in sides], size, flip=True)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # the edges are repeated
    torch.testing.assert_close(summed[inner], 6 * once[inner])
    assert not summed[:, 1].any()  # nothing below zero counts


# --- background ---------------------------------------------------------------------------------


def slow_background(saliency: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """Median of the nine around each pixel, the border mirrored; below the value at the rank."""
    h, w = saliency.shape
    smooth = np.empty_like(saliency)
    for y in range(h):
        for x in range(w):
            rows = [min(max(y + d, 0), h - 1) for d in (-1, 0, 1)]
            columns = [min(max(x + d, 0), w - 1) for d in (-1, 0, 1)]
            smooth[y, x] = sorted(saliency[r, c] for r in rows for c in columns)[4]
    limit = sorted(smooth.ravel().tolist())[int(share * h * w)]
    return np.array([[value < limit for value in row] for row in smooth.tolist()])


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(41, 41), (16, 16), (5, 9)])
def test_background_matches_loops(shape: tuple[int, int], share: float) -> None:
    saliency = np.random.default_rng(0).random(shape).astype(np.float32)
    ground = background_from_saliency(saliency, share)
    np.testing.assert_array_equal(ground, slow_background(saliency, share))
    assert ground.sum() <= int(share * saliency.size)


def test_background_has_at_most_168_of_1681_pixels_as_in_secs_cues() -> None:
    smooth = np.add.outer(np.arange(41), np.arange(41)).astype(np.float32)
    for saliency in (smooth, np.sqrt(smooth), np.random.default_rng(1).random((41, 41))):
        assert 0 < background_from_saliency(saliency.astype(np.float32), 0.1).sum() <= 168


def test_background_of_a_flat_map_is_empty() -> None:
    assert not background_from_saliency(np.ones((8, 8), dtype=np.float32), 0.1).any()


# --- foreground ---------------------------------------------------------------------------------


def slow_place(
    maps: NDArray[np.float32], tags: tuple[int, ...], ground: NDArray[np.bool_], threshold: float
) -> list[list[int]]:
    """For each pixel, who claims it; the smallest claimant of all pixels wins."""
    h, w = ground.shape
    claims = {t: maps[t - 1] > threshold * maps[t - 1].max() for t in tags}
    rows = []
    for y in range(h):
        row = []
        for x in range(w):
            here = [t for t in tags if claims[t][y, x]]
            if here:
                row.append(min(here, key=lambda t: (int(claims[t].sum()), -t)))
            else:
                row.append(0 if ground[y, x] else 255)
        rows.append(row)
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_seeds_match_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(6, 9, 11)).astype(np.float32)
    tags = tuple(sorted(int(t) + 1 for t in rng.permutation(6)[: rng.integers(1, 5)]))
    ground = rng.random((9, 11)) < 0.3
    seeds = place_seeds(maps, tags, ground, 0.2)
    assert seeds.dtype == np.uint8
    assert seeds.tolist() == slow_place(maps, tags, ground, 0.2)


def test_foreground_beats_background_and_the_threshold_is_strict() -> None:
    maps = np.array([[[1.0, 0.21, 0.2], [0.0, -1.0, 0.5]]], dtype=np.float32)
    ground = np.array([[True, False, True], [True, False, False]])
    # 0.2 is not above a fifth of the maximum, so the background keeps it.
    assert place_seeds(maps, (1,), ground, 0.2).tolist() == [[1, 1, 0], [0, 255, 1]]


def test_the_smaller_seed_wins_whatever_its_number() -> None:
    large = np.array([[1, 1, 1], [1, 0, 0]], dtype=np.float32)
    small = np.array([[0, 1, 0], [0, 0, 0]], dtype=np.float32)
    assert place_seeds(np.stack([large, small]), (1, 2), NONE, 0.2).tolist() == [
        [1, 2, 1],
        [1, 255, 255],
    ]
    assert place_seeds(np.stack([small, large]), (1, 2), NONE, 0.2).tolist() == [
        [2, 1, 2],
        [2, 255, 255],
    ]


def test_untagged_classes_leave_no_seed() -> None:
    maps = np.ones((3, 2, 3), dtype=np.float32)
    assert set(np.unique(place_seeds(maps, (2,), NONE, 0.2))) == {2}
    assert (place_seeds(maps, (), NONE, 0.2) == 255).all()
    assert (place_seeds(maps, (), ~NONE, 0.2) == 0).all()


def test_a_class_the_network_denies_gets_no_seed() -> None:
    maps = -np.array([[[5, 4, 3], [2, 1, 6]]], dtype=np.float32)
    assert (place_seeds(maps, (1,), NONE, 0.2) == 255).all()
    assert (place_seeds(0 * maps, (1,), NONE, 0.2) == 255).all()


# --- CAM masks ----------------------------------------------------------------------------------


def test_cam_mask_matches_loops() -> None:
    rng = np.random.default_rng(0)
    for tags in ((1,), (2, 5), (1, 3, 6)):
        maps = rng.normal(size=(6, 7, 8)).astype(np.float32)
        mask = cam_mask(torch.from_numpy(maps), tags, 0.3)
        assert mask.dtype == torch.int64
        for y, x in np.ndindex(7, 8):
            shares = {t: max(maps[t - 1, y, x], 0) / maps[t - 1].max() for t in tags}
            best = max(tags, key=shares.__getitem__)
            assert int(mask[y, x]) == (best if shares[best] > 0.3 else 0)


def test_cam_mask_of_a_denied_class_or_none_is_background() -> None:
    assert not cam_mask(-torch.ones(2, 3, 3), (1, 2), 0.3).any()
    assert not cam_mask(torch.ones(2, 3, 3), (), 0.3).any()
