"""Growing against the rules of DSRG re-stated with scipy."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from pipeline.data.seeds import UNSEEDED
from pipeline.weak.dsrg import growing
from pipeline.weak.dsrg.growing import compiled_growing, grow
from tests.elsewhere import back_to_the_cpu, elsewhere

Bytes = NDArray[np.uint8]
SIDE, CLASSES, CASES = 41, 21, 64
EIGHT = np.ones((3, 3), dtype=int)
FOUR = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


@dataclass
class Case:
    """Seeds, posterior and tags of one image."""

    seeds: Bytes
    posterior: NDArray[np.float32]
    tags: list[int]


def slow_grow(
    case: Case,
    structure: NDArray[np.int_] = EIGHT,
    *,
    tissue: bool = True,
    stubborn: bool = False,
    renormalise: bool = False,
) -> Bytes:
    """One pixel at a time, then scipy's components; the flags bend one rule each."""
    labels = case.seeds.copy()
    for y, x in np.ndindex(*case.seeds.shape):
        values = {c: float(case.posterior[c, y, x]) for c in case.tags}
        best = max(case.tags, key=values.__getitem__)
        value = values[best] / (sum(values.values()) if renormalise else 1.0)
        if value > (0.99 if best == 0 else 0.85):
            labels[y, x] = best
    if not tissue:
        foreign = (case.seeds != UNSEEDED) & (labels != case.seeds)
        labels[foreign] = UNSEEDED
    grown = case.seeds.copy()
    for c in case.tags:
        marks, count = ndimage.label(labels == c, structure)
        for piece in (marks == k for k in range(1, count + 1)):
            seeded = piece & (case.seeds == c)
            if stubborn:
                seeded = ndimage.binary_dilation(piece, structure) & (case.seeds == c)
            if seeded.any():
                grown[piece & (case.seeds == UNSEEDED)] = c
    return grown


