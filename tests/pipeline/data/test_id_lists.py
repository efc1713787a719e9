"""Ids come back as they were written, whatever characters names of files hold."""

from pathlib import Path

from pipeline.data.id_lists import read_ids, write_ids


def test_ids_come_back_as_they_were(tmp_path: Path) -> None:
    ids = ["a", "of \u2028 a \x85 page", "carriage\rreturn", "b/c d", "ä"]
    write_ids(tmp_path / "ids.txt", ids)
    assert read_ids(tmp_path / "ids.txt") == ids
    assert (tmp_path / "ids.txt").read_bytes().startswith(b"a\nof ")


def test_an_empty_list_is_an_empty_file(tmp_path: Path) -> None:
    write_ids(tmp_path / "ids.txt", [])
    assert read_ids(tmp_path / "ids.txt") == []
