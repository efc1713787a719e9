"""The permutohedral lattice against its definition, exact kernels, pydensecrf and photographs.

Set VOC_ANIMALS to a folder holding VOCdevkit/VOC2012 to try real photographs as well.
"""

import math
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from pipeline.weak.dsrg import lattice
from pipeline.weak.dsrg import refine as refining
from pipeline.weak.dsrg.crf import CrfWeights, dense_crf
from pipeline.weak.dsrg.lattice import ALONE, Lattice, lattice_crf
from pipeline.weak.dsrg.permutohedral import corner_keys, elevate, enclosing_simplex
from tests.elsewhere import ELSEWHERE, back_to_the_cpu, elsewhere
from tests.points import points

FULL = CrfWeights()
SOFT = CrfWeights(3.0, 1.0, theta_alpha=20.0, theta_beta=8.0, theta_gamma=2.0)
PHOTOGRAPHS = ("2007_000175", "2007_000676", "2007_001239")


def as_tensor(image_HW3: np.ndarray) -> Tensor:
    return torch.from_numpy(np.moveaxis(image_HW3, 2, 0).astype(np.float32))


def textured_scene(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image of smooth, striped and noisy regions, uint8, and the region of each pixel."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / height
    region = (np.hypot(y - 0.5, x - 0.6) < 0.3).astype(int)
    region[(x < 0.35) & (y > 0.4)] = 2
    colour = np.array([[90, 120, 140], [120, 135, 110], [80, 150, 120]])[region]
    shade = 25 * y + 15 * np.sin(40 * x + 9 * y) * (region == 2)
    noise = rng.normal(0, np.array([3, 9, 6])[region])
    image = colour + (shade + noise)[..., None] + rng.normal(0, 3, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8), region


def noisy_unary(region_HW: np.ndarray, seed: int) -> Tensor:
    """-log of a blurred, wrongly bounded probability map of the regions, (C, H, W)."""
    rng = np.random.default_rng(seed)
    height, width = region_HW.shape
    scores = []
    for label in np.setdiff1d(np.unique(region_HW), [255]):
        blurred = ndimage.gaussian_filter((region_HW == label).astype(np.float32), height / 40)
        coarse = ndimage.gaussian_filter(rng.standard_normal((height // 8, width // 8)), 1.5)
        factors = (height / coarse.shape[0], width / coarse.shape[1])
        scores.append(2 * blurred + 6 * ndimage.zoom(coarse, factors, order=1))
    return -torch.from_numpy(np.stack(scores)).float().softmax(dim=0).clamp(min=1e-5).log()


def slow_filter(features_DN: Tensor, values_NC: np.ndarray) -> np.ndarray:
    """Splat, blur and slice with a dictionary of lattice points."""
    dimensions = len(features_DN)
    size = dimensions + 1
    coordinates = elevate(features_DN).numpy().T
    table: dict[tuple[int, ...], np.ndarray] = defaultdict(lambda: np.zeros(values_NC.shape[1]))
    simplices = []
    for point, value in zip(coordinates, values_NC, strict=True):
        simplex = slow_simplex(point)
        simplices.append(simplex)
        for corner, weight in simplex:
            table[corner] += weight * value
    for axis in range(size):
        step = np.ones(size, dtype=int) - size * np.eye(size, dtype=int)[axis]
        zero = np.zeros(values_NC.shape[1])
        table = {
            corner: value
            + table.get(tuple(np.array(corner) + step), zero) / 2
            + table.get(tuple(np.array(corner) - step), zero) / 2
            for corner, value in table.items()
        }
    return np.array([sum(w * table[corner] for corner, w in simplex) for simplex in simplices])


def slow_simplex(point: np.ndarray) -> list[tuple[tuple[int, ...], float]]:
    """Walk to the remainder-0 corner, then solve a linear system for the weights."""
    size = len(point)
    origin = size * np.round(point / size).astype(int)
    while origin.sum() != 0:
        residual = point - origin
        nearest = residual.argmax() if origin.sum() < 0 else residual.argmin()
        origin[nearest] -= size * int(np.sign(origin.sum()))
    corners = [origin]
    order = np.argsort(-(point - origin), kind="stable")
    for k in range(1, size):
        corner = origin + k
        corner[order[size - k :]] -= size
        corners.append(corner)
    system = np.vstack([np.array(corners).T, np.ones(size)])
    weights = np.linalg.lstsq(system, np.append(point, 1.0), rcond=None)[0]
    return [(tuple(int(c) for c in corner), w) for corner, w in zip(corners, weights, strict=True)]


def refine(unary_CHW: Tensor, image_3HW: Tensor, weights: CrfWeights) -> Tensor:
    """The lattice's mean field of one image."""
    return lattice_crf(unary_CHW[None], image_3HW[None], weights)[0]


def dense_normalised(features_DN: Tensor) -> Tensor:
    distance = torch.cdist(features_DN.T.double(), features_DN.T.double())
    kernel = (-0.5 * distance.square()).exp()
    scale = kernel.sum(dim=0).rsqrt()
    return kernel * scale * scale[:, None]


def pydensecrf_posterior(unary_CHW: Tensor, image_HW3: np.ndarray) -> np.ndarray:
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    classes, height, width = unary_CHW.shape
    crf = densecrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(unary_CHW.flatten(1).numpy())
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=np.ascontiguousarray(image_HW3), compat=10)
    return np.array(crf.inference(10)).reshape(classes, height, width)


def assert_same_posterior(ours: np.ndarray, theirs: np.ndarray) -> None:
    """The lattices are equal, so only the order of summation differs (measured: 2e-5 at most)."""
    assert (ours.argmax(axis=0) == theirs.argmax(axis=0)).mean() >= 0.99
    assert np.abs(ours - theirs).mean() < 1e-4


@pytest.mark.parametrize(
    ("dimensions", "spread", "bits"), [(2, 2.0, 32), (5, 1.0, 32), (5, 150.0, 64)]
)
def test_filter_matches_slow_restatement(dimensions: int, spread: float, bits: int) -> None:
    features = points(dimensions, count=60, spread=spread)
    features = torch.cat([features, features + 0.3], dim=1)  # company, however wide the spread
    origin, rank, _ = enclosing_simplex(elevate(features))
    assert corner_keys(origin, rank)[0].dtype == (torch.int32 if bits == 32 else torch.int64)
    values = torch.rand(120, 2, generator=torch.Generator().manual_seed(0))
    fast = Lattice.build(features).filter(values).numpy()
    slow = slow_filter(features, values.numpy())
    np.testing.assert_allclose(fast, slow, atol=1e-4, rtol=1e-4)


def test_spans_beyond_64_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="widen the kernel"):
        Lattice.build(points(5, spread=1e5))


@pytest.mark.parametrize("dimensions", [2, 5])
def test_normalised_filter_is_close_to_the_exact_gaussian(dimensions: int) -> None:
    image, region = textured_scene(48, 64, seed=0)
    place = torch.from_numpy(np.mgrid[:48, :64]).reshape(2, -1)
    colour = as_tensor(image).reshape(3, -1)
    features = place / 3 if dimensions == 2 else torch.cat([place / 80, colour / 13])
    values = torch.nn.functional.one_hot(torch.from_numpy(region.flatten())).float()
    ours = Lattice.build(features).normalised(1.0).filter(values)
    exact = (dense_normalised(features) @ values.double()).float()
    error = (ours - exact).abs().mean() / exact.abs().mean()
    assert error < 0.05  # measured: 0.009 in two dimensions, 0.034 in five


@pytest.mark.parametrize(("weights", "seed"), [(FULL, 0), (FULL, 3), (SOFT, 2), (SOFT, 3)])
def test_crf_agrees_with_the_exact_one(weights: CrfWeights, seed: int) -> None:
    image, region = textured_scene(48, 64, seed)
    unary = noisy_unary(region, seed)
    ours = refine(unary, as_tensor(image), weights)
    exact = dense_crf(unary[None], as_tensor(image)[None], weights)[0]
    # Measured: agreement 0.986 to 1, mean total variation up to 0.014.
    assert (ours.argmax(dim=0) == exact.argmax(dim=0)).double().mean() >= 0.98
    assert (ours - exact).abs().sum(dim=0).mean() / 2 < 0.02
    assert (unary.argmin(dim=0) != exact.argmax(dim=0)).double().mean() > 0.05


@pytest.mark.parametrize(("size", "seed"), [((60, 80), 2), ((120, 90), 3), ((150, 200), 0)])
def test_crf_agrees_with_pydensecrf_on_textures(size: tuple[int, int], seed: int) -> None:
    image, region = textured_scene(*size, seed)
    unary = noisy_unary(region, seed)
    theirs = pydensecrf_posterior(unary, image)
    ours = refine(unary, as_tensor(image), FULL).numpy()
    assert_same_posterior(ours, theirs)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_crf_agrees_with_pydensecrf_on_photographs(name: str) -> None:
    folder = Path(os.environ.get("VOC_ANIMALS", "nowhere")) / "VOCdevkit" / "VOC2012"
    if not folder.is_dir():
        pytest.skip("VOC_ANIMALS names no folder with VOCdevkit/VOC2012")
    image = np.array(Image.open(folder / "JPEGImages" / f"{name}.jpg"))
    mask = np.array(Image.open(folder / "SegmentationClass" / f"{name}.png"))
    unary = noisy_unary(mask, seed=0)
    theirs = pydensecrf_posterior(unary, image)
    ours = refine(unary, as_tensor(image), FULL).numpy()
    assert_same_posterior(ours, theirs)


def test_without_messages_only_the_unary_remains() -> None:
    image, region = textured_scene(24, 32, seed=0)
    unary = noisy_unary(region, seed=0)
    for weights in (CrfWeights(bilateral=0.0, gaussian=0.0), CrfWeights(iterations=0)):
        q = refine(unary, as_tensor(image), weights)
        torch.testing.assert_close(q, (-unary).softmax(dim=0))


def test_one_flat_colour_and_one_class() -> None:
    unary = torch.randn(1, 20, 30, generator=torch.Generator().manual_seed(0))
    q = refine(unary, torch.full((3, 20, 30), 128.0), FULL)
    assert torch.equal(q, torch.ones_like(q))


def test_repeats_to_the_bit_permutes_and_has_no_gradient() -> None:
    image, region = textured_scene(60, 80, seed=3)
    unary = noisy_unary(region, seed=3).requires_grad_()
    first = refine(unary, as_tensor(image), FULL)
    assert not first.requires_grad
    assert torch.equal(first, refine(unary, as_tensor(image), FULL))
    order = [2, 0, 1]
    permuted = refine(unary[order], as_tensor(image), FULL)
    torch.testing.assert_close(permuted, first[order], atol=1e-4, rtol=0)
    torch.testing.assert_close(first.sum(dim=0), torch.ones(60, 80))


@pytest.mark.parametrize("theta", [0.05, 0.2, ALONE])
def test_narrow_smoothness_only_reinforces_itself(theta: float) -> None:
    place = torch.from_numpy(np.mgrid[:30, :40]).reshape(2, -1)
    values = torch.rand(1200, 2, generator=torch.Generator().manual_seed(0))
    filtered = Lattice.build(place / theta).normalised(3.0).filter(values)
    torch.testing.assert_close(filtered, 3 * values)
    assert math.exp(-0.5 / ALONE**2) < 1e-3


def test_images_of_a_batch_do_not_touch() -> None:
    scenes = [textured_scene(24, 32, seed) for seed in range(3)]
    unary = torch.stack([noisy_unary(region, seed) for seed, (_, region) in enumerate(scenes)])
    image = torch.stack([as_tensor(image) for image, _ in scenes])
    together = lattice_crf(unary, image, SOFT)
    for u, i, q in zip(unary, image, together, strict=True):
        torch.testing.assert_close(refine(u, i, SOFT), q, atol=1e-5, rtol=0)


def test_many_classes_take_the_other_softmax_and_agree() -> None:
    image, region = textured_scene(24, 32, seed=1)
    unary = noisy_unary(region, seed=1)
    wide = torch.cat([unary, torch.full((18, 24, 32), 60.0)])
    torch.testing.assert_close(
        refine(wide, as_tensor(image), SOFT)[:3],
        refine(unary, as_tensor(image), SOFT),
        atol=1e-5,
        rtol=0,
    )


def test_misfit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        lattice_crf(torch.zeros(1, 2, 5, 6), torch.zeros(1, 3, 6, 5), FULL)


def test_for_apples_gpus_the_cpu_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.device] = []
    real = lattice._positions
    monkeypatch.setattr(lattice, "without_mps", back_to_the_cpu)
    monkeypatch.setattr(
        lattice, "_positions", lambda *args: (seen.append(args[-1]), real(*args))[1]
    )
    unary, image = torch.rand(1, 2, 6, 7), torch.rand(1, 3, 6, 7)
    assert lattice_crf(elsewhere(unary), elsewhere(image), SOFT).device == ELSEWHERE
    assert set(seen) == {torch.device("cpu")}


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("exact", "solver"), [(True, "dense"), (False, "lattice")])
def test_every_device_has_the_same_crf(
    monkeypatch: pytest.MonkeyPatch, exact: bool, solver: str, device: str
) -> None:
    """The device without values stands for a GPU."""
    asked: list[str] = []
    for name in ("dense", "lattice"):
        monkeypatch.setattr(
            refining, f"{name}_crf", lambda unary, *_, name=name: (asked.append(name), unary)[1]
        )
    p_BChw, image_B3hw = torch.rand(1, 3, 20, 20, device=device), torch.rand(1, 3, 20, 20)
    assert refining.refine(p_BChw, image_B3hw, SOFT, exact=exact).shape == p_BChw.shape
    assert asked == [solver]
