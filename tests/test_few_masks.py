"""Folders with few masks, through the real commands: folds, masks alone, a stratified draw.

The stages run in this process, as in test_recipes.py.
"""

import contextlib
import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from safetensors.torch import load_file

from pipeline.data.images import read_mask
from pipeline.data.manifest import Manifest, read_manifest
from pipeline.devices.gpus import VISIBLE
from pipeline.scoring.metrics import confusion_matrix, summarise
from tests.settings import SMALL, put, raw_values
from tests.test_recipes import run_stage
from tests.trees import CLASS_NAMES, save_list, save_mask, scene

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TAGGED = 6
CHANGES = {
    "dataset": "folder",
    "data_root": "mine",
    "train.epochs": 1,
    "train.decay_epoch": 1,
    "train.iterations": 2,
    "train.validations": 1,
    "cam.optimiser.iterations": 2,
    "dsrg.optimiser.iterations": 2,
    "report.rows": 2,
}


def make_photographs(root: Path, masks: int, tagged: int) -> None:
    """Scenes with masks, and others with tags alone."""
    (root / "images").mkdir(parents=True)
    tags = ["image,tags"]
    for number in range(masks + tagged):
        picture, mask_HW = scene(number)
        picture.save(root / "images" / f"{number:02d}.jpg", quality=95)
        if number < masks:
            save_mask(root / "masks" / f"{number:02d}.png", mask_HW)
        else:
            found = sorted(set(np.unique(mask_HW).tolist()) - {0, 255})
            tags.append(f"{number:02d}.jpg,{';'.join(CLASS_NAMES[n] for n in found)}")
    save_list(root / "tags.csv", tags)
    save_list(root / "classes.txt", list(CLASS_NAMES))


@contextlib.contextmanager
def inside(folder: Path, changes: dict[str, Any]) -> Iterator[None]:
    """A folder to run stages in, with a small params.yaml."""
    values = put(put(raw_values(), SMALL), {**CHANGES, **changes})
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(values, file)
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv(VISIBLE, os.environ.get(VISIBLE, "0").split(",")[0])
        yield


def stages(*commands: str) -> dict[str, str]:
    """Run stages; what each printed."""
    return {line: run_stage(f"stages.{line.split()[0]}", line.split()[1:]) for line in commands}


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def in_folds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Thirty masks in five folds: where everything is, and what the stages printed."""
    folder = tmp_path_factory.mktemp("folds")
    make_photographs(folder / "mine", 30, TAGGED)
    changes = {
        "download.folder.folds": 5,
        "seeds": [0, 1, 2, 3, 4],
        "variants": ["weak", "strong"],
        "ensembles": ["weak"],
    }
    with inside(folder, changes):
        printed = stages(
            *("download", "seeds", "dsrg", "proxy dsrg", "split"),
            *(f"train {variant} {seed}" for variant in ("weak", "strong") for seed in range(5)),
            *("evaluate weak", "evaluate strong", "evaluate_dsrg", "ensemble weak"),
            *("package strong", "report"),
        )
    return folder, printed


def manifest_of(folder: Path) -> Manifest:
    return read_manifest(folder / "data/dataset", folder / "mine")


@pytest.mark.slow
def test_every_mask_is_in_one_fold(in_folds: tuple[Path, dict[str, str]]) -> None:
    folder, printed = in_folds
    manifest = manifest_of(folder)
    assert manifest.fold_sizes == (6, 6, 6, 6, 6)
    assert all((row.fold is not None) == (row.split == "strong") for row in manifest.rows)
    assert len(manifest.tagged()) == TAGGED
    assert "folder: 30 strong, 6 weak, 0 val" in printed["download"]
    assert "scored over 5 folds, 6 images each: boat in " in printed["download"]
    assert len(list((folder / "data/proxy/dsrg/masks").iterdir())) == 36


@pytest.mark.slow
def test_scores_are_pooled_over_all_folds(in_folds: tuple[Path, dict[str, str]]) -> None:
    """From the predictions and the photographs' own masks: six images a seed, thirty in all."""
    folder, printed = in_folds
    manifest = manifest_of(folder)
    for variant in ("weak", "strong", "dsrg"):
        predictions = folder / "data/predictions" / variant
        assert {path.stem for path in predictions.iterdir()} == {f"{n:02d}" for n in range(30)}
        confusions = {
            row.id: confusion_matrix(
                np.array(read_mask(manifest.path(row.mask))),
                np.array(read_mask(predictions / f"{row.id}.png")),
                9,
            )
            for row in manifest.rows
            if row.mask
        }
        miou = summarise(sum(confusions.values()))["miou"]
        metrics = json.loads((folder / f"results/folder/metrics/{variant}.json").read_text())
        assert (metrics["miou"], metrics["miou_sd"]) == (pytest.approx(miou, abs=0.006), 0.0)
        rows = table(str(folder / f"results/folder/seeds/{variant}.csv"))
        if variant == "dsrg":
            assert [row["seed"] for row in rows] == ["0"]
            continue
        assert [(row["seed"], row["fold"], row["images"]) for row in rows] == [
            (str(n), str(n), "6") for n in range(5)
        ]
        for row in rows:
            own = [r.id for r in manifest.rows if r.fold == int(row["fold"])]
            score = summarise(sum(confusions[name] for name in own))["miou"]
            assert float(row["miou"]) == pytest.approx(score, abs=1e-4)
            assert float(row["pooled"]) == pytest.approx(miou, abs=1e-4)
    assert "over 5 seeds and 5 folds, 6 images each" in printed["evaluate strong"]
    assert len(table(str(folder / "results/folder/seeds/ensemble_weak.csv"))) == 5


