"""What is written for each tool is read back by our own reader, and only changes count."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import make_classes, read_manifest
from pipeline.datasets.folder.annotations import paint
from pipeline.datasets.folder.class_names import make_labels
from pipeline.datasets.reading.download import download
from pipeline.editable.exchange import FORMATS, WRITTEN, Export, read_export, read_written
from pipeline.editable.join import join
from pipeline.editable.outlines import LEAST_IOU, outline
from stages.annotations import Tool
from tests.pipeline.editable.test_outlines import blobs
from tests.settings import small_params

NAMES = ("background", "cat", 'a & "b"', "köter")
CLASSES = make_classes(NAMES)
PHOTOGRAPHS = ("one.jpg", "two.1.jpg", "drei und ä.png")
SHAPE = (60, 90)
FILES = {
    "labelme": "*.json", "cvat": "annotations.xml", "coco": "annotations.json",
    "labelstudio": "tasks.json",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photographs, none of them with a mask but one."""
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for name in ("drawn.png", *PHOTOGRAPHS):
        Image.new("RGB", SHAPE[::-1]).save(root / "images" / name)
    Image.fromarray(mask_of("drawn.png")).save(root / "masks" / "drawn.png")
    (root / "classes.txt").write_text("\n".join(NAMES), "utf-8")
    return root


def mask_of(name: str) -> Bytes:
    """What the network finds in a photograph."""
    return blobs(sum(name.encode()), len(NAMES), 6, SHAPE)


def write(tool: str, folder: Path, out: Path) -> Export:
    export = Export(tool, out, CLASSES, specks=0.001)
    for name in PHOTOGRAPHS:
        export.add(folder / "images" / name, name, mask_of(name))
    export.finish()
    return export


def files(tool: str, out: Path) -> list[Path]:
    return sorted(out.glob(FILES[tool]))


def test_every_tool_has_its_format() -> None:
    assert set(FORMATS) == {tool.value for tool in Tool}


@pytest.mark.parametrize("tool", FORMATS)
def test_our_reader_reads_it_back(tool: str, folder: Path, tmp_path: Path) -> None:
    write(tool, folder, tmp_path / "out")
    labels = make_labels(NAMES, tmp_path)
    found = read_export(FORMATS[tool].kind, files(tool, tmp_path / "out"), submitted=False)
    assert len(found) == len(PHOTOGRAPHS)
    for image in found:
        name = next(n for n in PHOTOGRAPHS if Path(n).stem == Path(image.file_name).stem)
        painted_HW, true_HW = paint(image, labels), outline(mask_of(name), 0.001).mask_HW
        for label in np.unique(true_HW):
            painted, true = painted_HW == label, true_HW == label
            assert (painted & true).sum() >= LEAST_IOU * (painted | true).sum()
        assert tool != "cvat" or np.array_equal(painted_HW, true_HW)


def change_labelme(path: Path) -> None:
    values = json.loads(path.read_text("utf-8"))
    values["shapes"][0]["points"][0][0] += 9
    path.write_text(json.dumps(values), "utf-8")


def change_cvat(path: Path) -> None:
    """CVAT drops the mask that was erased."""
    tree = ElementTree.parse(path)
    image = tree.getroot().findall("image")[0]
    image.remove(image.findall("mask")[0])
    tree.write(path)


def change_coco(path: Path) -> None:
    values = json.loads(path.read_text("utf-8"))
    values["annotations"] = values["annotations"][1:]
    path.write_text(json.dumps(values), "utf-8")


def submit_and_change(path: Path) -> None:
    """Label Studio's export beside our tasks: two submitted, of which the first was changed."""
    tasks = json.loads(path.read_text("utf-8"))
    for task in tasks:
        task["annotations"] = task["predictions"]
    del tasks[0]["annotations"][0]["result"][0]
    tasks[2]["annotations"] = []
    path.with_name("project-1.json").write_text(json.dumps(tasks), "utf-8")


CHANGES: dict[str, Callable[[Path], None]] = {
    "labelme": change_labelme, "cvat": change_cvat, "coco": change_coco,
    "labelstudio": submit_and_change,
}  # fmt: skip


