"""VOC and SBD as tiny trees of real files, and as archives served on loopback."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import Manifest, Row, read_manifest
from pipeline.datasets.reading.download import download
from pipeline.datasets.voc import prepare as voc
from pipeline.settings.params import Params
from tests.file_server import FileServer
from tests.trees import save_list, save_mask

SIZE = (12, 8)
PARAMS = Params.model_construct(dataset="voc")
IDS = {"train": ["2007_01", "2007_02"], "val": ["2007_03"]}
EXTRA = ["2008_01", "2008_02"]


def mask_of(name: str) -> Bytes:
    """The mask of an image: two classes that depend on its name, and a border."""
    number = sum(name.encode()) % 19 + 1
    mask_HW = np.zeros(SIZE[::-1], dtype=np.uint8)
    mask_HW[2:5, 2:6], mask_HW[5:7, 8:], mask_HW[4, :] = number, number + 1, 255
    return mask_HW


def make_devkit(root: Path) -> Path:
    """The plain devkit: no trainaug.txt, masks of train and val only."""
    devkit = root / "VOCdevkit" / "VOC2012"
    (devkit / "JPEGImages").mkdir(parents=True)
    for name in [*IDS["train"], *IDS["val"], *EXTRA]:
        Image.new("RGB", SIZE).save(devkit / "JPEGImages" / f"{name}.jpg")
    for split, names in IDS.items():
        save_list(devkit / "ImageSets" / "Segmentation" / f"{split}.txt", names)
        for name in names:
            save_mask(devkit / "SegmentationClass" / f"{name}.png", mask_of(name))
    return devkit


def make_sbd(dataset: Path) -> Path:
    """SBD's folder: its lists share images with VOC's train and val, and its masks know no 255."""
    (dataset / "cls").mkdir(parents=True)
    save_list(dataset / "train.txt", [EXTRA[1], "2007_01"])
    save_list(dataset / "val.txt", [EXTRA[0], "2007_03"])
    for name in (*EXTRA, "2007_01", "2007_03"):
        mask_HW = mask_of(name) % 255
        parts = {"Boundaries": np.zeros((20, 1)), "Segmentation": mask_HW}
        savemat(dataset / "cls" / f"{name}.mat", {"GTcls": parts}, do_compression=True)
    return dataset


def add_augmented(devkit: Path) -> None:
    """The ready-made list and masks."""
    save_list(devkit / "ImageSets" / "Segmentation" / "trainaug.txt", [*EXTRA, *IDS["train"]])
    for name in EXTRA:
        save_mask(devkit / "SegmentationClassAug" / f"{name}.png", mask_of(name))


def run(root: Path, folder: Path) -> tuple[dict[str, int], Manifest]:
    """Prepare the data set and read it back."""
    counts = download(PARAMS.model_copy(update={"data_root": str(root)}), folder)
    return counts, read_manifest(folder, root)


def masks_of(manifest: Manifest) -> dict[str, Bytes]:
    """All masks by id."""
    return {row.id: np.array(read_mask(manifest.path(row.mask))) for row in manifest.rows}


def test_devkit_with_everything_needs_nothing_else(tmp_path: Path) -> None:
    add_augmented(make_devkit(tmp_path))
    counts, manifest = run(tmp_path, tmp_path / "out")
    assert counts == {"strong": 2, "weak": 2, "val": 1, "test": 0}
    number = sum(b"2007_02") % 19 + 1
    inside = "@root/VOCdevkit/VOC2012"
    assert replace(manifest.rows[1], md5="") == Row(
        id="2007_02",
        image=f"{inside}/JPEGImages/2007_02.jpg",
        mask=f"{inside}/SegmentationClass/2007_02.png",
        split="strong",
        tags=(number, number + 1),
        width=12,
        height=8,
    )
    assert [row.mask for row in manifest.of("weak")] == [
        f"{inside}/SegmentationClassAug/{name}.png" for name in EXTRA
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "classes.csv",
        "manifest.csv",
    ]


@pytest.mark.parametrize("place", ["SBD", "benchmark_RELEASE/dataset"])
def test_lists_and_masks_from_sbd(tmp_path: Path, place: str) -> None:
    make_devkit(tmp_path)
    make_sbd(tmp_path / place)
    counts, manifest = run(tmp_path, tmp_path / "out")
    assert counts == {"strong": 2, "weak": 2, "val": 1, "test": 0}
    assert [row.id for row in manifest.of("weak")] == EXTRA
    assert [row.mask for row in manifest.of("weak")] == [f"masks/{name}.png" for name in EXTRA]
    masks = masks_of(manifest)
    assert all(np.array_equal(masks[name], mask_of(name) % 255) for name in EXTRA)
    # SBD has masks of these, too, but the devkit's own come first.
    official = (*IDS["train"], *IDS["val"])
    assert all(np.array_equal(masks[name], mask_of(name)) for name in official)


def test_test_images_have_no_mask(tmp_path: Path) -> None:
    devkit = make_devkit(tmp_path)
    add_augmented(devkit)
    save_list(devkit / "ImageSets" / "Segmentation" / "test.txt", ["2012_01"])
    Image.new("RGB", (5, 9)).save(devkit / "JPEGImages" / "2012_01.jpg")
    counts, manifest = run(tmp_path, tmp_path / "out")
    assert counts["test"] == 1
    (row,) = manifest.of("test")
    assert (row.mask, row.tags, row.width, row.height) == ("", (), 5, 9)


def test_overlap_of_train_and_val_is_refused(tmp_path: Path) -> None:
    devkit = make_devkit(tmp_path)
    add_augmented(devkit)
    save_list(devkit / "ImageSets" / "Segmentation" / "val.txt", ["2007_03", "2008_01"])
    with pytest.raises(UserError, match=r"val\.txt shares images with .*: 2008_01"):
        run(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_full_train_list_goes_with_full_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_augmented(make_devkit(tmp_path))
    monkeypatch.setattr(voc, "FULL", {"train": 2, "trainaug": 4, "val": 1})
    assert run(tmp_path, tmp_path / "out")[0]["weak"] == 2
    monkeypatch.setattr(voc, "FULL", {"train": 2, "trainaug": 5, "val": 1})
    with pytest.raises(UserError, match="full list"):
        run(tmp_path, tmp_path / "out")


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    devkit = make_devkit(tmp_path)
    add_augmented(devkit)
    (devkit / "JPEGImages" / "2008_01.jpg").unlink()
    (devkit / "SegmentationClass" / "2007_01.png").unlink()
    save_mask(devkit / "SegmentationClass" / "2007_03.png", np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(UserError, match="for 2 reasons") as caught:
        run(tmp_path, tmp_path / "out")
    message = str(caught.value)
    assert all(name in message for name in ("2008_01.jpg", "2007_01.png", "2007_03.png is 4x4"))


def test_missing_list_is_named(tmp_path: Path) -> None:
    devkit = make_devkit(tmp_path)
    (devkit / "ImageSets" / "Segmentation" / "val.txt").unlink()
    with pytest.raises(UserError, match=r"val\.txt is not there"):
        run(tmp_path, tmp_path / "out")


def test_sbd_mask_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "cls" / "x.mat"
    path.parent.mkdir()
    with pytest.raises(UserError, match="is not there"):
        voc.read_sbd_mask(path)
    path.write_bytes(b"junk")
    with pytest.raises(UserError, match="cannot be read as an SBD mask"):
        voc.read_sbd_mask(path)
    savemat(path, {"GTcls": {"Segmentation": np.full((2, 2), 21, dtype=np.uint8)}})
    with pytest.raises(UserError, match="class index 21"):
        voc.read_sbd_mask(path)


def pack(folder: Path, prefix: str, mode: Literal["w:", "w:gz"]) -> bytes:
    """A tar of a folder, under `prefix`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        tar.add(folder, prefix)
    return buffer.getvalue()


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Both archives on loopback, with what is not needed in them, and the module told so."""
    devkit, sbd = make_devkit(tmp_path / "source"), make_sbd(tmp_path / "source" / "sbd")
    (devkit / "Annotations").mkdir()
    (devkit / "Annotations" / "2007_01.xml").write_text("<boxes/>")
    (sbd / "img").mkdir()
    (sbd / "img" / "2007_01.jpg").write_bytes(b"again")
    files = {
        "/voc.tar": pack(devkit, voc.VOC.inside, "w:"),
        "/sbd.tgz": pack(sbd, voc.SBD.inside, "w:gz"),
    }
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer(files) as server:
        for name, path in (("VOC", "/voc.tar"), ("SBD", "/sbd.tgz")):
            md5 = hashlib.md5(files[path]).hexdigest()
            archive = replace(getattr(voc, name), urls=(server.url(path),), md5=md5)
            monkeypatch.setattr(voc, name, archive)
        yield server


def test_download_of_everything(tmp_path: Path, archives: FileServer) -> None:
    root = tmp_path / "root"
    counts, manifest = run(root, tmp_path / "out")
    assert counts == {"strong": 2, "weak": 2, "val": 1, "test": 0}
    assert len(masks_of(manifest)) == 5
    assert not (root / "VOCdevkit" / "VOC2012" / "Annotations").exists()
    assert sorted(path.name for path in (root / "SBD").iterdir()) == [
        "cls",
        "train.txt",
        "val.txt",
    ]
    assert [path for path, _ in archives.asked] == ["/voc.tar", "/sbd.tgz"]
    run(root, tmp_path / "out")
    assert len(archives.asked) == 2


def test_devkit_that_is_there_is_not_downloaded(tmp_path: Path, archives: FileServer) -> None:
    make_devkit(tmp_path / "root")
    run(tmp_path / "root", tmp_path / "out")
    assert [path for path, _ in archives.asked] == ["/sbd.tgz"]


@pytest.mark.skipif("VOC_ANIMALS" not in os.environ, reason="VOC_ANIMALS names no real subset")
def test_real_subset(tmp_path: Path) -> None:
    counts, manifest = run(Path(os.environ["VOC_ANIMALS"]).resolve(), tmp_path / "out")
    assert counts == {"strong": 437, "weak": 2694, "val": 445, "test": 0}
    assert len(manifest.classes) == 21
    animals = {8, 10, 12, 13, 17}
    assert sum(not animals & {*row.tags} for row in manifest.rows) <= 2  # too small at 256 px


def test_no_damaged_byte_of_an_sbd_mask_reaches_scipy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by fuzzing: SciPy ends the process on some damaged files; the checksum tells first."""
    path = tmp_path / "x.mat"
    mask = np.arange(400, dtype=np.uint8).reshape(20, 20) % 21
    savemat(path, {"GTcls": {"Segmentation": mask}}, do_compression=True)
    data = path.read_bytes()
    assert np.array_equal(voc.read_sbd_mask(path), mask)
    monkeypatch.setattr(voc, "loadmat", lambda source: pytest.fail("reached SciPy"))
    for at in range(136, len(data), 3):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        with pytest.raises(UserError, match="cannot be read as an SBD mask"):
            voc.read_sbd_mask(path)


def test_a_damaged_mask_that_crashes_scipy_is_named_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    make_devkit(tmp_path)
    bad = make_sbd(tmp_path / "SBD") / "cls" / f"{EXTRA[0]}.mat"
    parts = {"Boundaries": np.zeros((20, 1)), "Segmentation": np.zeros((8, 12), np.uint8)}
    savemat(bad, {"GTcls": parts})
    data = bytearray(bad.read_bytes())
    data[496] = 14  # a byte of a dimension: SciPy 1.17 ends with SIGSEGV
    bad.write_bytes(data)
    with pytest.raises(UserError) as caught:
        run(tmp_path, tmp_path / "out")
    assert f"{bad} cannot be read as an SBD mask" in str(caught.value)
    assert f"{EXTRA[1]}.mat" not in str(caught.value)
    make_sbd(tmp_path / "new")
    (tmp_path / "new" / "cls" / bad.name).replace(bad)
    assert run(tmp_path, tmp_path / "out")[0]["weak"] == 2
