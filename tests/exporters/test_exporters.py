"""What annotation tools really write comes back pixel by pixel: `make exporters` runs them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import read_manifest
from pipeline.datasets.reading.download import download
from tests.exporters.scenes import CLASSES, SCENES, WEAK, mask_of, write_source
from tests.settings import ROOT, small_params

TOOLS = ROOT / ".venv" / "exporters"

pytestmark = [
    pytest.mark.skipif(not TOOLS.exists(), reason="`make exporters` installs the tools"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

EXACT = [
    ("pycocotools", "encode"),
    ("labelme", "polygons"),
    ("labelme", "masks"),
    ("supervision", "crowds"),
    ("datumaro", "coco_instances:masks"),
    ("datumaro", "coco_instances:polygons"),
    ("datumaro", "coco_instances:subsets"),
    ("datumaro", "coco:masks"),
    ("datumaro", "voc_segmentation:masks"),
    ("datumaro", "voc_segmentation:colours"),
    ("datumaro", "cvat:masks"),
    ("datumaro", "cvat:polygons"),
    ("label_studio", "JSON:brush"),
    ("label_studio", "JSON:polygons"),
    ("label_studio", "COCO:polygons"),
    ("label_studio", "COCO_WITH_IMAGES:polygons"),
]

# These trace a mask with a polygon through the middles of its outermost pixels, which are painted
# only in part then: the last row and the last column are lost.
TRACED = [
    ("supervision", "coco"),
    ("supervision", "roboflow"),
    ("supervision", "labelme"),
    ("label_studio", "BRUSH_TO_COCO:brush"),
]

NOT_USED = {"roboflow": {"two parts.1"}}  # it lies in test/

# These are other forms of the same, or do not say which photograph a mask belongs to.
REFUSED = [
    ("datumaro", "label_me:masks"),
    ("datumaro", "datumaro:masks"),
    ("label_studio", "JSON_MIN:brush"),
    ("label_studio", "BRUSH_TO_PNG:brush"),
]


def export(tool: str, what: str, folder: Path) -> Path:
    """The root of what a tool wrote, with tags for the photograph that it did not annotate."""
    python = TOOLS / tool / "bin" / "python" if tool != "pycocotools" else Path(sys.executable)
    if not python.exists():
        pytest.skip(f"{tool} is not installed")
    source, root = folder / "source", folder / "mine"
    write_source(source)
    script = Path(__file__).with_name(f"write_with_{tool}.py")
    run = subprocess.run(
        [python, script, what, source, root],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(folder)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    tagged = next(path for path in root.rglob("*.jpg") if is_of(path.stem, WEAK))
    (root / "tags.csv").write_text(f"image,tags\n{tagged.name},boat\n")
    return root


def is_of(stem: str, name: str) -> bool:
    """Whether a file is this photograph; Label Studio renames what it is given."""
    return stem == name or stem.endswith(f"-{name.replace(' ', '_')}")


def read(root: Path, out: Path) -> dict[str, Bytes]:
    """The masks of the photographs that were annotated, in the numbers of `mask_of`."""
    download(small_params(dataset="folder", data_root=str(root)), out)
    manifest = read_manifest(out, root)
    assert manifest.classes.names[0] == "background"
    assert sorted(manifest.classes.names[1:]) == sorted(CLASSES)
    own = np.arange(256, dtype=np.uint8)
    for number, name in enumerate(manifest.classes.names):
        own[number] = ("background", *CLASSES).index(name)
    rows = {n: row for n in (*SCENES, WEAK) for row in manifest.rows if is_of(row.id, n)}
    weak = rows.pop(WEAK)
    assert (weak.split, weak.mask) == ("weak", "")
    assert [manifest.classes.names[tag] for tag in weak.tags] == ["boat"]
    return {
        n: own[read_mask(manifest.path(row.mask), len(manifest.classes))] for n, row in rows.items()
    }


def on_a_border(mask_HW: Bytes) -> np.ndarray:
    """The pixels with another class, or the end of the image, among the eight around them."""
    padded = np.pad(mask_HW, 1, constant_values=255)
    height, width = mask_HW.shape
    around = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.any([other != mask_HW for other in around], axis=0)


@pytest.mark.parametrize(("tool", "what"), EXACT)
def test_every_pixel_comes_back(tool: str, what: str, tmp_path: Path) -> None:
    masks = read(export(tool, what, tmp_path), tmp_path / "out")
    assert masks.keys() == SCENES.keys()
    for name, mask_HW in masks.items():
        assert np.array_equal(mask_HW, mask_of(name)), name


@pytest.mark.parametrize(("tool", "what"), TRACED)
def test_a_traced_mask_is_off_at_borders_only(tool: str, what: str, tmp_path: Path) -> None:
    masks = read(export(tool, what, tmp_path), tmp_path / "out")
    assert masks.keys() == SCENES.keys() - NOT_USED.get(what, set())
    for name, mask_HW in masks.items():
        true_HW = mask_of(name, holes=what != "BRUSH_TO_COCO:brush")  # it traces outsides only
        assert not ((mask_HW != true_HW) & ~on_a_border(true_HW)).any(), name


@pytest.mark.parametrize(("tool", "what"), REFUSED)
def test_what_cannot_be_read_is_refused(tool: str, what: str, tmp_path: Path) -> None:
    root = export(tool, what, tmp_path)
    with pytest.raises(UserError):
        download(small_params(dataset="folder", data_root=str(root)), tmp_path / "out")
