"""Which images are meant, and that no two outputs have one name."""

import io
import os
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.data import heic, images
from pipeline.datasets.folder import layout
from pipeline.model.photographs import IMAGES, MASKS, find_photographs, make_out

OUT = Path("out")


@pytest.fixture
def tree(workspace: Path) -> Path:
    names = "a/1.jpg a/2.PNG a/b/1.jpg a/b/.hidden.jpg a/notes.txt a/.git/3.jpg c/1.jpg out/9.jpg"
    for name in names.split():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).touch()
    return workspace


def names(*sources: str) -> list[str]:
    return [photograph.name for photograph in find_photographs(sources, OUT).photographs]


def test_folders_are_searched_to_the_bottom(tree: Path) -> None:
    assert names("a") == ["1", "2", "b/1"]
    assert find_photographs(["a"], OUT).photographs[0].path == Path("a/1.jpg")


def test_outputs_are_no_inputs(tree: Path) -> None:
    assert names(".") == ["a/1", "a/2", "a/b/1", "c/1"]


def test_same_stems_stay_apart(tree: Path) -> None:
    assert names("a/1.jpg", "c/1.jpg") == ["a/1", "c/1"]
    (tree / "a/1.png").touch()
    (tree / "a/1.JPG").touch()
    found = names("a")
    assert len({name.casefold() for name in found}) == len(found) == 5


def test_each_once_and_in_order(tree: Path) -> None:
    assert names("c/1.jpg", "a", "a/1.jpg", "./c/1.jpg") == ["c/1", "a/1", "a/2", "a/b/1"]


def test_patterns(tree: Path) -> None:
    assert names("a/**/*.jpg") == ["1", "b/1"]
    (tree / "a/[x].jpg").touch()
    assert names("a/[x].jpg") == ["[x]"]  # a file of that very name


def test_a_named_file_needs_no_suffix(tree: Path) -> None:
    assert names("a/notes.txt") == ["notes"]


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), "utf-8"))


def test_a_list_on_standard_input(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = os.fsdecode(b"c/\xe9.jpg")
    Path(odd).touch()
    pipe(monkeypatch, b"a/1.jpg\n\nc/1.jpg\r\nc/\xe9.jpg\n")
    assert names("-") == ["a/1", "c/1", odd[:-4]]
    pipe(monkeypatch, b"")
    with pytest.raises(UserError, match="which is empty"):
        names("-")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none", "none is not there"),
        ("none/*.jpg", "matches no file"),
        ("n" * 5000, "nn is not there"),
        ("", "an empty name is not there"),
        ("out", r"out holds no images \(such as .jpg .png .tif .webp\); give another folder$"),
    ],
)
def test_nothing_to_predict(tree: Path, source: str, message: str) -> None:
    (tree / "out/9.jpg").unlink()
    with pytest.raises(UserError, match=message):
        names(source)


def told(*sources: str) -> str:
    return str(find_photographs(sources, OUT).passed_over)


def put(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_every_kind_that_is_read_is_found(workspace: Path) -> None:
    put(*(f"in/{number}{suffix}" for number, suffix in enumerate(images.SUFFIXES)))
    assert len(names("in")) == len(images.SUFFIXES) > 50
    assert told("in") == ""


def test_what_is_passed_over_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("in/a.jpg", "in/clip.mov", "in/deep/notes.txt", "in/deep/b.cr2", "in/c.xml")
    assert told("in") == (
        "passed over: 4 files that cannot be read as images (c.xml, clip.mov, b.cr2, …)"
    )
    assert told("in", "./in") == told("in")
    Path("in/link").symlink_to("deep")
    assert "; 1 link to folders (link)" in told("in")
    walk = os.walk
    monkeypatch.setattr(
        "os.walk", lambda top, onerror: onerror(OSError(13, "no", "in/x")) or walk(top)
    )
    assert told("in").endswith("; 1 folder that cannot be opened (x)")


def test_files_of_systems_are_not_worth_a_word(workspace: Path) -> None:
    put("in/a.jpg", "in/.DS_Store", "in/Thumbs.db", "in/desktop.ini", "in/__MACOSX/._a.jpg")
    assert names("in") == names("in/*") == ["a"]
    assert told("in") == ""


def test_heic_without_its_package_says_what_to_install(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.model.photographs.SUFFIXES", (".jpg",))
    put("in/a.HEIC", "in/b.heif")
    with pytest.raises(UserError, match="in holds no images") as error:
        names("in")
    word = f"passed over: 2 HEIC photographs (a.HEIC, b.heif): {heic.INSTALL}"
    assert str(error.value).endswith(word)
    put("in/c.jpg")
    assert told("in") == word


def test_masks_beside_images_are_no_photographs(workspace: Path) -> None:
    put("in/images/a.png", "in/masks/a.png", "in/labelme/a.png", "in/x/masks/b.png")
    put("voc/JPEGImages/a.png", "voc/SegmentationClass/a.png")
    assert names("in") == ["images/a", "x/masks/b"]
    assert told("in", "voc") == (
        "passed over: 3 folders of masks beside images (labelme, masks, SegmentationClass)"
    )
    assert names("in/masks") == ["a"]


def test_out_is_tried_first(tree: Path) -> None:
    make_out(tree / "new/deep")
    for bad in (tree / "a/1.jpg", tree / "a/1.jpg/out"):
        with pytest.raises(UserError, match="cannot be written"):
            make_out(bad)


def test_the_masks_of_every_folder_that_is_read_are_left_out() -> None:
    assert {name.casefold() for name in layout.IMAGE_FOLDERS} <= IMAGES
    assert {name.casefold() for name in layout.MASK_FOLDERS} <= MASKS


def test_masks_beside_images_in_one_folder_are_left_out(tree: Path) -> None:
    (tree / "a/masks").mkdir()
    (tree / "a/masks/1.png").touch()
    assert names("a") == ["1", "2", "b/1"]
