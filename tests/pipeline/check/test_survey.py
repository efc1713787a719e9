"""A check says what stage download would, counts right, and advises where it should."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.check.advice import advise
from pipeline.check.summary import generators, scaling, working_size
from pipeline.check.survey import Survey, survey
from pipeline.datasets.folder.divide import Choice
from pipeline.datasets.reading.download import download
from tests.bad_input.spoiling import Spoil, every, gone, lists, pixels, scene_mask, turned
from tests.bad_input.table import REFUSED, TAKEN
from tests.exports import EXPORTS
from tests.settings import small_params
from tests.trees import SIDE, make_folder, save_list, save_mask

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
MAKE = {"folder": make_folder, **EXPORTS}


def look(root: Path, tmp_path: Path) -> Survey:
    (tmp_path / "made").mkdir()
    return survey(root, Choice(0.2, 0), tmp_path / "made")


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        pytest.param(kind, spoil, id=f"{kind}: {name}")
        for table in (REFUSED, TAKEN)
        for kind in MAKE
        for name, spoil in table[kind][::3]
    ],
)
def test_it_is_usable_exactly_where_download_takes_it(
    kind: str, spoil: Spoil, tmp_path: Path
) -> None:
    root = tmp_path / "mine"
    MAKE[kind](root)
    spoil(root)
    found = look(root, tmp_path)
    refused = ""
    try:
        download(small_params(dataset="folder", data_root=str(root)), tmp_path / "out")
    except UserError as error:
        refused = str(error)
    assert found.usable == (not refused), refused
    listed = tmp_path / "out.problems.txt"
    whole = listed.read_text("utf-8") if listed.exists() else refused
    for problem, cases in found.problems.items():
        assert all(case.encode(errors="backslashreplace").decode() in whole for case in cases)
        assert cases or problem in whole


def test_counts(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    make_folder(root)
    before = {p: hashlib.md5(p.read_bytes()).hexdigest() for p in root.rglob("*.*")}
    found = look(root, tmp_path)
    assert {p: hashlib.md5(p.read_bytes()).hexdigest() for p in root.rglob("*.*")} == before
    masks = {n: scene_mask(n) for n in (0, 1, 2, 3, 12, 13, 14)}
    together = np.concatenate([mask_HW.ravel() for mask_HW in masks.values()])
    for index in range(256):
        assert found.pixels_256[index] == (together == index).sum()
    for index in range(1, 9):
        holding = sum(bool((mask_HW == index).any()) for mask_HW in masks.values())
        assert found.holding("strong", index) + found.holding("val", index) == holding
        tagged = sum(bool((scene_mask(n) == index).any()) for n in range(4, 12))
        assert found.holding("weak", index) == tagged


def findings(root: Path, tmp_path: Path) -> str:
    return "\n".join(f"{finding} {fix}" for finding, fix in advise(look(root, tmp_path)))


def whole_mask(value: int, part: float = 1.0) -> Any:
    mask_HW = np.full((SIDE, SIDE), value, np.uint8)
    mask_HW[round(part * SIDE) :] = 1
    return mask_HW


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: None, "No training mask has"),
        (lambda root: None, "Images to score on: only 2 of 7 masks. Score every one in 5 folds"),
        (lambda root: None, "-S download.folder.folds=5 -S 'seeds=[0,1,2,3,4]'"),
        (lists(val=["scene 12"]), "Images to score on: only 1. The mean IoU may be off"),
        (lambda root: None, "15 images are lower or narrower than 64 pixels"),
        (gone("tags.csv"), "No image with tags only has"),
        (gone("masks/scene 14.png"), "1 image is neither masked nor tagged: scene 14."),
        (pixels("masks/scene 1.png", whole_mask(0)), "Masks without any object: scene 1."),
        (
            pixels("masks/scene 1.png", whole_mask(255, 0.6)),
            "half or more of their pixels ignored (255)",
        ),
        (turned("images/scene 4.jpg", 6), "1 image is turned upright by an EXIF tag: scene 4."),
        (
            lambda root: (root / "classes.txt").open("a").write("unicorn\n"),
            "No image has unicorn.",
        ),
    ],
)  # fmt: skip
def test_advice(spoil: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    make_folder(tmp_path / "mine")
    spoil(tmp_path / "mine")
    assert said in findings(tmp_path / "mine", tmp_path)


def test_folds_are_not_for_folders_without_tags(tmp_path: Path) -> None:
    make_folder(tmp_path / "mine")
    (tmp_path / "mine/tags.csv").unlink()
    assert "folds" not in findings(tmp_path / "mine", tmp_path)


def test_it_says_what_becomes_of_large_photographs(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    make_folder(root)
    side = working_size("folder-cpu")
    Image.new("RGB", (side + 1, 30)).save(root / "images/scene 4.jpg")
    assert scaling(look(root, tmp_path)) == (
        f"1 of 15 photographs will be scaled to {side} pixels (download.folder.longest_side); "
        "scores and predictions are at their own size"
    )


def test_it_says_which_generators_fit(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    make_folder(root)
    (root / "masks/scene 14.png").unlink()
    (root / "proxies").mkdir()
    save_mask(root / "proxies/scene 5.png", scene_mask(5))
    assert generators(look(root, tmp_path)) == {
        "dsrg": "8 of 9, those with tags",
        "self": "9 of 9",
        "files": "1 of 9, those with a mask in proxies/",
    }


def test_there_is_no_advice_where_all_is_well(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    (root / "images").mkdir(parents=True)
    mask_HW = np.zeros((64, 64), np.uint8)
    mask_HW[:20], mask_HW[40:] = 1, 2
    tags = ["image,tags"]
    for number in range(110):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(root / "images" / f"{number}.jpg")
        if number < 100:
            save_mask(root / "masks" / f"{number}.png", mask_HW)
        else:
            tags.append(f"{number},cat;dog")
    save_list(root / "tags.csv", tags)
    save_list(root / "classes.txt", ["background", "cat", "dog"])
    assert findings(root, tmp_path) == ""
    mask_HW[1:20] = 0
    mask_HW[0, 3:] = 0
    every(*(pixels(f"masks/{number}.png", mask_HW) for number in range(100)))(root)
    (tmp_path / "again").mkdir()
    assert "cat: less than a 50th of the pixels of dog" in findings(root, tmp_path / "again")
