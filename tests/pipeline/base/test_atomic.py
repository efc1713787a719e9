"""Outputs appear whole or not at all, and nothing else is left behind."""

from pathlib import Path

import pytest

from pipeline.base.atomic import whole_file, whole_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with whole_file(target) as part:
        part.write_text("whole")
        assert not target.exists()
        assert part.parent == target.parent  # the same disk, so that moving it is one step
    assert target.read_text() == "whole"
    assert names(target.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), whole_file(target) as part:
        part.write_text("ha")
        raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="early"), whole_file(tmp_path / "a.txt"):
        raise ValueError("early")
    assert names(tmp_path) == []


def test_a_file_that_was_never_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass


def test_a_folder_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    target.mkdir(parents=True)
    (target / "old").write_text("old")
    with whole_folder(target) as part:
        (part / "sub").mkdir()
        (part / "sub" / "new").write_text("new")
        assert names(target) == ["old"]
    assert names(target) == ["sub"]
    assert names(target.parent) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_folder(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(error), whole_folder(target) as part:
        (part / "new").write_text("half")
        raise error
    assert names(target) == ["old"]
    assert names(tmp_path) == ["out"]


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as part:
        left = part
    left.mkdir()
    (left / "half").write_text("half")
    with whole_folder(tmp_path / "out") as part:
        assert names(part) == []
    assert names(tmp_path) == ["out"]