@pytest.mark.slow
def test_a_training_is_scored_on_its_fold_while_it_runs(
    in_folds: tuple[Path, dict[str, str]],
) -> None:
    folder, _ = in_folds
    for row in table(str(folder / "results/folder/seeds/strong.csv")):
        history = table(str(folder / f"data/models/strong/{row['seed']}/history.csv"))
        assert float(history[-1]["val_miou"]) == pytest.approx(float(row["miou"]), abs=0.01)


@pytest.mark.slow
def test_report_and_card_say_what_was_held_out(in_folds: tuple[Path, dict[str, str]]) -> None:
    folder, printed = in_folds
    page = " ".join((folder / "report/index.html").read_text("utf-8").split())
    assert "at their own size, over 5 folds, 6 images each." in page
    assert "To find out, train <em>strong</em>" in page  # there is no dual
    assert "percent over 5 folds, 6 images each; one training of each" in printed["report"]
    card = " ".join((folder / "data/packages/strong/MODEL_CARD.md").read_text("utf-8").split())
    assert "whose strong list has 24 images with masks" in card
    assert "trained without 6 of the 30 images with masks, fold 0 of 5" in card
    assert "The tables are over 5 folds, 6 images each" in card


@pytest.mark.slow
def test_the_held_out_masks_change_nothing_in_a_training(
    in_folds: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """The masks of fold 0 turned into background: seed 0 and all that is before learns the same."""
    folder, _ = in_folds
    manifest = manifest_of(folder)
    make_photographs(tmp_path / "mine", 30, TAGGED)
    changes = {
        "download.folder.folds": 5,
        "seeds": [0, 1, 2, 3, 4],
        "variants": ["weak", "strong"],
    }
    with inside(tmp_path, changes):
        stages("download")
        for row in manifest.held_out(0):
            mask_HW = np.array(read_mask(manifest.path(row.mask)))
            save_mask(Path(f"mine/masks/{row.id}.png"), np.zeros_like(mask_HW))
        stages("seeds", "dsrg", "proxy dsrg", "split", "train weak 0", "train strong 0")
    for name in (
        "data/seeds/classifier",
        *(f"data/models/{v}/0/network" for v in ("weak", "strong")),
    ):
        before, after = (load_file(root / f"{name}.safetensors") for root in (folder, tmp_path))
        assert before.keys() == after.keys()
        assert all((before[key] == after[key]).all() for key in before)


@pytest.mark.slow
def test_a_folder_of_masks_alone(tmp_path: Path) -> None:
    make_photographs(tmp_path / "mine", 20, 0)
    with inside(tmp_path, {"split.strong": 5, "variants": ["strong"]}):
        looked = "check mine --strong 5"
        printed = stages(looked, "download", "seeds", "dsrg", "proxy dsrg", "split")
        quality = json.loads(Path("data/proxy/dsrg/quality.json").read_text())
    assert "-S split.strong=5" in printed[looked]
    manifest = manifest_of(tmp_path)
    training = len(manifest.train())
    assert len(manifest.of("strong")) == training
    assert "strong: 5 images" in printed["split"]
    assert f"weak: {training - 5} images" in printed["split"]
    assert quality["images"] == training


def test_a_drawn_val_has_every_class(tmp_path: Path) -> None:
    make_photographs(tmp_path / "mine", 20, TAGGED)
    with inside(tmp_path, {"variants": ["strong"]}):
        printed = stages("download")["download"]
    manifest = manifest_of(tmp_path)
    counts = Counter(tag for row in manifest.of("strong", "val") for tag in row.known_tags)
    val = Counter(tag for row in manifest.of("val") for tag in row.known_tags)
    train = Counter(tag for row in manifest.of("strong") for tag in row.known_tags)
    for index, name in enumerate(CLASS_NAMES[1:], start=1):
        assert bool(val[index]) == (counts[index] > 1)
        assert train[index] or not counts[index]
        assert f"{name} in {val[index]}" in printed
