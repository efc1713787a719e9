"""The exact mean field against a slow restatement, known values and pydensecrf."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.weak.dsrg.crf import CrfWeights, dense_crf, mean_field, pairwise_matrix

TRAINING = CrfWeights(theta_alpha=80 / 12, theta_gamma=3 / 12)
SMALL = CrfWeights(2.0, 1.5, theta_alpha=4.0, theta_beta=30.0, theta_gamma=1.5, iterations=4)


def random_case(batch: int = 2, classes: int = 3, h: int = 4, w: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    unary = torch.randn(batch, classes, h, w, generator=generator)
    image = torch.randint(0, 256, (batch, 3, h, w), generator=generator).float()
    return unary, image


def two_regions(size: int = 41) -> Tensor:
    """A dark and a bright half with a little noise, (1, 3, size, size)."""
    image = np.random.default_rng(0).integers(-5, 6, (3, size, size)) + 60
    image[:, :, size // 2 :] += 130
    return torch.from_numpy(image[None]).float()


def probability_map(p: float, classes: int, size: int = 41) -> Tensor:
    """Class 0 with probability p on the left half, class 1 on the right, the rest uniform."""
    probability = torch.full((1, classes, size, size), (1 - p) / (classes - 1))
    probability[:, 0, :, : size // 2] = p
    probability[:, 1, :, size // 2 :] = p
    return probability


def slow_kernel(features: list[list[float]]) -> list[list[float]]:
    """N^-1/2 k N^-1/2 of one Gaussian kernel, self-term included."""
    kernel = [[math.exp(-0.5 * math.dist(a, b) ** 2) for b in features] for a in features]
    norm = [sum(row) for row in kernel]
    count = range(len(kernel))
    return [[kernel[i][j] / math.sqrt(norm[i] * norm[j]) for j in count] for i in count]


def slow_softmax(scores: list[float]) -> list[float]:
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def slow_crf(unary_CHW: np.ndarray, image_3HW: np.ndarray, weights: CrfWeights) -> np.ndarray:
    """One pixel, class and neighbour at a time, in float64."""
    C, H, W = unary_CHW.shape
    pixels = [(y, x) for y in range(H) for x in range(W)]
    smooth = slow_kernel([[c / weights.theta_gamma for c in pixel] for pixel in pixels])
    appearance = slow_kernel(
        [
            [y / weights.theta_alpha, x / weights.theta_alpha]
            + [float(image_3HW[c, y, x]) / weights.theta_beta for c in range(3)]
            for y, x in pixels
        ]
    )
    unary = [[float(unary_CHW[c, y, x]) for c in range(C)] for y, x in pixels]
    q = [slow_softmax([-u for u in energies]) for energies in unary]
    for _ in range(weights.iterations):
        updated = []
        for i, energies in enumerate(unary):
            scores = [-u for u in energies]
            for j in range(len(pixels)):
                pair = weights.bilateral * appearance[i][j] + weights.gaussian * smooth[i][j]
                scores = [score + pair * q[j][c] for c, score in enumerate(scores)]
            updated.append(slow_softmax(scores))
        q = updated
    return np.array(q).T.reshape(C, H, W)


def test_matches_slow_restatement() -> None:
    unary, image = random_case()
    fast = dense_crf(unary, image, SMALL).numpy()
    for each, u, i in zip(fast, unary.numpy(), image.numpy(), strict=True):
        assert np.abs(each - slow_crf(u, i, SMALL)).max() < 2e-6


@pytest.mark.parametrize(
    "weights", [CrfWeights(bilateral=0.0, gaussian=0.0), CrfWeights(iterations=0)]
)
def test_without_messages_only_the_unary_remains(weights: CrfWeights) -> None:
    unary, image = random_case()
    torch.testing.assert_close(dense_crf(unary, image, weights), (-unary).softmax(dim=1))


def test_kernel_is_symmetric_and_its_largest_eigenvalue_is_the_weight() -> None:
    _, image = random_case()
    for weights in (CrfWeights(7.0, 0.0, 3.0), CrfWeights(0.0, 7.0)):
        kernel = pairwise_matrix(image, weights)
        torch.testing.assert_close(kernel, kernel.mT)
        largest = torch.linalg.eigvalsh(kernel.double())[:, -1]
        torch.testing.assert_close(largest, torch.full_like(largest, 7.0), rtol=1e-5, atol=0)


def test_narrow_smoothness_kernel_only_reinforces_itself() -> None:
    # At theta_gamma = 0.25 px each of at most four neighbours weighs exp(-8), 3e-4.
    _, image = random_case()
    kernel = pairwise_matrix(image, CrfWeights(bilateral=0.0, theta_gamma=0.25))
    torch.testing.assert_close(kernel, 3 * torch.eye(20).expand(2, -1, -1), atol=5e-3, rtol=0)


@pytest.mark.parametrize(("p", "opens"), [(0.1, False), (0.2, False), (0.3, True), (0.6, True)])
def test_minus_p_is_a_confidence_gate_at_21_classes(p: float, opens: bool) -> None:
    q = dense_crf(-probability_map(p, classes=21), two_regions(), TRAINING)
    if not opens:
        assert q.max() < 0.15
    else:
        assert q.max(dim=1).values.min() > 0.99
        assert torch.equal(q.argmax(dim=1), probability_map(p, 21).argmax(dim=1))


def test_gate_never_opens_at_81_classes_but_log_p_always_does() -> None:
    image = two_regions()
    assert dense_crf(-probability_map(0.99, 81), image, TRAINING).max() < 0.1
    unary = -probability_map(0.1, 21).log()
    assert dense_crf(unary, image, TRAINING).max(dim=1).values.min() > 0.99


def test_images_of_a_batch_do_not_touch() -> None:
    unary, image = random_case(batch=3, h=9, w=7)
    alone = [dense_crf(unary[i : i + 1], image[i : i + 1], SMALL) for i in range(3)]
    torch.testing.assert_close(dense_crf(unary, image, SMALL), torch.cat(alone))


def test_classes_permute() -> None:
    unary, image = random_case(classes=4)
    order = [2, 0, 3, 1]
    whole = dense_crf(unary, image, SMALL)
    torch.testing.assert_close(dense_crf(unary[:, order], image, SMALL), whole[:, order])


def test_repeats_to_the_bit_without_gradient_and_beyond_autocast() -> None:
    unary, image = random_case(h=9, w=7)
    unary.requires_grad_()
    first = dense_crf(unary, image, SMALL)
    assert not first.requires_grad
    assert torch.equal(first, dense_crf(unary, image, SMALL))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(first, dense_crf(unary, image, SMALL))
    assert dense_crf(unary.double(), image, SMALL).dtype == torch.float32


def test_misfits_are_refused() -> None:
    unary, image = random_case()
    with pytest.raises(ValueError, match="does not fit"):
        dense_crf(unary, image[:, :, :, :4], SMALL)
    with pytest.raises(ValueError, match="does not fit"):
        dense_crf(unary, image[:1], SMALL)
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        pairwise_matrix(image[0], SMALL)
    with pytest.raises(ValueError, match="positive"):
        CrfWeights(theta_beta=0.0)


def test_mean_field_takes_one_kernel_for_each_image() -> None:
    unary, image = random_case()
    kernel = pairwise_matrix(image, SMALL)
    q = mean_field(unary.flatten(2), kernel, SMALL.iterations)
    torch.testing.assert_close(q.view_as(unary), dense_crf(unary, image, SMALL))
    torch.testing.assert_close(q.sum(dim=1), torch.ones(2, 20))


@pytest.mark.parametrize("logarithm", [False, True])
def test_agrees_with_pydensecrf_on_the_training_grid(logarithm: bool) -> None:
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    generator = torch.Generator().manual_seed(1)
    image = two_regions()
    image[:, :, 10:25, 8:30] += 40
    logits = 3 * probability_map(0.7, 21) + torch.randn(1, 21, 41, 41, generator=generator)
    probability = logits.softmax(dim=1)
    unary = -probability.log() if logarithm else -probability
    crf = densecrf.DenseCRF2D(41, 41, 21)
    crf.setUnaryEnergy(unary[0].flatten(1).numpy())
    crf.addPairwiseGaussian(sxy=TRAINING.theta_gamma, compat=3)
    pixels = np.ascontiguousarray(image[0].permute(1, 2, 0).numpy().astype(np.uint8))
    crf.addPairwiseBilateral(sxy=TRAINING.theta_alpha, srgb=13, rgbim=pixels, compat=10)
    theirs = np.array(crf.inference(10)).reshape(21, 41, 41)
    ours = dense_crf(unary, image, TRAINING)[0].numpy()
    assert (ours.argmax(axis=0) == theirs.argmax(axis=0)).mean() >= 0.99
    # Measured total variation: 0.012 on the slope of the -p gate, 5e-6 with -log p.
    assert np.abs(ours - theirs).sum(axis=0).mean() / 2 < 0.02
