"""Helpers the readers share."""

from pathlib import Path

import pytest
from PIL import Image

from pipeline.datasets.common import look_at, read_ids, read_lines
from pipeline.datasets.problems import name_some
from pipeline.errors import UserError
from pipeline.images import read_image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_of_the_image_as_it_is_read(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.jpg", "a.png"):
        Image.new("RGB", (7, 4)).save(tmp_path / name, exif=exif)
        seen = look_at(tmp_path / name)
        assert seen.size == read_image(tmp_path / name).size
        assert seen.care == (("turned by EXIF",) if orientation > 1 else ())


def test_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf one \r\n\r\ntwo\r\n\r\n")
    assert read_lines(path) == ["one", "", "two"]
    assert read_ids(path) == ["one", "two"]
    path.write_text("one\ntwo\none\n")
    with pytest.raises(UserError, match="ids twice: one"):
        read_ids(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="UTF-8"):
        read_ids(path)


def test_only_some_are_named() -> None:
    assert name_some(["a", "b"], joint=" / ") == "a / b"
    assert name_some(range(11)).endswith("9, and 1 more")
