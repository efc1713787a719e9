"""Training a few steps: it learns, repeats to the byte, and is as long for every variant."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.data.manifest import Manifest
from pipeline.data.plan import Plan, make_plan
from pipeline.settings.variants import VARIANTS
from pipeline.train.train import total_steps, train_network
from tests.settings import small_params


def plan(manifest: Manifest, variant: str, neck_n: int = 1) -> Plan:
    strong, weak = ([row.id for row in manifest.of(split)] for split in ("strong", "weak"))
    return make_plan(variant, neck_n, strong, weak)


def train(
    manifest: Manifest, folder: Path, variant: str = "dual", seed: int = 0, **changes: object
) -> dict[str, float]:
    folder.mkdir(parents=True)
    params = small_params(**changes)
    return train_network(params, manifest, plan(manifest, variant), seed, folder)


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_the_loss_falls(ready: Manifest, workspace: Path, variant: str) -> None:
    train(
        ready,
        workspace / "a",
        variant,
        **{
            "train.iterations": 30,
            "train.learning_rate": 3e-3,
            "train.learning_rate_backbone": 1e-3,
        },
    )
    lines = (workspace / "a" / "history.csv").read_text().splitlines()
    assert lines[0] == "step,loss"
    losses = [float(line.split(",")[1]) for line in lines[1:]]
    assert len(losses) == 30
    branches = VARIANTS[variant].branches
    # Near-zero logits at first: log of nine classes for each branch.
    assert losses[0] == pytest.approx(branches * 2.197, rel=0.25)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_same_seed_same_bytes(ready: Manifest, workspace: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(ready, workspace / name, seed=seed)
    for file in ("network.safetensors", "history.csv"):
        one, two, other = ((workspace / name / file).read_bytes() for name in ("a", "b", "c"))
        assert one == two
        assert one != other


def test_workers_and_validation_do_not_change_the_network(ready: Manifest, workspace: Path) -> None:
    train(ready, workspace / "a")
    train(ready, workspace / "b", **{"machine.workers": 2, "train.validations": 2})
    one, two = ((workspace / n / "network.safetensors").read_bytes() for n in "ab")
    assert one == two


def test_neck_n_and_branches_shape_the_network(ready: Manifest, workspace: Path) -> None:
    for neck_n in (0, 3):
        folder = workspace / f"n{neck_n}"
        folder.mkdir()
        params = small_params(**{"train.iterations": 1})
        train_network(params, ready, plan(ready, "dual", neck_n), 0, folder)
        keys = load_file(folder / "network.safetensors")
        assert sum(k.startswith("neck.") and k.endswith("weight") for k in keys) == neck_n
        assert {k.split(".")[1] for k in keys if k.startswith("branches.")} == {"0", "1"}
    train(ready, workspace / "single", "strong", **{"train.iterations": 1})
    keys = load_file(workspace / "single" / "network.safetensors")
    assert {k.split(".")[1] for k in keys if k.startswith("branches.")} == {"0"}


def test_steps_come_from_the_weak_list_alone() -> None:
    params = small_params(**{"train.epochs": 20, "train.decay_epoch": 12, "train.batch_size": 16})
    # VOC: 9,118 weak images in halves of 8 are 1,140 steps an epoch (docs/choices.md: 22,800).
    assert total_steps(params, 9118) == (22800, 13680)
    assert total_steps(params, 9120)[0] == 22800
    assert total_steps(params, 9121)[0] == 22820
    short = small_params(**{"train.iterations": 7, "train.epochs": 20, "train.decay_epoch": 10})
    assert total_steps(short, 9118) == (7, 4)


def test_every_variant_takes_the_same_steps(ready: Manifest, workspace: Path) -> None:
    lengths = set()
    for variant in VARIANTS:
        summary = train(ready, workspace / variant, variant, **{"train.epochs": 1})
        lengths.add(summary["step"])
    assert lengths == {5}  # ten weak images in halves of two


@pytest.mark.parametrize(
    ("iterations", "validations", "expected"),
    [(6, 3, [2, 4, 6]), (7, 2, [3, 7]), (2, 5, [1, 2]), (3, 0, [])],
)
def test_validation_now_and_then(
    ready: Manifest, workspace: Path, iterations: int, validations: int, expected: list[int]
) -> None:
    changes = {"train.iterations": iterations, "train.validations": validations}
    summary = train(ready, workspace / "a", **changes)
    assert ("val_miou" in summary) == bool(expected)
    lines = [line.split(",") for line in (workspace / "a/history.csv").read_text().splitlines()]
    if expected:
        column = lines[0].index("val_miou")
        assert [int(line[0]) for line in lines[1:] if line[column]] == expected


def test_the_rates_fall_once(ready: Manifest, workspace: Path) -> None:
    """After the decay the weights move about a tenth as far."""
    seen: list[list[float]] = []
    real = torch.optim.lr_scheduler.MultiStepLR.step

    def recording(self: torch.optim.lr_scheduler.MultiStepLR) -> None:
        real(self)
        seen.append([group["lr"] for group in self.optimizer.param_groups])

    changes = {"train.iterations": 5, "train.epochs": 5, "train.decay_epoch": 3}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.optim.lr_scheduler.MultiStepLR, "step", recording)
        train(ready, workspace / "a", **changes)
    params = small_params().train
    both = [params.learning_rate_backbone, params.learning_rate]
    steps = seen[-5:]
    assert steps[:2] == [both, both]
    for rates in steps[2:]:
        assert rates == pytest.approx([rate / 10 for rate in both])
