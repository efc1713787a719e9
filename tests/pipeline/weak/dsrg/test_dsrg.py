"""The step that grows seeds while it trains, and the confidence gate its CRF forms."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.data.manifest import IGNORE, Manifest
from pipeline.data.seeds import UNSEEDED
from pipeline.networks.backbone import build_backbone
from pipeline.networks.layers import Dropout
from pipeline.settings.params import Crf
from pipeline.weak.dsrg import refine as refine_module
from pipeline.weak.dsrg.crf import CrfWeights, dense_crf
from pipeline.weak.dsrg.dsrg import TERMS, dsrg_terms, growth, train_dsrg
from pipeline.weak.dsrg.growing import grow
from pipeline.weak.dsrg.losses import boundary_loss, floored_softmax, seeding_loss
from pipeline.weak.dsrg.network import DsrgNet, build_dsrg
from pipeline.weak.dsrg.refine import crf_weights, refine
from pipeline.weak.seeds.tagged import Tagged
from tests.settings import small_params

CLASSES, SIDE, GRID = 5, 32, 8
GEOMETRY = build_backbone("vgg16_narrow", "none").geometry
DSRG = small_params().dsrg
# SEC's and DSRG's training CRF: 80 and 3 pixels over a scale factor of 12.
VOC_CRF = Crf(
    bilateral=10.0,
    gaussian=3.0,
    theta_alpha=6.67,
    theta_beta=13.0,
    theta_gamma=0.25,
    iterations=10,
)


# --- the network --------------------------------------------------------------------------------


def test_logits_are_the_sum_of_the_pyramids_branches() -> None:
    torch.manual_seed(0)
    network = DsrgNet(
        build_backbone("vgg16_narrow", "none"), CLASSES, width=8, dilations=[1, 2, 6], dropout=0.0
    )
    images = torch.randn(2, 3, SIDE, SIDE)
    features = network.backbone(images)
    expected = network.heads[0](features) + network.heads[1](features) + network.heads[2](features)
    torch.testing.assert_close(network(images), expected)
    assert expected.shape == (2, CLASSES, GRID, GRID)
    assert [head[0].dilation for head in network.heads] == [(1, 1), (2, 2), (6, 6)]


def test_dropout_is_element_wise_as_in_caffe() -> None:
    network = build_dsrg(small_params(**{"dsrg.dropout": 0.5}), CLASSES, "none")
    kinds = [type(m) for m in network.modules() if "Dropout" in type(m).__name__]
    assert kinds == [Dropout] * 2 * len(DSRG.dilations)


# --- one step -----------------------------------------------------------------------------------


def tiny_step() -> tuple[DsrgNet, Tagged]:
    """A network, two images of two regions each, tags and seeds; the truth of the first."""
    torch.manual_seed(0)
    network = build_dsrg(small_params(**{"dsrg.dropout": 0.0}), CLASSES, "none")
    images = torch.randint(0, 20, (2, 3, SIDE, SIDE), dtype=torch.uint8)
    images[:, :, :, SIDE // 2 :] += 150
    tags = torch.tensor([[1, 1, 0, 0, 0], [1, 0, 0, 1, 1]], dtype=torch.bool)
    seeds = torch.full((2, GRID, GRID), UNSEEDED, dtype=torch.uint8)
    seeds[0, 0, 0], seeds[0, 4, 7], seeds[1, 2, 2], seeds[1, 5, 5] = 0, 1, 3, 4
    truth = torch.full_like(seeds, IGNORE)
    truth[0] = 1
    truth[0, :2] = 0
    return network, Tagged(("a", "b"), images, tags, seeds, truth)


@pytest.mark.parametrize("grow_on", ["crf", "softmax"])
def test_terms_are_those_of_the_parts(grow_on: str) -> None:
    network, batch = tiny_step()
    network.heads[0][-1].bias.data[1] = 3.0  # sure enough of class 1 for it to grow
    weights = crf_weights(VOC_CRF, CLASSES)
    changes = {"theta_foreground": 0.4, "theta_background": 0.4, "grow_on": grow_on}
    loose = DSRG.model_copy(update=changes)
    terms = dsrg_terms(network, GEOMETRY, batch, loose, weights)

    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normal = (batch.images / 255 - mean[:, None, None]) / std[:, None, None]
    p = floored_softmax(network(normal))
    # 2x2 poolings at stride 4: the pixel before the middle of each block.
    phantoms = torch.zeros(2, 21 - CLASSES, GRID, GRID)
    unary = -torch.cat([p.detach(), phantoms], dim=1)
    q = dense_crf(unary, batch.images[:, :, 1::4, 1::4].float(), weights).clamp(min=1e-4)
    q = (q / q.sum(dim=1, keepdim=True))[:, :CLASSES]
    decides = q if grow_on == "crf" else p.detach()
    grown = grow(batch.seeds, decides, batch.tags, theta_foreground=0.4, theta_background=0.4)
    expected = [seeding_loss(p, grown), boundary_loss(p, q)]
    torch.testing.assert_close(terms[:2], torch.stack(expected))
    terms = terms.detach()
    assert float(terms[2]) == pytest.approx(100 * 4 / (2 * GRID**2))
    assert float(terms[3]) == pytest.approx(100 * float((grown != UNSEEDED).float().mean()))
    assert float(terms[3]) > float(terms[2])  # something grew


def test_growth_is_counted_where_the_truth_is_known() -> None:
    rng = np.random.default_rng(0)
    seeds, grown, truth = (
        torch.from_numpy(rng.choice([0, 1, 2, 255], size=(3, 4, 5)).astype(np.uint8))
        for _ in range(3)
    )
    truth[1] = IGNORE
    counts = dict.fromkeys(("seeded", "grown", "checked", "checked_grown", "right"), 0)
    for b, y, x in np.ndindex(3, 4, 5):
        true, found = int(truth[b, y, x]), int(grown[b, y, x])
        counts["seeded"] += int(seeds[b, y, x]) != 255
        counts["grown"] += found != 255
        counts["checked"] += true != 255
        counts["checked_grown"] += true != 255 and found != 255
        counts["right"] += true != 255 and found == true
    shares = [float(share) for share in growth(seeds, grown, truth)]
    assert shares == pytest.approx([100 * count / 60 for count in counts.values()])
    assert tuple(counts) == TERMS[2:]


def test_gradients_reach_every_part_and_stay_finite() -> None:
    for which in (0, 1):
        network, batch = tiny_step()
        terms = dsrg_terms(network, GEOMETRY, batch, DSRG, crf_weights(VOC_CRF, CLASSES))
        assert torch.isfinite(terms).all()
        assert terms.requires_grad
        terms[which].backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
        first = network.backbone.body[0].weight.grad
        assert float(first.abs().sum()) > 0


def test_shares_carry_no_gradient() -> None:
    network, batch = tiny_step()
    terms = dsrg_terms(network, GEOMETRY, batch, DSRG, crf_weights(VOC_CRF, CLASSES))
    terms[2:].sum().backward()
    assert not any(p.grad.any() for p in network.parameters() if p.grad is not None)


def test_one_crf_serves_growing_and_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    network, batch = tiny_step()
    calls = []

    def counting(unary: Tensor, image: Tensor, weights: CrfWeights) -> Tensor:
        calls.append((unary, image))
        return dense_crf(unary, image, weights)

    monkeypatch.setattr(refine_module, "dense_crf", counting)
    dsrg_terms(network, GEOMETRY, batch, DSRG, crf_weights(VOC_CRF, CLASSES))
    ((unary, image),) = calls
    assert not unary.requires_grad
    assert unary.shape[1] == 21  # the missing classes as phantoms of probability 0
    assert not unary[:, CLASSES:].any()
    unary = unary[:, :CLASSES]
    assert float(unary.max()) < 0  # minus the probabilities, not their logarithms
    assert float(unary.min()) >= -1
    torch.testing.assert_close(unary.sum(dim=1), -torch.ones(2, GRID, GRID))
    assert float(image.max()) > 100  # grey levels, not normalised ones


# --- the gate -----------------------------------------------------------------------------------


def two_regions(size: int) -> Tensor:
    """A dark and a bright half with a little noise."""
    image = np.random.default_rng(0).integers(-5, 6, (3, size, size)) + 60
    image[:, :, size // 2 :] += 130
    return torch.from_numpy(image[None]).float()


Refine = Callable[[Tensor, Tensor, CrfWeights], Tensor]
ON_LATTICE, EXACT = partial(refine, exact=False), partial(refine, exact=True)


def gate(
    classes: int, weights: CrfWeights, threshold: float, how: Refine = ON_LATTICE, size: int = 25
) -> float | None:
    """The least p, in steps of 0.01, with which both halves pass the threshold; None: never.

    Each half has one class of its own with p everywhere, the others share the rest.
    """
    image = two_regions(size)
    left = torch.arange(size * size) % size < size // 2

    def passes(p: float) -> bool:
        scene = torch.full((1, classes, size * size), (1 - p) / (classes - 1))
        scene[0, 0, left] = scene[0, 1, ~left] = p
        q = how(scene.view(1, classes, size, size), image, weights)[0].flatten(1)
        own = torch.where(left, q[0], q[1])
        return float((own > threshold).float().mean()) > 0.95

    low, high = int(100 / classes), 99
    if not passes(high / 100):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle / 100) else (middle, high)
    return high / 100


@pytest.mark.parametrize("how", [ON_LATTICE, EXACT], ids=["lattice", "exact"])
@pytest.mark.parametrize(("classes", "measured"), [(2, 0.51), (9, 0.28), (21, 0.28), (81, 0.23)])
def test_the_gate_opens_at_about_the_same_p(classes: int, measured: float, how: Refine) -> None:
    opened = gate(classes, crf_weights(VOC_CRF, classes), DSRG.theta_foreground, how)
    assert opened == pytest.approx(measured, abs=0.02)


@pytest.mark.parametrize("how", [ON_LATTICE, EXACT], ids=["lattice", "exact"])
def test_a_sure_posterior_has_the_released_floor(how: Refine) -> None:
    """As released: each of 21 classes at least 1e-4 before all are divided by their sum."""
    p = torch.zeros(1, 21, 25, 25)
    p[:, 3] = 1.0
    q = how(p, two_regions(25), crf_weights(VOC_CRF, 21))
    floor = 1e-4 / (1 + 20e-4)
    torch.testing.assert_close(q[:, 4:], torch.full((1, 17, 25, 25), floor), rtol=1e-3, atol=0)
    torch.testing.assert_close(q.sum(dim=1), torch.ones(1, 25, 25))


def plain(p_BChw: Tensor, image_B3hw: Tensor, weights: CrfWeights) -> Tensor:
    """The CRF as DSRG calls it, whatever the number of classes."""
    return dense_crf(-p_BChw, image_B3hw, weights)


def test_unscaled_weights_open_at_once_or_never() -> None:
    weights = crf_weights(VOC_CRF, 21)
    assert weights == CrfWeights(**VOC_CRF.model_dump())
    assert gate(9, weights, 0.85, plain) == pytest.approx(1 / 9, abs=0.02)  # barely above chance
    assert gate(81, weights, 0.85, plain) is None


def test_the_backgrounds_gate_opens_beside_it() -> None:
    for classes in (2, 9, 21, 81):
        foreground = gate(classes, crf_weights(VOC_CRF, classes), 0.85)
        background = gate(classes, crf_weights(VOC_CRF, classes), 0.99)
        assert foreground is not None
        assert background is not None
        assert background - foreground <= 0.02


# --- training -----------------------------------------------------------------------------------


def run(manifest: Manifest, folder: Path, **changes: object) -> dict[str, float]:
    folder.mkdir()
    seeds = np.full((len(manifest.train()), GRID, GRID), UNSEEDED, dtype=np.uint8)
    for row, seed in zip(manifest.train(), seeds, strict=True):
        seed[:2], seed[4:6, 4:6] = 0, row.tags[0]
    return train_dsrg(small_params(**changes), manifest, seeds, folder)


def test_training_writes_a_network_and_learns(manifest: Manifest, tmp_path: Path) -> None:
    summary = run(manifest, tmp_path / "a", **{"dsrg.optimiser.iterations": 60})
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "history.csv",
        "network.safetensors",
    ]
    lines = (tmp_path / "a" / "history.csv").read_text().splitlines()
    assert lines[0] == ",".join(["step", *TERMS])
    first, last = (float(lines[i].split(",")[1]) for i in (1, -1))
    assert last < first
    assert set(summary) == {*TERMS}
    assert 0 < summary["right"] <= summary["checked_grown"] <= summary["checked"] < 100
    assert summary["seeded"] == pytest.approx(100 * 20 / GRID**2)
    assert summary["grown"] >= summary["seeded"] - 1e-3


def test_same_seed_same_bytes(manifest: Manifest, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(manifest, tmp_path / name, seed=seed)
    one, two, other = (
        (tmp_path / name / "network.safetensors").read_bytes() for name in ("a", "b", "c")
    )
    assert one == two
    assert one != other
