"""Quality of seeds, CAM masks and proxies, against counts made by hand."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.images import read_mask, write_mask
from pipeline.data.manifest import IGNORE, Manifest
from pipeline.scoring.metrics import class_accuracy
from pipeline.weak.proxy.quality import measure, seed_precision
from pipeline.weak.seeds.seeds import make_seeds
from tests.settings import small_params

GRID = 8


def test_precision_and_coverage_of_known_counts() -> None:
    # Rows: truth; columns: seeds of class 0, 1, 2 and none.
    counts = np.array([[4, 1, 0, 5], [0, 3, 0, 1], [0, 0, 0, 2]])
    assert seed_precision(counts).tolist() == pytest.approx([100, 75, np.nan], nan_ok=True)
    assert class_accuracy(counts).tolist() == pytest.approx([40, 75, 0])


@pytest.fixture
def folders(manifest: Manifest, tmp_path: Path) -> tuple[Path, Path]:
    """Seeds of a barely trained classifier, and proxies that are the true masks."""
    seeds, proxy = tmp_path / "seeds", tmp_path / "proxy"
    seeds.mkdir()
    make_seeds(small_params(), manifest, seeds)
    (proxy / "masks").mkdir(parents=True)
    for row in manifest.train():
        truth = np.array(read_mask(manifest.path(row.mask)))
        truth[truth == IGNORE] = 0
        write_mask(proxy / "masks" / f"{row.id}.png", truth, manifest.classes)
    return seeds, proxy


def test_true_masks_as_proxies_score_full(manifest: Manifest, folders: tuple[Path, Path]) -> None:
    seeds, proxy = folders
    summary = measure(small_params(), manifest, proxy, seeds)
    assert json.loads((proxy / "quality.json").read_text()) == summary
    assert summary["images"] == 16
    assert summary["proxy_miou"] == 100.0
    assert summary["cam_miou"] < 100.0

    given = np.load(seeds / "seeds.npy")
    right = total = labelled = 0
    per_class: dict[int, list[int]] = {}
    strong: dict[int, list[int]] = {}
    for row, seed in zip(manifest.train(), given, strict=True):
        truth = np.array(read_mask(manifest.path(row.mask)))[1::4, 1::4]
        for t, s in zip(truth.ravel().tolist(), seed.ravel().tolist(), strict=True):
            if t == IGNORE:
                continue
            total += 1
            if s != 255:
                labelled += 1
                per_class.setdefault(s, []).append(int(t == s))
                if row.split == "strong":
                    strong.setdefault(s, []).append(int(t == s))
                right += t == s
    precisions = [100 * sum(hits) / len(hits) for hits in per_class.values()]
    assert summary["seed_coverage"] == pytest.approx(100 * labelled / total, abs=0.01)
    assert summary["seed_precision"] == pytest.approx(np.mean(precisions), abs=0.01)
    expected = np.mean([100 * sum(hits) / len(hits) for hits in strong.values()])
    assert summary["strong_precision"] == pytest.approx(expected, abs=0.01)

    with (proxy / "quality.csv").open(newline="") as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(manifest.classes.names)
    for c, name in enumerate(manifest.classes.names):
        cell = rows[name]["seed_precision"]
        if c in per_class:
            expected = 100 * sum(per_class[c]) / len(per_class[c])
            assert float(cell) == pytest.approx(expected, abs=0.01)
        else:
            assert cell == ""

    # Each image against counts of its own: its proxy is the truth but for one square.
    spoilt = manifest.train()[3]
    mask = np.array(read_mask(proxy / "masks" / f"{spoilt.id}.png"))
    mask[4:20, 4:20] = 1
    write_mask(proxy / "masks" / f"{spoilt.id}.png", mask, manifest.classes)
    measure(small_params(), manifest, proxy, seeds)
    truth = np.array(read_mask(manifest.path(spoilt.mask)))
    kept = truth != IGNORE
    shares = [
        100
        * np.sum((mask == c) & (truth == c) & kept)
        / np.sum(((mask == c) | (truth == c)) & kept)
        for c in np.union1d(mask[kept], truth[kept])
    ]
    with (proxy / "images.csv").open(newline="") as file:
        by_image = {row["id"]: float(row["proxy_iou"]) for row in csv.DictReader(file)}
    assert by_image.pop(spoilt.id) == pytest.approx(np.mean(shares), abs=0.01)
    assert set(by_image.values()) == {100.0}
    assert len(by_image) == 15


def test_only_images_with_masks_are_measured(
    manifest: Manifest, folders: tuple[Path, Path]
) -> None:
    seeds, proxy = folders
    rows = tuple(replace(r, mask="") if r.split == "weak" else r for r in manifest.rows)
    assert measure(small_params(), replace(manifest, rows=rows), proxy, seeds)["images"] == 6


def test_masks_that_the_generator_was_trained_on_are_not_measured(
    manifest: Manifest, folders: tuple[Path, Path]
) -> None:
    taught = [row.id for row in manifest.of("strong")]
    assert measure(small_params(), manifest, folders[1], taught=taught)["images"] == 10
    with (folders[1] / "images.csv").open(newline="") as file:
        assert not {row["id"] for row in csv.DictReader(file)} & {*taught}


def test_without_any_mask_there_is_nothing_to_measure(
    manifest: Manifest, folders: tuple[Path, Path]
) -> None:
    seeds, proxy = folders
    rows = tuple(replace(row, mask="") for row in manifest.rows)
    assert measure(small_params(), replace(manifest, rows=rows), proxy, seeds) == {"images": 0}
    assert (proxy / "quality.csv").read_text().splitlines() == [
        "class,seed_precision,seed_coverage,strong_precision,strong_coverage,cam_iou,proxy_iou"
    ]
