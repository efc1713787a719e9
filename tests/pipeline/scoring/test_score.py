"""Evaluation: every val image once, at its own size, by the strong branch only."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pipeline.batches.augment import MEAN, STD, image_tensor, normalise
from pipeline.data.images import read_image, read_mask, write_mask
from pipeline.data.manifest import IGNORE, Manifest, Row, make_classes
from pipeline.evaluate.variant import evaluate_variant
from pipeline.networks.backbone import Backbone, build_backbone
from pipeline.networks.grid import Geometry
from pipeline.networks.stored import plain_state
from pipeline.scoring.metrics import class_iou, summarise
from pipeline.scoring.score import confusion_of, predict_batch, same_size_batches
from pipeline.train.network import DualBranchNet
from tests.settings import small_params

CLASSES = make_classes(["background", "cat", "dog"])
COLOURS = np.array([[10, 10, 10], [220, 30, 30], [30, 220, 30]], dtype=np.uint8)


class Oracle(nn.Module):
    """Reads the class off the colour, pixel by pixel; its weak branch is always wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone(nn.Identity(), Geometry(3, 1, corner=False, saliency=""))
        self.unused = nn.Parameter(torch.zeros(1))
        self.calls: list[int] = []

    def forward(self, images_B3HW: Tensor, branch: int = 0) -> Tensor:
        assert branch == 0
        assert not torch.is_grad_enabled()
        assert not self.training
        self.calls.append(len(images_B3HW))
        mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
        pixels = (images_B3HW * std + mean) * 255
        known = torch.from_numpy(COLOURS).float()
        return -(pixels[:, None] - known[None, :, :, None, None]).square().sum(dim=2)


@pytest.fixture
def val(tmp_path: Path) -> Manifest:
    """Seven val images of three sizes that show their masks, one without mask, one strong."""
    rng = np.random.default_rng(0)
    rows = []
    sizes = [(20, 14), (20, 14), (20, 14), (9, 31), (9, 31), (20, 14), (33, 33)]
    for number, (width, height) in enumerate([*sizes, (8, 8), (8, 8)]):
        mask = rng.integers(0, 3, (height, width)).astype(np.uint8)
        Image.fromarray(COLOURS[mask]).save(tmp_path / f"{number}.png")
        mask[0] = IGNORE
        write_mask(tmp_path / f"m{number}.png", mask, CLASSES)
        name = "" if number == 7 else f"m{number}.png"
        split = "strong" if number == 8 else "val"
        rows.append(Row(f"{number}", f"{number}.png", name, split, (1, 2), width, height))
    return Manifest(tuple(rows), CLASSES, tmp_path, tmp_path)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_the_truth_scores_full_and_every_image_counts_once(
    val: Manifest, tmp_path: Path, batch_size: int
) -> None:
    network = Oracle().train()
    counts = confusion_of(network, val, batch_size, tmp_path)
    assert summarise(counts)["miou"] == 100.0
    expected = np.zeros((3, 4), dtype=np.int64)
    for row in val.of("val")[:7]:
        mask = np.array(read_mask(val.path(row.mask)))
        for c in range(3):
            expected[c, c] += int((mask == c).sum())
        kept = np.array(read_mask(tmp_path / f"{row.id}.png"))  # over the image, where it lay
        assert np.array_equal(kept[mask != IGNORE], mask[mask != IGNORE])
    assert np.array_equal(counts, expected)
    assert sum(network.calls) == 7
    assert max(network.calls) <= batch_size


def test_errors_are_counted_where_they_are(val: Manifest) -> None:
    row = val.rows[0]
    pixels = np.array(read_image(val.path(row.image)))
    truth = np.array(read_mask(val.path(row.mask)))
    pixels[3, 5] = COLOURS[(truth[3, 5] + 1) % 3]
    pixels[0, 5] = COLOURS[0]  # under 255: counts nowhere
    Image.fromarray(pixels).save(val.path(row.image))
    right = confusion_of(Oracle(), replace(val, rows=val.rows[1:]), 3)
    counts = confusion_of(Oracle(), val, 3)
    wrong = counts - right
    assert wrong.sum() == 13 * 20
    assert wrong.sum() - np.trace(wrong) == 1
    assert wrong[truth[3, 5], (truth[3, 5] + 1) % 3] == 1


def test_batches_hold_one_size_each_and_every_row_once(val: Manifest) -> None:
    rows = val.of("val")
    for batch_size in (1, 2, 3, 10):
        parts = list(same_size_batches(rows, batch_size))
        assert [row for part in parts for row in part] == rows
        assert all(len({(row.width, row.height) for row in part}) == 1 for part in parts)
        assert max(map(len, parts)) <= batch_size
    assert [len(part) for part in same_size_batches(rows, 2)] == [2, 1, 2, 1, 1, 1]


def test_prediction_upsamples_logits_and_takes_the_strong_branch() -> None:
    torch.manual_seed(0)
    network = DualBranchNet(build_backbone("vgg16_narrow", "none"), 4, neck_n=1, width=8).eval()
    images = torch.randint(0, 256, (2, 3, 30, 42), dtype=torch.uint8)
    predicted = predict_batch(network, images)
    with torch.no_grad():
        features = network.neck(network.backbone(normalise(images)))
        logits = network.branches[0](features)
    full = F.interpolate(logits, (32, 44), mode="bilinear", align_corners=False)
    assert np.array_equal(predicted, full[..., :30, :42].argmax(dim=1))


def test_batching_does_not_change_the_scores(manifest: Manifest) -> None:
    torch.manual_seed(0)
    network = DualBranchNet(build_backbone("vgg16_narrow", "none"), 9, neck_n=1, width=8)
    one, all_at_once = (confusion_of(network, manifest, size) for size in (1, 50))
    assert np.abs(one - all_at_once).sum() <= 4  # ties of floating-point sums
    assert one.sum() == sum(
        int((np.array(read_mask(manifest.path(row.mask))) != IGNORE).sum())
        for row in manifest.of("val")
    )


def test_a_variant_is_scored_over_its_seeds(manifest: Manifest, workspace: Path) -> None:
    from safetensors.torch import save_file

    from pipeline.data.plan import make_plan
    from pipeline.train.build import build_network

    params = small_params(seeds=[4, 2])
    plan = make_plan("dual", 1, ["a"], ["b"])
    scores = []
    for seed in params.seeds:
        torch.manual_seed(seed)
        network = build_network(params, plan, len(manifest.classes), "none")
        folder = workspace / "models" / "dual" / str(seed)
        folder.mkdir(parents=True)
        save_file(plain_state(network), folder / "network.safetensors")
        scores.append(class_iou(confusion_of(network, manifest, 4)))
        if seed == 4:
            row = manifest.of("val")[0]
            image = image_tensor(read_image(manifest.path(row.image)))
            first = predict_batch(network, image[None])[0]
    kept = workspace / "predictions"
    metrics = evaluate_variant(
        params,
        manifest,
        plan,
        models=workspace / "models",
        predictions=kept,
    )
    assert metrics["miou"] == pytest.approx(np.mean([np.nanmean(s) for s in scores]), abs=0.01)
    suffixes = Counter(path.suffix for path in kept.iterdir())
    assert suffixes == {".png": 5}  # of the first seed alone
    mask = np.array(read_mask(kept / f"{row.id}.png"))
    assert np.mean(mask == first) > 0.999
