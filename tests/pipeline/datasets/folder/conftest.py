"""A small folder to begin with."""

from pathlib import Path

import pytest

from tests.pipeline.datasets.folder.leaves import TAGS, photographs, put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with photographs and tags, and nothing else yet."""
    root = tmp_path / "mine"
    photographs(root / "images", "abc")
    put(root, "tags.csv", TAGS)
    return root