@pytest.mark.parametrize("tool", FORMATS)
def test_only_what_was_changed_joins(tool: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(tool, folder, out)
    if tool != "labelstudio":  # where nothing is an annotation before somebody submits it
        first = join(out, folder)
        assert (first.changed, len(first.unchanged)) == ([], len(PHOTOGRAPHS))
        assert not (folder / "corrected").exists()
    path = files(tool, out)[0]
    CHANGES[tool](path)
    joined = join(out, folder)
    (changed,) = joined.changed
    assert len(joined.unchanged) == (1 if tool == "labelstudio" else 2)
    assert sorted(p.name for p in (folder / "corrected").iterdir()) == [
        "classes.txt",
        f"{changed}.png",
    ]
    (name,) = [n for n in PHOTOGRAPHS if Path(n).stem == changed]
    found_HW = np.asarray(read_mask(folder / "corrected" / f"{changed}.png"))
    assert 0 < (found_HW != mask_of(name)).sum() < found_HW.size / 2


def test_the_first_masks_of_a_folder(folder: Path, tmp_path: Path) -> None:
    """Tags, classes and what was corrected: a folder can be run on that."""
    shutil.rmtree(folder / "masks")
    write("labelme", folder, tmp_path / "out")
    for path in files("labelme", tmp_path / "out"):
        change_labelme(path)
    assert len(join(tmp_path / "out", folder).changed) == len(PHOTOGRAPHS)
    (folder / "tags.csv").write_text("image,tags\ndrawn.png,cat\n")
    download(small_params(dataset="folder", data_root=str(folder)), tmp_path / "data")
    manifest = read_manifest(tmp_path / "data", folder)
    assert sorted(row.split for row in manifest.rows) == ["strong", "strong", "val", "weak"]


def test_two_exports_into_one_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in PHOTOGRAPHS:
        export = Export("labelme", out, CLASSES, specks=0.001)
        export.add(folder / "images" / name, name, mask_of(name))
        export.finish()
    assert set(read_written(out)) == set(PHOTOGRAPHS)
    assert join(out, folder).changed == []


def test_photographs_that_nobody_touched_get_no_mask(folder: Path, tmp_path: Path) -> None:
    """CVAT lists all photographs of a task, with masks or without."""
    out = tmp_path / "out"
    write("cvat", folder, out)
    tree = ElementTree.parse(out / "annotations.xml")
    attributes = {"id": "7", "name": "drawn.png", "width": "90", "height": "60"}
    ElementTree.SubElement(tree.getroot(), "image", attributes)
    tree.write(out / "annotations.xml")
    change_cvat(out / "annotations.xml")
    assert len(join(out, folder).changed) == 1
    assert not (folder / "corrected" / "drawn.png").exists()
    assert join(out, folder).changed == []  # it is taken


@pytest.mark.parametrize("tool", ["labelme", "cvat", "coco"])
def test_corrections_are_not_written_over(tool: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(tool, folder, out)
    write(tool, folder, out)
    CHANGES[tool](files(tool, out)[0])
    with pytest.raises(UserError, match="holds corrections that were not joined yet"):
        write(tool, folder, out)
    join(out, folder)
    write(tool, folder, out)


def test_an_export_that_breaks_off_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    export = Export("labelme", tmp_path / "out", CLASSES, specks=0.001)
    export.add(folder / "images" / PHOTOGRAPHS[0], PHOTOGRAPHS[0], mask_of(PHOTOGRAPHS[0]))
    assert not (tmp_path / "out").exists()


def test_nothing_is_there_can_be_submitted(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write("labelstudio", folder, out)
    tasks = json.loads((out / "tasks.json").read_text("utf-8"))[:1]
    tasks[0]["annotations"] = [{"result": []}]
    (out / "project-1.json").write_text(json.dumps(tasks), "utf-8")
    (key,) = join(out / "project-1.json", folder).changed
    assert not np.asarray(read_mask(folder / "corrected" / f"{key}.png")).any()


def test_corrected_masks_keep_their_classes(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write("cvat", folder, out)
    change_cvat(out / "annotations.xml")
    join(out, folder)
    (folder / "classes.txt").write_text("\n".join([NAMES[0], "cow", *NAMES[1:]]), "utf-8")
    with pytest.raises(UserError, match="add new classes at the end only"):
        join(out, folder)


def test_without_the_note_nothing_joins(folder: Path, tmp_path: Path) -> None:
    write("cvat", folder, tmp_path / "out")
    (tmp_path / "out" / WRITTEN).unlink()
    with pytest.raises(UserError, match=r"written.csv is not there, so what a person changed"):
        join(tmp_path / "out", folder)


def test_wrong_things_to_join(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match="out is not there"):
        join(out, folder)
    write("cvat", folder, out)
    (folder / "images" / PHOTOGRAPHS[0]).unlink()
    with pytest.raises(UserError, match=r"lacks the images of annotations: one\.jpg"):
        join(out, folder)
    text = (out / "annotations.xml").read_text("utf-8")
    (out / "other.xml").write_text(text, "utf-8")
    with pytest.raises(UserError, match="several files of annotations"):
        join(out, folder)
    for path in out.glob("*.xml"):
        path.unlink()
    with pytest.raises(UserError, match="has no annotations of LabelMe, CVAT or Label Studio"):
        join(out, folder)
    assert len(read_written(out)) == len(PHOTOGRAPHS)
