"""Photographs of any size: what download copies, and at which size."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import pipeline.datasets.folder.prepare as module
from pipeline.base.errors import UserError
from pipeline.data.images import read_image, read_mask
from pipeline.data.manifest import Manifest, Reading, Row, read_reading
from tests.pipeline.datasets.folder.test_prepare import run

SIDE = 20


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def mask_of(height: int, width: int) -> NDArray[np.uint8]:
    """An object on the left, ignored pixels at the top."""
    mask_HW = np.zeros((height, width), np.uint8)
    mask_HW[:, : width // 3] = 1
    mask_HW[0] = 255
    return mask_HW


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Photographs larger and smaller than the working size, in several formats."""
    root = tmp_path / "mine"
    for folder in ("images", "masks", "proxies", "splits"):
        (root / folder).mkdir(parents=True)
    Image.fromarray(picture(24, 40)).save(root / "images/large.webp", lossless=True)
    Image.fromarray(picture(45, 30)).save(root / "images/high.tif")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(picture(31, 50)).save(root / "images/turned.jpg", exif=turned)
    Image.fromarray(picture(12, 16)).save(root / "images/small.jpg")
    Image.fromarray(picture(40, 20)).save(root / "images/tagged.png")
    Image.fromarray(picture(40, 20, 1)).save(root / "images/bare.png")
    for name, size in {"large": (24, 40), "high": (45, 30), "small": (12, 16)}.items():
        Image.fromarray(mask_of(*size)).save(root / f"masks/{name}.png")
    Image.fromarray(mask_of(40, 20)).save(root / "proxies/bare.png")
    (root / "classes.txt").write_text("background\nleaf\n")
    (root / "tags.csv").write_text("image,tags\ntagged,leaf\nturned,leaf\n")
    (root / "splits/val.txt").write_text("large\n")
    return root


def rows_of(manifest: Manifest) -> dict[str, Row]:
    return {row.id: row for row in manifest.rows}


def test_each_is_copied_at_the_working_size(root: Path, tmp_path: Path) -> None:
    manifest = run(root, tmp_path / "out", longest_side=SIDE)
    rows = rows_of(manifest)
    sizes = {name: row.size for name, row in rows.items()}
    assert sizes == {
        **{"large": (20, 12), "high": (13, 20), "turned": (12, 20), "small": (16, 12)},
        **{"tagged": (10, 20), "bare": (10, 20)},
    }
    for name, row in rows.items():
        image = np.asarray(read_image(manifest.path(row.image), row.size))
        (source,) = (root / "images").glob(f"{name}.*")
        own = read_image(source)
        wanted = own.resize(row.size, Image.Resampling.BILINEAR)  # averages where it shrinks
        assert np.array_equal(image, np.asarray(own if name == "small" else wanted)), name
    assert rows["small"].image == "images/small.jpg"
    copied = manifest.path("images/small.jpg").read_bytes()
    assert copied == (root / "images/small.jpg").read_bytes()
    assert all(not row.image.startswith("@root/") for row in rows.values())


def test_masks_follow_and_the_truth_stays_as_it_is(root: Path, tmp_path: Path) -> None:
    manifest = run(root, tmp_path / "out", longest_side=SIDE)
    rows = rows_of(manifest)
    for name, size in {"large": (24, 40), "high": (45, 30), "small": (12, 16)}.items():
        row, own_HW = rows[name], mask_of(*size)
        truth_HW = np.asarray(read_mask(manifest.truth_path(row)))
        assert np.array_equal(truth_HW, own_HW)
        mask_HW = np.asarray(read_mask(manifest.path(row.mask), size=row.size))
        for y, x in np.ndindex(*mask_HW.shape):  # the pixel under the middle of each
            at = tuple(
                int((i + 0.5) * a / b) for i, a, b in zip((y, x), size, mask_HW.shape, strict=True)
            )
            assert mask_HW[y, x] == own_HW[at]
    assert rows["small"].truth == rows["tagged"].truth == ""
    assert {name: row.tags for name, row in rows.items() if name in ("large", "bare")} == {
        "large": (1,),
        "bare": None,
    }


