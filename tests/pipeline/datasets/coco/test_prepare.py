"""COCO from a tiny JSON, held against a slow rasteriser that shares no code with pycocotools."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import read_manifest
from pipeline.datasets.coco import prepare as coco
from pipeline.datasets.reading import coco_instances
from pipeline.datasets.reading.download import download
from pipeline.datasets.reading.findings import Findings
from pipeline.settings.params import Params
from tests.file_server import FileServer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HEIGHT, WIDTH = 24, 32
CATEGORIES = [(90, "toothbrush"), (1, "person"), (18, "dog")]  # neither sorted nor without gaps
LABELS = {1: 1, 18: 2, 90: 3}

BOX = [2, 2, 22, 2, 22, 18, 2, 18]
TRIANGLE = [10.0, 4.0, 18.0, 12.0, 6.0, 14.0]
TWO_PARTS = [[24, 1, 30, 1, 30, 6, 24, 6], [24, 10, 30, 10, 30, 20, 24, 20]]


def box_runs(top: int, left: int, bottom: int, right: int) -> list[int]:
    """Run lengths, column by column, of a box in the image."""
    region = np.zeros((HEIGHT, WIDTH), dtype=bool)
    region[top:bottom, left:right] = True
    flat = region.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(int), prepend=0, append=0))
    bounds = [0, *edges.tolist(), flat.size] if not flat[-1] else [0, *edges.tolist()]
    return [int(n) for n in np.diff(bounds)]


def slow_region(segmentation: Any) -> NDArray[np.bool_]:
    """Pixels whose centre is inside, by counting edges to the right; or decoded run lengths."""
    region = np.zeros((HEIGHT, WIDTH), dtype=bool)
    if isinstance(segmentation, dict):
        values = np.arange(len(segmentation["counts"])) % 2 == 1
        return np.repeat(values, segmentation["counts"]).reshape(WIDTH, HEIGHT).T
    for flat in segmentation:
        corners = np.array(flat, dtype=float).reshape(-1, 2)
        for y, x in np.ndindex(HEIGHT, WIDTH):
            inside = False
            for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                if (ay > y + 0.5) != (by > y + 0.5):
                    inside ^= x + 0.5 < ax + (y + 0.5 - ay) / (by - ay) * (bx - ax)
            region[y, x] |= inside
    return region


def annotation(number: int, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    """One annotation of image 7."""
    area = float(slow_region(segmentation).sum())
    return {
        "id": number,
        "image_id": 7,
        "category_id": category,
        "segmentation": segmentation,
        "iscrowd": crowd,
        "area": area,
    }


CROWD = {"size": [HEIGHT, WIDTH], "counts": box_runs(15, 0, 24, 26)}
ANNOTATIONS = [
    annotation(1, 18, [TRIANGLE]),  # small, and listed before what it lies upon
    annotation(2, 1, [BOX]),
    annotation(3, 90, TWO_PARTS),
    annotation(4, 18, CROWD, crowd=1),
]


def slow_mask(annotations: Sequence[dict[str, Any]]) -> Bytes:
    """The truth, pixel by pixel: the smallest object there, else crowd, else background."""
    mask_HW = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    regions = [(item, slow_region(item["segmentation"])) for item in annotations]
    for y, x in np.ndindex(HEIGHT, WIDTH):
        here = [item for item, region in regions if region[y, x]]
        objects = [item for item in here if not item["iscrowd"]]
        if objects:
            mask_HW[y, x] = LABELS[min(objects, key=lambda item: item["area"])["category_id"]]
        elif here:
            mask_HW[y, x] = 255
    return mask_HW


def content(numbers: Sequence[int], annotations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An instances file, with the images after the annotations."""
    return {
        "info": {"year": 2017},
        "licenses": [],
        "annotations": list(annotations),
        "images": [
            {"id": n, "file_name": f"{n:012d}.jpg", "width": WIDTH, "height": HEIGHT}
            for n in numbers
        ],
        "categories": [{"id": key, "name": name} for key, name in CATEGORIES],
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A COCO of six training images, of which one has objects, and two to validate on."""
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    parts = {"train2017": [9, 7, 30, 4, 5, 6], "val2017": [11, 7000]}
    for part, numbers in parts.items():
        (folder / part).mkdir()
        for number in numbers:
            Image.new("RGB", (WIDTH, HEIGHT)).save(folder / part / f"{number:012d}.jpg")
        known = ANNOTATIONS if part == "train2017" else []
        path = coco.annotations_path(folder, part)
        path.write_text(json.dumps(content(numbers, known), indent=1))
    return folder


def params(root: Path, strong: int = 2, seed: int = 0) -> Params:
    """Just the parameters that count here."""
    block = SimpleNamespace(coco=SimpleNamespace(strong=strong))
    return Params.model_construct(dataset="coco", data_root=str(root), seed=seed, download=block)


def test_rows_masks_and_tags(root: Path, tmp_path: Path) -> None:
    counts = download(params(root), tmp_path / "out")
    assert counts == {"strong": 2, "weak": 4, "val": 2, "test": 0}
    manifest = read_manifest(tmp_path / "out", root)
    assert manifest.classes.names == ("background", "person", "dog", "toothbrush")
    assert [int(row.id) for row in manifest.rows] == [4, 5, 6, 7, 9, 30, 11, 7000]
    row = next(row for row in manifest.rows if row.id == "000000000007")
    assert row.image == "@root/train2017/000000000007.jpg"
    assert row.mask == "masks/000000000007.png"
    assert (row.tags, row.width, row.height) == ((1, 2, 3), WIDTH, HEIGHT)
    mask_HW = np.array(read_mask(manifest.path(row.mask)))
    assert set(np.unique(mask_HW)) == {0, 1, 2, 3, 255}
    assert all(not other.tags for other in manifest.rows if other is not row)


def test_mask_agrees_with_slow_rasteriser(root: Path, tmp_path: Path) -> None:
    path, findings = coco.annotations_path(root, "train2017"), Findings()
    index = coco_instances.read_index(path, findings)
    found = coco_instances.read_instances(path, index, findings)
    assert not findings
    mask_HW = coco_instances.rasterise(found[7], HEIGHT, WIDTH)
    truth_HW = slow_mask(ANNOTATIONS)
    straight = [item for item in ANNOTATIONS if item["id"] != 1]
    straight_HW = coco_instances.rasterise([found[7][n] for n in range(4) if n != 0], HEIGHT, WIDTH)
    assert np.array_equal(straight_HW, slow_mask(straight))
    # pycocotools rounds slanted edges to its own grid, so pixels upon them may differ.
    assert (mask_HW != truth_HW).sum() <= 12
    assert mask_HW[10, 12] == 2 != mask_HW[3, 3] == 1


def test_hidden_object_gives_no_tag() -> None:
    region = box_runs(4, 4, 8, 8)
    runs = coco_instances.encode({"size": [HEIGHT, WIDTH], "counts": region}, HEIGHT, WIDTH)
    hidden = coco_instances.Instance(1, 16.0, False, runs)
    above = coco_instances.Instance(2, 15.0, False, runs)
    assert set(np.unique(coco_instances.rasterise([above, hidden], HEIGHT, WIDTH))) == {0, 2}


def test_encodings_agree() -> None:
    counts = box_runs(3, 5, 9, 17)
    plain = coco_instances.encode({"size": [HEIGHT, WIDTH], "counts": counts}, HEIGHT, WIDTH)
    packed = {"size": [HEIGHT, WIDTH], "counts": plain.decode()}
    assert coco_instances.encode(packed, HEIGHT, WIDTH) == plain
    polygon = [[5, 3, 17, 3, 17, 9, 5, 9], [1, 1, 2, 2]]  # the second has no area
    assert coco_instances.encode(polygon, HEIGHT, WIDTH) == plain
    assert coco_instances.encode([[1, 1, 2, 2]], HEIGHT, WIDTH) == b""


def test_strong_images_are_drawn_by_seed() -> None:
    ids = list(range(100, 200))
    assert coco.draw_strong(ids, 20, 0) == coco.draw_strong(ids[::-1], 20, 0)
    assert len(coco.draw_strong(ids, 20, 0)) == 20
    assert coco.draw_strong(ids, 20, 0) != coco.draw_strong(ids, 20, 1)
    with pytest.raises(UserError, match=r"download\.coco\.strong: 100 of 100"):
        coco.draw_strong(ids, 100, 0)


def test_images_that_do_not_fit_are_named(root: Path, tmp_path: Path) -> None:
    (root / "train2017" / f"{4:012d}.jpg").unlink()
    Image.new("RGB", (3, 3)).save(root / "train2017" / f"{9:012d}.jpg")
    with pytest.raises(UserError, match="2 images") as caught:
        download(params(root), tmp_path / "out")
    assert "000000000004.jpg" in str(caught.value)
    assert "000000000009.jpg is 3x3 pixels, but 32x24 in its annotations" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 12}, r"invalid annotations: 1 \("),
        ({"image_id": 12}, r"invalid annotations: 1 \("),
        ({"segmentation": {"size": [3, 3], "counts": [9]}}, r"run lengths of size \[3, 3\]"),
    ],
)
def test_damaged_annotation(
    root: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = coco.annotations_path(root, "train2017")
    path.write_text(json.dumps(content([9, 7, 30, 4, 5, 6], [ANNOTATIONS[0] | change])))
    with pytest.raises(UserError, match=message):
        download(params(root), tmp_path / "out")


def test_file_that_is_no_instances_file(root: Path, tmp_path: Path) -> None:
    path = coco.annotations_path(root, "val2017")
    path.write_text('{"images": [], "categories": []}')
    with pytest.raises(UserError, match="not a COCO instances file"):
        download(params(root), tmp_path / "out")
    path.write_text('{"images": [{"id": 1')
    with pytest.raises(UserError, match="not readable JSON"):
        download(params(root), tmp_path / "out")
    path.write_text('{"images": [{"id": 1}]}')
    with pytest.raises(UserError, match="invalid entries in 'images'"):
        download(params(root), tmp_path / "out")


def test_download_of_what_is_missing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    files = {}
    for part in ("train2017", "val2017", "annotations"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as packed:
            for path in (root / part).iterdir():
                packed.write(path, f"{part}/{path.name}")
            packed.writestr(f"{part}/captions.json", "{}")
        files[f"/{part}.zip"] = buffer.getvalue()
    with FileServer(files) as server:
        for part, archive in coco.ARCHIVES.items():
            md5 = hashlib.md5(files[f"/{part}.zip"]).hexdigest()
            url = server.url(f"/{part}.zip")
            monkeypatch.setitem(coco.ARCHIVES, part, replace(archive, urls=(url,), md5=md5))
        fresh = tmp_path / "fresh"
        assert download(params(fresh), tmp_path / "out")["weak"] == 4
        assert not (fresh / "annotations" / "captions.json").exists()
        download(params(fresh), tmp_path / "out")
        assert len(server.asked) == 3
