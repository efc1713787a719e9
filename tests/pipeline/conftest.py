"""Fixtures of the tests that download."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.base import fetch
from tests.file_server import BODY, FileServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with one file at two addresses, and no waiting."""
    monkeypatch.setattr(fetch, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer({"/a.bin": BODY, "/b.bin": BODY}) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a downloaded file shall lie; the folder is still to be made."""
    return tmp_path / "downloads" / "a.bin"