def random_case(number: int) -> Case:
    """Smooth regions, some of them confident, and seeds both inside and against them."""
    rng = np.random.default_rng(number)
    tags = [0, *sorted(int(c) + 1 for c in rng.permutation(CLASSES - 1)[: rng.integers(1, 4)])]
    noise = rng.normal(size=(CLASSES, SIDE, SIDE))
    smooth = ndimage.gaussian_filter(noise, (0, *rng.uniform(0.8, 3.0, 2)))
    scores = smooth / smooth.std() * rng.uniform(4.0, 12.0)
    scores[tags] += 7.0 + rng.normal(size=(len(tags), 1, 1))
    posterior = np.exp(scores - scores.max(axis=0))
    posterior /= posterior.sum(axis=0)
    seeds = np.full((SIDE, SIDE), UNSEEDED, dtype=np.uint8)
    for _ in range(rng.integers(3, 12)):
        (y, x), (h, w) = rng.integers(0, SIDE - 6, 2), rng.integers(1, 6, 2)
        seeds[y : y + h, x : x + w] = rng.choice(tags)
    speckled = rng.random((SIDE, SIDE)) < rng.choice([0.0, 0.1])
    seeds[speckled] = rng.choice(tags, size=int(speckled.sum()))
    return Case(seeds, posterior.astype(np.float32), tags)


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs on the compiled flood of CPUs and on the torch code of GPUs."""
    if request.param == "torch":
        monkeypatch.setattr(growing, "compiled_growing", lambda: None)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [random_case(number) for number in range(CASES)]


def run(cases: list[Case], dtype: torch.dtype = torch.uint8) -> Tensor:
    """`grow` on all cases as one batch."""
    tags = torch.zeros(len(cases), len(cases[0].posterior), dtype=torch.bool)
    for row, case in zip(tags, cases, strict=True):
        row[case.tags] = True
    seeds = torch.from_numpy(np.stack([case.seeds for case in cases])).to(dtype)
    return grow(seeds, torch.from_numpy(np.stack([case.posterior for case in cases])), tags)


def test_matches_the_restated_rules(cases: list[Case]) -> None:
    grown = run(cases)
    assert grown.dtype == torch.uint8
    for ours, case in zip(grown.numpy(), cases, strict=True):
        np.testing.assert_array_equal(ours, slow_grow(case))
    assert torch.equal(run(cases, torch.int64), grown.long())


def test_any_memory_layout(cases: list[Case]) -> None:
    """The lattice hands over classes last."""
    posterior = torch.from_numpy(np.stack([case.posterior for case in cases]))
    seeds = torch.from_numpy(np.stack([case.seeds for case in cases]))
    tags = torch.ones(len(cases), CLASSES, dtype=torch.bool)
    classes_last = posterior.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    mirrored = grow(seeds.mT, classes_last.mT, tags)
    assert torch.equal(grow(seeds, posterior, tags), mirrored.mT)


def test_without_numba_it_grows_in_torch_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.weak.dsrg.growing_cpu", None)
    with pytest.warns(UserWarning, match="numba is not installed"):
        assert compiled_growing.__wrapped__() is None


def test_the_cases_tell_the_rules_apart(cases: list[Case]) -> None:
    """Bending any rule changes several cases, so the agreement above means something."""
    right = [slow_grow(case) for case in cases]
    bends = {
        "corners do not join": {"structure": FOUR},
        "other seeds do not connect": {"tissue": False},
        "contradicted seeds grow": {"stubborn": True},
        "posterior renormalised over the tags": {"renormalise": True},
    }
    for name, bend in bends.items():
        bent = [slow_grow(case, **bend) for case in cases]
        differing = sum(not np.array_equal(a, b) for a, b in zip(bent, right, strict=True))
        assert differing >= 10, name
    kinds = [
        np.unique(grown[(case.seeds == UNSEEDED) & (grown != UNSEEDED)])
        for case, grown in zip(cases, right, strict=True)
    ]
    assert sum(len(kind) > 0 for kind in kinds) > 0.8 * CASES
    assert sum(0 in kind for kind in kinds) >= 10  # the background grows, too
    assert sum((kind > 0).sum() > 1 for kind in kinds) >= 10  # and several objects at once


def tiny(rows: list[str], posterior: list[str], sure: float = 0.995, tags: str = "01") -> str:
    """Grow on a drawn grid: digits are classes, dots nothing; as rows joined by blanks."""
    seeds = np.array([[UNSEEDED if s == "." else int(s) for s in row] for row in rows], np.uint8)
    q = np.full((4, *seeds.shape), 0.0, dtype=np.float32)
    for (y, x), _ in np.ndenumerate(seeds):
        if posterior[y][x] == ".":
            q[:, y, x] = 0.25
        else:
            q[:, y, x] = (1 - sure) / 3
            q[int(posterior[y][x]), y, x] = sure
    grown = run([Case(seeds, q, [int(t) for t in tags])])[0]
    rows = ("".join(map(str, row)) for row in grown.tolist())
    return " ".join(rows).replace(str(UNSEEDED), ".")


def test_seeds_reach_over_corners_and_not_over_gaps() -> None:
    assert tiny(["1...."], ["11.11"]) == "11..."
    assert tiny(["1..", "...", "..."], ["1..", ".1.", "..1"]) == "1.. .1. ..1"


def test_a_seed_the_network_is_unsure_of_still_grows() -> None:
    assert tiny(["1..."], [".111"]) == "1111"


def test_a_contradicted_seed_stays_but_does_not_grow() -> None:
    assert tiny(["1..."], ["0111"]) == "1..."
    assert tiny(["1...", "...."], ["0111", "...."]) == "1... ...."


def test_other_seeds_connect_but_do_not_change() -> None:
    assert tiny(["1.0.."], ["11111"]) == "11011"
    assert tiny(["1.0.."], ["11.11"]) == "110.."


def test_untagged_classes_take_pixels_but_not_labels() -> None:
    assert tiny(["1..."], ["1122"]) == "11.."
    assert tiny(["1..."], ["1122"], tags="012") == "11.."
    assert tiny(["1..2"], ["1122"], tags="012") == "1122"
    assert tiny(["2..."], ["2222"], tags="01") == "2..."


@pytest.mark.parametrize(
    ("label", "sure", "grown"),
    [("1", 0.85, "1.."), ("1", 0.8501, "111"), ("0", 0.99, "0.."), ("0", 0.9901, "000")],
)
def test_thresholds_are_strict_and_the_backgrounds_is_higher(
    label: str, sure: float, grown: str
) -> None:
    assert tiny([f"{label}.."], [label * 3], sure) == grown


def test_nothing_grows_without_seeds_or_without_confidence(cases: list[Case]) -> None:
    empty = [Case(np.full_like(c.seeds, UNSEEDED), c.posterior, c.tags) for c in cases[:3]]
    assert (run(empty) == UNSEEDED).all()
    flat = [Case(c.seeds, np.full_like(c.posterior, 1 / CLASSES), c.tags) for c in cases[:3]]
    assert np.array_equal(run(flat).numpy(), np.stack([c.seeds for c in flat]))


def test_no_gradient_and_inputs_untouched() -> None:
    case = random_case(0)
    seeds, posterior = torch.from_numpy(case.seeds)[None], torch.from_numpy(case.posterior)[None]
    posterior.requires_grad_()
    grown = grow(seeds, posterior, torch.ones(1, CLASSES, dtype=torch.bool))
    assert not grown.requires_grad
    assert np.array_equal(seeds[0].numpy(), case.seeds)


def test_images_of_a_batch_do_not_touch(cases: list[Case]) -> None:
    together = run(cases[:8])
    for case, grown in zip(cases[:8], together, strict=True):
        assert torch.equal(run([case])[0], grown)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_and_is_never_waited_for(cases: list[Case]) -> None:
    expected = run(cases)
    tags = torch.zeros(len(cases), CLASSES, dtype=torch.bool)
    for row, case in zip(tags, cases, strict=True):
        row[case.tags] = True
    seeds = torch.from_numpy(np.stack([case.seeds for case in cases])).cuda()
    posterior = torch.from_numpy(np.stack([case.posterior for case in cases])).cuda()
    tags = tags.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        grown = grow(seeds, posterior, tags)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(grown.cpu(), expected)


def test_what_apples_gpus_hand_over_grows_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    seeds = torch.randint(0, 3, (2, 9, 9), generator=generator, dtype=torch.uint8)
    seeds[torch.rand(2, 9, 9, generator=generator) < 0.7] = UNSEEDED
    posterior = (4 * torch.randn(2, 3, 9, 9, generator=generator)).softmax(dim=1)
    tags = torch.ones(2, 3, dtype=torch.bool)
    plain = grow(seeds, posterior, tags)
    assert not torch.equal(plain, seeds)
    monkeypatch.setattr(growing, "without_mps", back_to_the_cpu)
    real, in_torch = growing.grow_in_torch, []

    def on_the_cpu(*args: Tensor) -> Tensor:
        assert all(type(part) is Tensor for part in args[:3])
        in_torch.append(real(*args))
        return in_torch[0]

    monkeypatch.setattr(growing, "grow_in_torch", on_the_cpu)
    grown = grow(*map(elsewhere, (seeds, posterior, tags)))
    assert torch.equal(in_torch[0] if in_torch else grown, plain)
