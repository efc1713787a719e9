"""Pictures are chosen by the stated rule, and stay small."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.images import write_mask
from pipeline.manifest import ClassList, open_manifest
from pipeline.params import Params
from pipeline.paths import DATASET, PREDICTIONS, SEEDS
from pipeline.report.pictures import (
    LONGEST,
    Picture,
    legend,
    proxy_grid,
    spread_evenly,
    val_grid,
)


def open_picture(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.uri.split(",")[1])))


@pytest.mark.parametrize(("count", "rows"), [(1, 8), (8, 8), (9, 8), (300, 8), (5000, 3)])
def test_even_spread(count: int, rows: int) -> None:
    places = spread_evenly(count, rows)
    assert len(places) == min(count, rows)
    assert places == sorted(set(places))
    assert 0 <= places[0] <= places[-1] < count
    assert abs(places[0] - (count - 1 - places[-1])) <= 1  # as far from the worst as the best


def test_iou_within_an_image() -> None:
    truth = np.array([[0, 1], [255, 1]], dtype=np.uint8)
    assert image_iou(truth, np.array([[0, 1], [5, 1]], dtype=np.uint8), 6) == 100.0
    # background 1 of 2, class 1 one of two; the others are nowhere and do not count
    assert image_iou(truth, np.array([[0, 0], [0, 1]], dtype=np.uint8), 6) == 50.0
    assert image_iou(np.full((2, 2), 255, np.uint8), truth, 6) == 0.0


def test_val_images_come_worst_first(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    rows = manifest.of("val")
    for row in rows[:2]:  # nothing found in these: the worst two of six
        blank = np.full((row.height, row.width), 3, dtype=np.uint8)
        write_mask(PREDICTIONS / "dual" / f"{row.id}.png", blank, manifest.classes)
    whole = params.model_copy(update={"report": params.report.model_copy(update={"rows": 6})})
    grid = val_grid(whole, manifest)
    assert {strip.id for strip in grid.strips[:2]} == {row.id for row in rows[:2]}
    scores = [int(strip.pictures[-1].caption.removeprefix("dual ")) for strip in grid.strips]
    assert scores == sorted(scores)
    captions = [picture.caption.split()[0] for picture in grid.strips[0].pictures]
    assert captions == ["image", "truth", *params.variants]


def test_masks_keep_their_colours(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    truth = val_grid(params, manifest).strips[0]
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
    grid = proxy_grid(params, manifest, [row.id for row in manifest.of("weak")])
    for picture in grid.strips[0].pictures:
        assert not picture.tiny
        assert open_picture(picture).size == picture.size == (LONGEST, 213)
    assert grid.strips[0].pictures[0].uri.startswith("data:image/jpeg;")
    assert len(grid.strips[0].pictures[0].uri) < 60_000


def test_weak_images_are_spread_over_the_list(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    weak = [row.id for row in manifest.of("weak")]
    assert [strip.id for strip in proxy_grid(params, manifest, weak).strips] == [weak[1], weak[3]]


def test_seeds_of_another_data_set(params: Params, run: Path) -> None:
    np.save(SEEDS / "seeds.npy", np.zeros((3, 4, 4), dtype=np.uint8))
    manifest = open_manifest(params)
    with pytest.raises(UserError, match=r"seeds\.npy was made for another data set"):
        proxy_grid(params, manifest, [row.id for row in manifest.of("weak")])


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
