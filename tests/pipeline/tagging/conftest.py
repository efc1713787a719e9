"""A folder to tag."""

from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five photographs, one of them with a mask."""
    root = tmp_path / "photos"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for name in ("a.jpg", "b.1.jpg", "c, d.jpg", "köter.png", "drawn.jpg"):
        Image.new("RGB", (40, 30), "red").save(root / "images" / name)
    Image.new("L", (40, 30)).save(root / "masks" / "drawn.png")
    (root / "classes.txt").write_text("background\ncat\ndog\nred fish\n")
    return root
