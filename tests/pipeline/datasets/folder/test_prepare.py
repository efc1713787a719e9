"""The user's own folder: a good one, and one for every mistake the reader knows."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.manifest import SPLITS, Manifest, read_manifest
from pipeline.datasets.reading.download import download
from tests.settings import small_params

MASKED = [f"m{n}" for n in range(5)]
TAGGED = [f"t{n}" for n in range(3)]


def save_image(path: Path, size: tuple[int, int] = (10, 6), orientation: int = 1) -> None:
    """A grey photograph, lying on its side where the orientation says so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, (90, 90, 90)).save(path, exif=exif)


def save_mask(path: Path, size: tuple[int, int] = (10, 6), index: int = 1) -> None:
    """A mask with one class and some ignored pixels."""
    mask_HW = np.zeros(size[::-1], dtype=np.uint8)
    mask_HW[:2], mask_HW[-1] = index, 255
    Image.fromarray(mask_HW).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five images with masks, three with tags, one with neither."""
    root = tmp_path / "mine"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for stem in [*MASKED, *TAGGED, "bare"]:
        save_image(root / "images" / f"{stem}.jpg")
    for number, stem in enumerate(MASKED):
        save_mask(root / "masks" / f"{stem}.png", index=number % 2 + 1)
    (root / "classes.txt").write_text("background\napple\npear\n")
    (root / "tags.csv").write_text("image,tags\nt0.jpg,pear;apple\nt1, pear \nt2.jpg,apple\n")
    return root


def run(
    root: Path, folder: Path, share: float = 0.4, seed: int = 0, longest_side: int = 512
) -> Manifest:
    """Prepare the data set and read it back."""
    params = small_params(
        **{"dataset": "folder", "data_root": str(root), "seed": seed},
        **{"download.folder.val_share": share, "download.folder.longest_side": longest_side},
    )
    counts = download(params, folder)
    manifest = read_manifest(folder, root)
    assert {split: counts[split] for split in SPLITS} == {s: len(manifest.of(s)) for s in SPLITS}
    return manifest


def stems(manifest: Manifest, split: str) -> list[str]:
    """Ids of a split."""
    return [row.id for row in manifest.of(split)]


def write_lists(root: Path, train: list[str] | None, val: list[str] | None) -> None:
    """Files in splits/."""
    (root / "splits").mkdir()
    for name, ids in (("train", train), ("val", val)):
        if ids is not None:
            (root / "splits" / f"{name}.txt").write_text("\n".join(ids))


def test_good_folder(root: Path, tmp_path: Path) -> None:
    manifest = run(root, tmp_path / "out")
    assert stems(manifest, "weak") == ["bare", *TAGGED]
    assert [row.tags for row in manifest.of("weak")] == [None, (1, 2), (2,), (1,)]
    assert all(row.mask == "" for row in manifest.of("weak"))
    assert len(stems(manifest, "val")) == 2
    assert sorted(stems(manifest, "strong") + stems(manifest, "val")) == MASKED
    row = next(row for row in manifest.rows if row.id == "m1")
    assert (row.image, row.mask, row.truth) == ("images/m1.jpg", "masks/m1.png", "")
    assert (row.tags, row.width, row.height) == ((2,), 10, 6)


def test_val_is_drawn_by_seed(root: Path, tmp_path: Path) -> None:
    drawn = {tuple(stems(run(root, tmp_path / "out", seed=s), "val")) for s in range(6)}
    assert len(drawn) > 1
    assert stems(run(root, tmp_path / "out", seed=3), "val") == stems(
        run(root, tmp_path / "out", seed=3), "val"
    )
    assert len(stems(run(root, tmp_path / "out", share=0.01), "val")) == 2  # one of each class


def test_lists_are_followed(root: Path, tmp_path: Path) -> None:
    write_lists(root, ["m0", "m1", "t0", "bare"], ["m4"])
    manifest = run(root, tmp_path / "out")
    assert {split: stems(manifest, split) for split in ("strong", "weak", "val")} == {
        "strong": ["m0", "m1"],
        "weak": ["bare", "t0"],
        "val": ["m4"],
    }


def test_images_in_no_list_are_left_out(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_lists(root, ["m0", "m1", "t0"], ["m4"])
    with caplog.at_level(logging.WARNING):
        run(root, tmp_path / "out")
    assert "5 images are left out" in caplog.text
    assert "bare" in caplog.text


def test_val_list_alone_leaves_the_rest_to_train(root: Path, tmp_path: Path) -> None:
    write_lists(root, None, ["m3"])
    manifest = run(root, tmp_path / "out")
    assert stems(manifest, "strong") == ["m0", "m1", "m2", "m4"]


def test_train_list_alone_is_drawn_from(root: Path, tmp_path: Path) -> None:
    write_lists(root, ["m0", "m1", "m2", "t0"], None)
    manifest = run(root, tmp_path / "out")
    assert sorted(stems(manifest, "strong") + stems(manifest, "val")) == ["m0", "m1", "m2"]
    assert len(stems(manifest, "val")) == 1


def test_mask_of_a_photograph_on_its_side(root: Path, tmp_path: Path) -> None:
    save_image(root / "images" / "m0.jpg", (6, 10), orientation=6)
    row = next(row for row in run(root, tmp_path / "out").rows if row.id == "m0")
    assert (row.width, row.height) == (10, 6)


def test_files_of_spreadsheets_and_desktops(root: Path, tmp_path: Path) -> None:
    text = (root / "tags.csv").read_text().replace("\n", "\r\n") + "bare.jpg,\r\n"
    (root / "tags.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (root / "classes.txt").write_bytes(b"\xef\xbb\xbfbackground\r\napple\r\npear\r\n\r\n")
    (root / "images" / ".DS_Store").write_bytes(b"")
    manifest = run(root, tmp_path / "out")
    assert manifest.classes.names == ("background", "apple", "pear")
    assert stems(manifest, "weak") == ["bare", *TAGGED]


def write(name: str, text: str) -> Callable[[Path], object]:
    """A change: a text file."""
    return lambda root: (root / name).write_text(text)


def remove(pattern: str) -> Callable[[Path], object]:
    """A change: files that are gone."""

    def change(root: Path) -> None:
        for path in root.glob(pattern):
            path.unlink()

    return change


def move(name: str, target: str) -> Callable[[Path], object]:
    """A change: another name."""
    return lambda root: (root / name).rename(root / target)


def lists(train: list[str] | None, val: list[str] | None) -> Callable[[Path], object]:
    """A change: files in splits/."""
    return lambda root: write_lists(root, train, val)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove("classes.txt"), r"classes\.txt is not there: write one class name per line"),
        (write("classes.txt", "background\n\napple"), r"classes\.txt: class name '' is empty"),
        (write("classes.txt", "background"), r"classes\.txt: a data set needs 2 to 255 classes"),
        (
            move("images", "pictures"),
            r"needs a folder images/; it holds classes\.txt, masks/, pictures/",
        ),
        (
            move("masks", "labels"),
            r"needs masks/ or .*; it holds classes\.txt, images/, labels/",
        ),
        (remove("images/*"), "images contains no images"),
        (write("images/notes.txt", ""), r"are not read as photographs; .*: notes\.txt"),
        (
            lambda root: save_image(root / "images/m0.png"),
            r"same name but for the suffix; .*: images/m0\.jpg, images/m0\.png",
        ),
        (write("masks/m0.jpg", ""), r"are not read as masks, .*: m0\.jpg"),
        (
            remove("images/m*"),
            r"masks whose image cannot be found; .*: m0\.png, m1\.png, m2\.png, m3\.png",
        ),
        (write("tags.csv", "image;tags\nt0;pear"), "must have the header image,tags"),
        (write("tags.csv", "image,tags\nt0,fig;apple\nt1,plum"), "'fig' of t0, 'plum' of t1"),
        (
            write("tags.csv", "image,tags\nx,pear\ny,pear"),
            "names images that cannot be found; .*: x, y",
        ),
        (write("tags.csv", "image,tags\nt0,pear\nt0.jpg,pear"), r"several rows .*: t0\.jpg"),
        (
            write("tags.csv", "image,tags\nt0,pear,apple"),
            "too many columns for these images; .*: t0",
        ),
        (
            lists(["m0", "m1"], ["m1", "m2"]),
            r"train\.txt and val\.txt share images; list each once: m1",
        ),
        (lists(["m0", "zz"], None), r"train\.txt lists images that cannot be found; .*: zz"),
        (lists(["m0", "m0"], None), r"train\.txt lists ids more than once: m0"),
        (lists(None, ["m0", "t0"]), r"val\.txt lists images without masks; .*: t0"),
        (lists(["t0"], ["m0"]), "no strong images"),
        (lists(["m0", "m1"], ["m4"]), "no weak images"),
        (remove("masks/*"), "no strong images"),
        (lists(["m0", "t0"], []), "no val images"),
    ],
)
def test_mistakes(
    root: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    change(root)
    with pytest.raises(UserError, match=message):
        run(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_bad_mask_is_named(root: Path, tmp_path: Path) -> None:
    save_mask(root / "masks" / "m0.png", size=(6, 10))
    save_mask(root / "masks" / "m1.png", index=3)
    Image.new("RGB", (10, 6), (0, 9, 0)).save(root / "masks" / "m2.png")
    (root / "masks" / "m3.png").write_bytes(b"junk")
    with pytest.raises(UserError, match="4 masks cannot be used") as caught:
        run(root, tmp_path / "out")
    message = str(caught.value)
    assert "m0.png is 6x10 pixels, but its image m0.jpg is 10x6" in message
    assert "m1.png holds the class index 3" in message
    assert "m2.png is a mask of colours" in message
    assert "m3.png cannot be read as a mask" in message
