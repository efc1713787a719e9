"""HEIC is read where its package is installed; elsewhere the message says what to install."""

from pathlib import Path

import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data import heic
from pipeline.data.images import SUFFIXES, check_image, read_image


def test_it_is_read_whatever_its_suffix(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    assert heic.register()
    path = tmp_path / "a.jpg"
    picture = Image.linear_gradient("L").convert("RGB").resize((40, 30))
    picture.save(path, format="HEIF", quality=-1)
    assert read_image(path).size == check_image(path, path.read_bytes()).size == (40, 30)
    assert set(heic.SUFFIXES) <= set(SUFFIXES)


def test_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heic, "register", lambda: False)
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(3) + b"\x18ftypheic" + bytes(90))
    for read in (read_image, lambda path: check_image(path, path.read_bytes())):
        with pytest.raises(UserError, match=r"a\.jpg cannot be read .*it is HEIC; `pip install"):
            read(path)
