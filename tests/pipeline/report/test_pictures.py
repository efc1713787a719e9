"""Pictures are chosen by the stated rule, and stay small."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import write_mask
from pipeline.data.manifest import ClassList, open_manifest
from pipeline.report.pictures import (
    by_rank,
    proxy_grids,
    shown_columns,
    val_grid,
)
from pipeline.report.strips import GAP, LONGEST, Picture, legend, spread_evenly
from pipeline.settings.params import Params
from pipeline.settings.paths import DATASET, PREDICTIONS, SEEDS, proxy_dir


def open_picture(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.uri.split(",")[1])))


@pytest.mark.parametrize(("count", "rows"), [(1, 8), (8, 8), (9, 8), (300, 8), (5000, 3)])
def test_even_spread(count: int, rows: int) -> None:
    places = spread_evenly(count, rows)
    assert len(places) == min(count, rows)
    assert places == sorted(set(places))
    assert 0 <= places[0] <= places[-1] < count
    assert abs(places[0] - (count - 1 - places[-1])) <= 1  # as far from the worst as the best


@pytest.mark.parametrize(("count", "each"), [(1, 4), (2, 4), (3, 4), (7, 2), (300, 4), (13, 4)])
def test_ranks_do_not_share_places(count: int, each: int) -> None:
    places = by_rank(count, each)
    flat = [place for kind in places.values() for place in kind]
    assert len(set(flat)) == len(flat)
    assert places["best"][0] == count - 1
    assert count == 1 or places["worst"][-1] == 0
    if count >= 3 * each:
        assert all(len(kind) == each for kind in places.values())
        below, above = min(places["median"]), count - 1 - max(places["median"])
        assert abs(below - above) <= 1


def test_val_images_are_the_best_the_median_and_the_worst(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    rows = manifest.of("val")
    for row in rows[:2]:  # nothing found in these: the worst two of six
        blank = np.full((row.height, row.width), 3, dtype=np.uint8)
        write_mask(PREDICTIONS / "dual" / f"{row.id}.png", blank, manifest.classes)
    grids = val_grid(params, manifest)
    assert list(grids) == ["best", "median", "worst"]
    assert {strip.id for strip in grids["worst"].strips} == {row.id for row in rows[:2]}
    strips = [strip for grid in grids.values() for strip in grid.strips]
    scores = [int(strip.pictures[-1].caption.removeprefix("dual ")) for strip in strips]
    best, median, worst = (scores[first : first + 2] for first in (0, 2, 4))
    assert best == sorted(best, reverse=True)
    assert worst == sorted(worst, reverse=True)
    assert min(best) >= max(median) >= min(median) >= max(worst)
    captions = [picture.caption.split()[0] for picture in strips[0].pictures]
    assert captions == ["image", "truth", "dsrg", *params.variants]


def test_many_networks_leave_room_for_the_papers(params: Params) -> None:
    names = ["weak", "mixed", "mixed_x2", "strong", "full", "dual", "dual_full"]
    assert shown_columns(params.model_copy(update={"variants": names})) == [
        *("dsrg", "weak", "mixed", "strong", "dual"),
    ]


def test_a_strip_in_one_file(params: Params, run: Path) -> None:
    strip = next(iter(val_grid(params, open_manifest(params)).values())).strips[0]
    sheet, (width, height) = strip.joined(), strip.pictures[0].size
    assert sheet.size == (len(strip.pictures) * (width + GAP) - GAP, height)
    second = sheet.crop((width + GAP, 0, 2 * width + GAP, height))
    shown = open_picture(strip.pictures[1]).convert("RGB")
    assert np.array_equal(np.array(second), np.array(shown))


def test_masks_keep_their_colours(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    truth = val_grid(params, manifest)["best"].strips[0]
    row = next(row for row in manifest.of("val") if row.id == truth.id)
    shown = open_picture(truth.pictures[1])
    with Image.open(manifest.path(row.mask)) as mask:
        assert np.array_equal(np.array(shown.convert("RGB")), np.array(mask.convert("RGB")))


def test_large_photographs_shrink(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    for row in manifest.of("weak"):
        path = DATASET / row.image
        with Image.open(path) as image:
            image.resize((900, 600)).save(path)
    grid = proxy_grids(params, manifest, [row.id for row in manifest.of("weak")])["spread"]
    for picture in grid.strips[0].pictures:
        assert not picture.tiny
        assert open_picture(picture).size == picture.size == (LONGEST, 213)
    assert grid.strips[0].pictures[0].uri.startswith("data:image/jpeg;")
    assert len(grid.strips[0].pictures[0].uri) < 60_000


def test_weak_images_are_the_worst_and_spread_over_the_list(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    weak = [row.id for row in manifest.of("weak")]
    grids = proxy_grids(params, manifest, weak)
    assert [strip.id for strip in grids["spread"].strips] == [weak[1], weak[3]]
    assert [strip.id for strip in grids["worst"].strips] == [weak[-1], weak[0]]
    assert grids["worst"].strips[0].pictures[-1].caption == "proxy 3"
    (proxy_dir("dsrg") / "images.csv").write_text(
        "id,proxy_iou\n", "utf-8"
    )  # no true mask is known
    assert list(proxy_grids(params, manifest, weak)) == ["spread"]


def test_seeds_of_another_data_set(params: Params, run: Path) -> None:
    np.save(SEEDS / "seeds.npy", np.zeros((3, 4, 4), dtype=np.uint8))
    manifest = open_manifest(params)
    with pytest.raises(UserError, match=r"seeds\.npy was made for another data set"):
        proxy_grids(params, manifest, [row.id for row in manifest.of("weak")])


def test_prediction_of_another_size(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    path = PREDICTIONS / "dual" / f"{manifest.of('val')[0].id}.png"
    write_mask(path, np.zeros((5, 5), dtype=np.uint8), manifest.classes)
    with pytest.raises(UserError, match=r"has another size than its image"):
        val_grid(params, manifest)
    shutil.rmtree(path.parent)
    with pytest.raises(UserError, match=r"stages\.evaluate dual"):
        val_grid(params, manifest)


def test_legend(classes: ClassList) -> None:
    assert legend(classes, [0, 2, 255]) == [
        ("background", "rgb(0 0 0)"),
        ("a & $b$", "rgb(0 128 0)"),
        ("no label", "rgb(224 224 192)"),
    ]
