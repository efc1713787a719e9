"""Lists of ids as people and editors write them."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.datasets.reading.text_files import read_ids, read_lines


def test_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf one \r\n\r\ntwo\r\n\r\n")
    assert read_lines(path) == ["one", "", "two"]
    assert read_ids(path) == ["one", "two"]
    path.write_text("one\ntwo\none\n")
    with pytest.raises(UserError, match="ids more than once: one"):
        read_ids(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="UTF-8"):
        read_ids(path)
