"""Which images are meant, and that no two outputs have one name."""

import io
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.model.photographs import find_photographs, make_out

OUT = Path("out")


@pytest.fixture
def tree(workspace: Path) -> Path:
    names = "a/1.jpg a/2.PNG a/b/1.jpg a/b/.hidden.jpg a/notes.txt a/.git/3.jpg c/1.jpg out/9.jpg"
    for name in names.split():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).touch()
    return workspace


def names(*sources: str) -> list[str]:
    return [photograph.name for photograph in find_photographs(sources, OUT)]


def test_folders_are_searched_to_the_bottom(tree: Path) -> None:
    assert names("a") == ["1", "2", "b/1"]
    assert find_photographs(["a"], OUT)[0].path == Path("a/1.jpg")


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


def test_a_list_on_standard_input(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a/1.jpg\n\nc/1.jpg\r\n"))
    assert names("-") == ["a/1", "c/1"]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UserError, match="which is empty"):
        names("-")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none", "none is not there"),
        ("none/*.jpg", "matches no file"),
        ("out", "out holds no images"),
    ],
)
def test_nothing_to_predict(tree: Path, source: str, message: str) -> None:
    (tree / "out/9.jpg").unlink()
    with pytest.raises(UserError, match=message):
        names(source)


def test_out_is_tried_first(tree: Path) -> None:
    make_out(tree / "new/deep")
    for bad in (tree / "a/1.jpg", tree / "a/1.jpg/out"):
        with pytest.raises(UserError, match="cannot be written"):
            make_out(bad)