def test_masks_of_another_tool_are_proxies(root: Path, tmp_path: Path) -> None:
    manifest = run(root, tmp_path / "out", longest_side=SIDE)
    rows = rows_of(manifest)
    assert [name for name, row in rows.items() if row.proxy] == ["bare"]
    proxy_HW = np.asarray(read_mask(manifest.path(rows["bare"].proxy), size=(10, 20)))
    assert np.array_equal(
        proxy_HW, np.asarray(Image.fromarray(mask_of(40, 20)).resize((10, 20), 0))
    )
    (root / "proxies/none.png").write_bytes((root / "proxies/bare.png").read_bytes())
    with pytest.raises(UserError, match=r"proxies has masks whose image cannot be found.*none"):
        run(root, tmp_path / "out", longest_side=SIDE)
    (root / "proxies/none.png").rename(root / "proxies/large.png")
    with pytest.raises(UserError, match=r"proxies.large\.png is 20x40 pixels, but .* is 40x24"):
        run(root, tmp_path / "out", longest_side=SIDE)


def test_sixteen_bits_are_scaled_both_ways(root: Path, tmp_path: Path) -> None:
    values_HW = (np.arange(40 * 20, dtype=np.uint16) * 5).reshape(40, 20)
    Image.fromarray(values_HW).save(root / "images/tagged.png")
    manifest = run(root, tmp_path / "out", longest_side=SIDE)
    row = rows_of(manifest)["tagged"]
    reading = read_reading(manifest.folder)
    assert reading == Reading(white=4095, longest_side=SIDE)
    own = read_image(root / "images/tagged.png", white=4095)
    wanted = np.asarray(own.resize((10, 20), Image.Resampling.BILINEAR))
    assert np.array_equal(np.asarray(read_image(manifest.path(row.image), row.size)), wanted)


def test_a_change_of_any_file_changes_its_row(root: Path, tmp_path: Path) -> None:
    before = rows_of(run(root, tmp_path / "out", longest_side=SIDE))
    Image.fromarray(picture(40, 20, 2)).save(root / "images/tagged.png")
    Image.fromarray(mask_of(45, 30)[:, ::-1]).save(root / "masks/high.png")
    Image.fromarray(mask_of(40, 20)[:, ::-1]).save(root / "proxies/bare.png")
    after = rows_of(run(root, tmp_path / "out", longest_side=SIDE))
    changed = {name for name, row in after.items() if row.md5 != before[name].md5}
    assert changed == {"tagged", "high", "bare"}


def test_a_folder_that_changes_while_it_is_read_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = module.look

    def look_and_save(*args: object) -> object:
        yield from look(*args)  # type: ignore[arg-type]
        os.utime(root / "masks/high.png", ns=(1, 1))
        (root / "images/new.png").write_bytes(b"x")

    monkeypatch.setattr(module, "look", look_and_save)
    with pytest.raises(UserError, match=r"changed while it was read: images/new\.png, masks/high"):
        run(root, tmp_path / "out", longest_side=SIDE)


def test_annotations_are_scaled_like_masks(root: Path, tmp_path: Path) -> None:
    """What is painted lies in the same folder as the copies, and is read before they are made."""
    for path in (root / "masks").iterdir():
        path.unlink()
    (root / "masks").rmdir()
    for name, (height, width) in {"large": (24, 40), "high": (45, 30)}.items():
        corners = [[0, 0], [width / 2, 0], [width / 2, height], [0, height]]
        shape = {"label": "leaf", "shape_type": "polygon", "points": corners}
        size = {"imageWidth": width, "imageHeight": height, "imagePath": f"{name}.tif"}
        values = {"version": "5.0.0", "shapes": [shape], **size}
        (root / f"images/{name}.json").write_text(json.dumps(values))
    manifest = run(root, tmp_path / "out", longest_side=SIDE)
    row = rows_of(manifest)["high"]
    mask_HW = np.asarray(read_mask(manifest.path(row.mask), size=row.size))
    truth_HW = np.asarray(read_mask(manifest.truth_path(row)))
    assert truth_HW.shape == (45, 30)
    assert (truth_HW[:, :15] == 1).all()
    assert (truth_HW[:, 15:] == 0).all()
    assert mask_HW[:, :6].all()
    assert not mask_HW[:, 7:].any()
