"""The study on animals6: its data set, its rows, its tables."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docs.results.animals6 import data_set, study, tables
from docs.results.animals6.study import COLUMNS, HALF_BATCH, Training, append, done, trainings
from pipeline.data.images import read_mask
from pipeline.settings.params import Params

SIDE = 8


def voc_image(voc: Path, folder: str, name: str, *indices: int) -> None:
    """A photograph and its mask, a stripe for each index."""
    mask = np.repeat(np.array(indices, np.uint8), SIDE)[None].repeat(SIDE, 0)
    for kind, picture, suffix in (
        (folder, Image.fromarray(mask), "png"),
        ("JPEGImages", Image.fromarray(np.zeros((*mask.shape, 3), np.uint8)), "jpg"),
    ):
        (voc / kind).mkdir(parents=True, exist_ok=True)
        picture.save(voc / kind / f"{name}.{suffix}")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    folder = tmp_path / "VOC2012"
    lists = folder / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("cat\nchair\ndog\n")
    (lists / "trainaug.txt").write_text("cat\nchair\ndog\nriders\n")
    (lists / "val.txt").write_text("sheep\nbus\n")
    for name, indices in (("cat", (0, 8)), ("chair", (0, 9)), ("dog", (12, 255)), ("bus", (6,))):
        voc_image(folder, "SegmentationClass", name, *indices)
    voc_image(folder, "SegmentationClass", "sheep", 17, 9)
    voc_image(folder, "SegmentationClassAug", "riders", 13, 15, 14)
    return folder


def test_photographs_of_animals_and_their_six_classes(voc: Path, tmp_path: Path) -> None:
    out = tmp_path / "animals6"
    data_set.main(voc, out)
    assert (out / "splits/train.txt").read_text().split() == ["cat", "dog", "riders"]
    assert (out / "splits/val.txt").read_text().split() == ["sheep"]
    assert (out / "tags.csv").read_text().splitlines()[1:] == [
        *("cat.jpg,cat", "dog.jpg,dog", "riders.jpg,horse;person")
    ]
    names = (out / "classes.txt").read_text().split()
    for image, values in (("riders", (4, 6, 255)), ("sheep", (5, 255)), ("dog", (3, 255))):
        mask = np.asarray(read_mask(out / f"masks/{image}.png", len(names)))
        assert tuple(mask[0, ::SIDE]) == values
        assert (out / f"images/{image}.jpg").exists()


def test_held_back_images_are_official_and_not_trained_on(voc: Path, tmp_path: Path) -> None:
    data_set.main(voc, tmp_path / "held", held_back=1)
    (val,) = (tmp_path / "held/splits/val.txt").read_text().split()
    train = (tmp_path / "held/splits/train.txt").read_text().split()
    assert val in {"cat", "dog"}
    assert sorted([val, *train]) == ["cat", "dog", "riders"]
    assert val not in (tmp_path / "held/tags.csv").read_text()


def test_trainings_are_those_of_the_plan() -> None:
    every = [training for draw in trainings() for training in draw]
    assert len(set(every)) == len(every)
    assert len({training.key for training in every}) == len(every)
    counts = Counter((training.network, training.masks) for training in every)
    assert counts["dual", 30] == counts["dual.self", 120] == counts["strong", 30] == 5
    assert counts["mixed", 437] == counts["full", 437] == counts["dual", 437] == 3
    assert counts["mixed", 30] == 0
    for training in every:
        recipe = study.changed_params(study.RECIPE, training.changes(Path("data")))
        assert isinstance(recipe, Params)
        assert training.variant in recipe.variants
        assert recipe.seeds == [training.seed] == [recipe.split.draw]


def test_rows_are_appended_once_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, text in (
        ("seeds", "seed,miou\n3,51.5\n"),
        ("per_class", "class,iou\n" + "".join(f"{c},50.25\n" for c in COLUMNS[5:])),
    ):
        (tmp_path / "results/folder" / kind).mkdir(parents=True)
        for name in ("strong", "dual.self"):
            (tmp_path / "results/folder" / kind / f"{name}.csv").write_text(text)
    scores = tmp_path / "scores.csv"
    assert done(scores) == set()
    for network in (HALF_BATCH, "dual.self"):
        append(scores, Training(network, 120, 3))
    assert scores.read_text().splitlines() == [
        "network,generator,strong,seed,miou,background,cat,cow,dog,horse,sheep,person",
        f"{HALF_BATCH},,120,3,51.5" + 7 * ",50.25",
        "dual,self,120,3,51.5" + 7 * ",50.25",
    ]
    assert Training("dual.self", 120, 3).key in done(scores)
    assert Training("dual", 120, 3).key not in done(scores)


def test_tables_pair_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, page = tmp_path / "scores.csv", tmp_path / "page.md"
    monkeypatch.setattr(tables, "SCORES", scores)
    monkeypatch.setattr(tables, "PAGE", page)
    monkeypatch.setattr(tables, "FIGURE", tmp_path / "miou.svg")
    with scores.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for seed, strong in enumerate((40.0, 50.0, 45.0)):
            for network, made_by, more in (("strong", "", 0), ("dual", "dsrg", 2 + seed)):
                score = strong + more
                writer.writerow([network, made_by, 30, seed, score, *([score] * 7)])
    page.write_text(f"before\n{tables.BEGIN}old\n{tables.END}after\n")
    tables.main()
    lines = page.read_text().splitlines()
    # Differences 2, 3, 4: mean 3, sd 1, Student's 4.303 / sqrt(3).
    assert "| 30 | `dual` | 3 | 48.00 | 5.57 | +3.00 | +0.52 to +5.48 | 3 of 3 |" in lines
    assert "| 30 |" + 7 * " +3.0 |" in lines
    assert (lines[0], lines[-1]) == ("before", "after")
    assert (tmp_path / "miou.svg").stat().st_size > 0
