"""The average of two networks against pixels averaged by hand, and the ends of the curve."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.data.manifest import Manifest
from pipeline.data.plan import make_plan, write_plans
from pipeline.evaluate.dsrg_network import evaluate_dsrg
from pipeline.evaluate.ensemble import (
    LAMBDAS,
    MAXIMUM,
    average_confusions,
    evaluate_ensemble,
    joined,
    lambda_rows,
)
from pipeline.networks.stored import plain_state
from pipeline.scoring.metrics import class_iou, summarise
from pipeline.scoring.score import confusion_of
from pipeline.settings.params import Params
from pipeline.settings.variants import PAPERS_LAMBDA
from pipeline.train.build import build_network
from pipeline.train.network import DualBranchNet
from pipeline.weak.dsrg.network import build_dsrg
from tests.settings import small_params


def random_network(params: Params, variant: str, seed: int, classes: int) -> DualBranchNet:
    """A network whose classifier is drawn wide, so that it predicts more than one class."""
    torch.manual_seed(seed)
    network = build_network(params, make_plan(variant, 0, ["a"], ["b"]), classes, "none")
    torch.nn.init.normal_(network.branches[0][-1].weight, std=1.0)
    return network.eval()


def test_average_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    other, strong = (rng.dirichlet(np.ones(4), (2, 5, 6)).transpose(0, 3, 1, 2) for _ in range(2))
    for share in (0.0, 0.4, 1.0):
        found = joined(torch.from_numpy(other), torch.from_numpy(strong), share).argmax(dim=1)
        for b, y, x in np.ndindex(2, 5, 6):
            mixed = [share * other[b, c, y, x] + (1 - share) * strong[b, c, y, x] for c in range(4)]
            assert int(found[b, y, x]) == int(np.argmax(mixed))
    found = joined(torch.from_numpy(other), torch.from_numpy(strong), MAXIMUM).argmax(dim=1)
    for b, y, x in np.ndindex(2, 5, 6):
        surest = [max(other[b, c, y, x], strong[b, c, y, x]) for c in range(4)]
        assert int(found[b, y, x]) == int(np.argmax(surest))


def test_the_ends_of_the_curve_are_the_networks_themselves(manifest: Manifest) -> None:
    params, classes = small_params(), len(manifest.classes)
    other, strong = (random_network(params, "strong", seed, classes) for seed in (1, 2))
    totals = average_confusions(other, strong, manifest, 4, None)
    assert totals.shape == (12, classes, classes + 1)
    assert np.array_equal(totals[0], confusion_of(strong, manifest, 4))
    assert np.array_equal(totals[10], confusion_of(other, manifest, 4))
    assert not np.array_equal(totals[0], totals[5])
    assert len({int(total.sum()) for total in totals}) == 1


def test_rows_hold_mean_and_deviation_over_the_seeds() -> None:
    right, wrong = np.array([[4, 0, 0], [0, 4, 0]]), np.array([[0, 4, 0], [4, 0, 0]])
    rows = lambda_rows([np.stack([right] * 12), np.stack([wrong] * 12)])
    assert [row[0] for row in rows] == [*(f"{share:g}" for share in LAMBDAS), "max"]
    assert rows[3] == ["0.3", "50.0000", f"{np.std([0, 100], ddof=1):.4f}"]


def test_an_ensemble_is_scored_seed_by_seed(manifest: Manifest, workspace: Path) -> None:
    params = small_params(**{"seeds": [4, 2], "ensembles": ["mixed"]})
    classes = len(manifest.classes)
    (workspace / "split").mkdir()
    plans = [make_plan(name, 0, ["a"], ["b"]) for name in ("mixed", "strong")]
    write_plans(workspace / "split", plans)
    networks = {}
    for seed in params.seeds:
        for place, name in enumerate(("mixed", "strong")):
            network = random_network(params, name, 10 * seed + place, classes)
            folder = workspace / "models" / name / str(seed)
            folder.mkdir(parents=True)
            save_file(plain_state(network), folder / "network.safetensors")
            networks[name, seed] = network
    metrics = evaluate_ensemble(
        params,
        manifest,
        "mixed",
        split=workspace / "split",
        models=workspace / "models",
    )
    scores = []
    for seed in params.seeds:
        totals = average_confusions(
            networks["mixed", seed], networks["strong", seed], manifest, 4, None
        )
        scores.append(summarise(totals[round(10 * PAPERS_LAMBDA)])["miou"])
    assert metrics["miou"] == pytest.approx(np.mean(scores), abs=0.01)
    with Path("results/shapes/lambda/ensemble_mixed.csv").open(newline="") as file:
        curve = list(csv.DictReader(file))
    assert [row["lambda"] for row in curve] == [*(f"{share:g}" for share in LAMBDAS), MAXIMUM]
    assert float(curve[4]["miou"]) == pytest.approx(metrics["miou"], abs=0.01)


def test_dsrg_is_scored_like_a_variant(manifest: Manifest, workspace: Path) -> None:
    params, classes = small_params(seed=3), len(manifest.classes)
    torch.manual_seed(0)
    network = build_dsrg(params, classes, "none")
    for head in network.heads:
        torch.nn.init.normal_(head[-1].weight, std=1.0)
    (workspace / "dsrg").mkdir()
    save_file(plain_state(network), workspace / "dsrg" / "network.safetensors")
    kept = workspace / "predictions"
    metrics = evaluate_dsrg(params, manifest, dsrg=workspace / "dsrg", predictions=kept)
    expected = class_iou(confusion_of(network, manifest, 4))
    assert metrics["miou"] == pytest.approx(np.nanmean(expected), abs=0.01)
    assert len(list(kept.glob("*.png"))) == len(manifest.of("val"))
    assert Path("results/shapes/seeds/dsrg.csv").read_text().splitlines()[1].startswith("3,")
