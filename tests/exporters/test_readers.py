"""What we write for a tool is read by the tool's own library: `make exporters` runs them."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.images import Bytes
from pipeline.data.manifest import make_classes
from pipeline.editable.exchange import Export
from pipeline.editable.outlines import LEAST_IOU, outline
from tests.exporters.test_exporters import on_a_border
from tests.pipeline.editable.test_outlines import blobs
from tests.settings import ROOT

TOOLS = ROOT / ".venv" / "exporters"

pytestmark = [
    pytest.mark.skipif(not TOOLS.exists(), reason="`make exporters` installs the tools"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

NAMES = ("background", "cat", "red fish", "dog")
PHOTOGRAPHS = ("one", "two")
SHAPE = (50, 70)
SPECKS = 0.002


def mask_of(name: str) -> Bytes:
    """Blobs with holes, without specks."""
    return outline(blobs(len(NAMES) + sum(name.encode()), len(NAMES), 5, SHAPE), SPECKS).mask_HW


def written(tool: str, folder: Path) -> Path:
    """What is written for a tool, beside photographs."""
    photographs = folder / "photographs"
    photographs.mkdir(parents=True)
    export = Export(tool, folder / tool, make_classes(NAMES), SPECKS)
    for name in PHOTOGRAPHS:
        Image.new("RGB", SHAPE[::-1]).save(photographs / f"{name}.jpg")
        export.add(photographs / f"{name}.jpg", f"{name}.jpg", mask_of(name))
    export.finish()
    return folder / tool


def read_by(tool: str, home: Path, *arguments: object) -> None:
    python = TOOLS / tool / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{tool} is not installed")
    run = subprocess.run(
        [python, Path(__file__).with_name(f"read_with_{tool}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(home)},
    )
    assert run.returncode == 0, run.stdout + run.stderr


def painted_by_tool(out: Path) -> dict[str, Bytes]:
    """The masks that a tool painted, in our numbers."""
    labels = json.loads(out.with_suffix(".json").read_text())
    assert set(NAMES[1:]) <= set(labels)
    own = np.array([0, *(NAMES.index(n) if n in NAMES else 0 for n in labels)], np.uint8)
    found = {name: own[painted] for name, painted in np.load(out).items()}
    assert set(found) == set(PHOTOGRAPHS)
    return found


def assert_close(out: Path, *, exactly: bool) -> None:
    """The painted masks are those that were written."""
    for name, painted_HW in painted_by_tool(out).items():
        true_HW = mask_of(name)
        assert not exactly or np.array_equal(painted_HW, true_HW)
        for label in np.unique(true_HW):
            both = (painted_HW == label) & (true_HW == label)
            either = (painted_HW == label) | (true_HW == label)
            assert both.sum() >= LEAST_IOU * either.sum(), (name, label)


def test_labelme(tmp_path: Path) -> None:
    folder = written("labelme", tmp_path)
    read_by("labelme", tmp_path, folder, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    for name in PHOTOGRAPHS:
        regions = outline(mask_of(name), SPECKS).regions
        assert found[name]["size"] == [*SHAPE[::-1]]
        assert [shape[:2] for shape in found[name]["shapes"]] == [
            [NAMES[region.label], "polygon"] for region in regions
        ]
        for (_, _, points), region in zip(found[name]["shapes"], regions, strict=True):
            assert np.allclose(points, region.ring_N2, atol=0.01)


def test_cvat(tmp_path: Path) -> None:
    folder = written("cvat", tmp_path)
    (folder / "labels.json").unlink()
    (folder / "written.csv").unlink()
    (tmp_path / "photographs").rename(folder / "images")
    read_by("datumaro", tmp_path, "cvat", folder, tmp_path / "out.npz")
    assert_close(tmp_path / "out.npz", exactly=True)


def test_coco_by_datumaro(tmp_path: Path) -> None:
    folder = written("coco", tmp_path)
    (folder / "annotations").mkdir()
    (folder / "annotations.json").rename(folder / "annotations" / "instances_default.json")
    (folder / "written.csv").unlink()
    (folder / "images").mkdir()
    (tmp_path / "photographs").rename(folder / "images" / "default")
    read_by("datumaro", tmp_path, "coco_instances", folder, tmp_path / "out.npz")
    assert_close(tmp_path / "out.npz", exactly=False)


def test_coco_by_supervision(tmp_path: Path) -> None:
    folder = written("coco", tmp_path)
    photographs, annotations = tmp_path / "photographs", folder / "annotations.json"
    read_by("supervision", tmp_path, photographs, annotations, tmp_path / "out.npz")
    for name, painted_HW in painted_by_tool(tmp_path / "out.npz").items():
        true_HW = mask_of(name)  # it paints the pixels on a line, too: half a pixel more all round
        assert not ((painted_HW != true_HW) & ~on_a_border(true_HW)).any()


def test_label_studio(tmp_path: Path) -> None:
    folder = written("labelstudio", tmp_path)
    read_by("label_studio", tmp_path, folder, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["valid"] == [True] * len(PHOTOGRAPHS)
    coco = found["coco"]
    files = [image["file_name"].rpartition("?d=")[2] for image in coco["images"]]
    assert files == [f"{name}.jpg" for name in PHOTOGRAPHS]
    regions = [region for name in PHOTOGRAPHS for region in outline(mask_of(name), SPECKS).regions]
    names = {entry["id"]: entry["name"] for entry in coco["categories"]}
    for annotation, region in zip(coco["annotations"], regions, strict=True):
        assert names[annotation["category_id"]] == NAMES[region.label]
        corners = np.reshape(annotation["segmentation"][0], (-1, 2))
        assert np.allclose(corners, region.ring_N2, atol=0.01)
