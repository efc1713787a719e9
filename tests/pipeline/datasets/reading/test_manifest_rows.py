"""What is found out about an image on its way into the manifest."""

from pathlib import Path

import pytest
from PIL import Image

from pipeline.data.images import read_image
from pipeline.datasets.reading.manifest_rows import inspect_image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_of_the_image_as_it_is_read(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.jpg", "a.png"):
        Image.new("RGB", (7, 4)).save(tmp_path / name, exif=exif)
        seen = inspect_image(tmp_path / name)
        assert seen.size == read_image(tmp_path / name).size
        assert seen.care == (("turned by EXIF",) if orientation > 1 else ())
