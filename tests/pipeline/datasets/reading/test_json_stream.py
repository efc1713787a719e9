"""Streaming JSON must give what json.loads gives, wherever the window cuts."""

import json
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.datasets.reading import json_stream
from pipeline.datasets.reading.json_stream import stream_arrays

VALUE = {
    "info": {"a": [1, 2], "b": "], }"},
    "numbers": [1, -2.5e3, 12345, 0],
    "empty": [],
    "objects": [{"text": 'quote " and é', "deep": [[1.5, 2.5], []]}, {"none": None}, True],
    "last": 123456,
}


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_same_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(VALUE, indent=indent, ensure_ascii=False), encoding="utf-8")
    expected = [
        (key, item) for key, items in VALUE.items() if isinstance(items, list) for item in items
    ]
    assert list(stream_arrays(path)) == expected


def test_empty_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(" {} ")
    assert list(stream_arrays(tmp_path / "a.json")) == []


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"a": [1', '{"a": [1 2]}', '{"a" [1]}', '{"a": [1]', '{"a": [{"b": ]}']
)
def test_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json is not readable JSON"):
        list(stream_arrays(tmp_path / "a.json"))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there"):
        list(stream_arrays(tmp_path / "a.json"))


def test_a_damaged_file_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a large one would be in memory whole, and searched again with each piece of it."""
    monkeypatch.setattr(json_stream, "CHUNK", 10)
    monkeypatch.setattr(json_stream, "LONGEST", 100)
    reads = []
    more = json_stream._Reader.more
    monkeypatch.setattr(
        json_stream._Reader, "more", lambda reader: bool(reads.append(1)) or more(reader)
    )
    (tmp_path / "a.json").write_text('{"a": [' + "oops" * 10_000)
    with pytest.raises(UserError, match="not readable JSON"):
        list(stream_arrays(tmp_path / "a.json"))
    assert len(reads) < 15


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "[" * 100_000, "{1: 2}", "{[]: 2}"])
def test_odd_nesting_and_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match="not readable JSON"):
        list(stream_arrays(tmp_path / "a.json"))
