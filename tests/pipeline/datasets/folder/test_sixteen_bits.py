"""Photographs of 16 bits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import read_image
from pipeline.data.manifest import read_reading
from tests.pipeline.datasets.folder.leaves import (
    WANTED,
    is_right,
    looked_over,
    masks,
    read,
    write_sixteen,
)
from tests.sixteen import png16, tiff


@pytest.mark.parametrize("name", ["{}.png", "{}.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_12_bits_in_16_are_scaled_by_the_range_of_all(root: Path, name: str, channels: int) -> None:
    masks(root)
    values = {"a": 4000, "b": 800, "c": 80}  # of the three, a alone says that they have 12 bits
    for stem, value in values.items():
        (root / f"images/{stem}.png").unlink()
        array = np.full((8, 8, channels), value, np.uint16)
        write_sixteen(root / "images" / name.format(stem), array)
    manifest = is_right(root)
    for row in manifest.rows:
        grey = np.unique(read_image(manifest.path(row.image), row.size))
        assert grey.tolist() == [round(values[row.id] * 255 / 4095)]
    assert read_reading(manifest.folder).white == 4095
    before = {row.id: row.md5 for row in manifest.rows}
    write_sixteen(root / "images" / name.format("a"), np.full((8, 8, channels), 5000, np.uint16))
    after = {row.id: row.md5 for row in read(root).rows}  # now it is 13 bits, for all of them
    assert all(before[key] != after[key] for key in "abc")
    assert looked_over(root).conversions["scaled from 16 bits"] == 3


@pytest.mark.parametrize(("low", "high", "odd"), [(29_000, 29_999, 0), (0, 4095, 65_535)])
def test_a_range_that_is_hardly_used_is_told(root: Path, low: int, high: int, odd: int) -> None:
    masks(root)
    for stem in "abc":
        array = np.linspace(low, high, 4096, dtype=np.uint16).reshape(64, 64, 1)
        (root / f"images/{stem}.png").write_bytes(png16(array))
    for stem in "ab":
        Image.fromarray(np.kron(WANTED, np.ones((8, 8), np.uint8))).save(root / f"masks/{stem}.png")
    if odd:
        array[0, 0] = odd  # a dead pixel
        (root / "images/c.png").write_bytes(png16(array))
    assert any("few levels left" in finding for finding, _ in looked_over(root).warnings)


def test_a_second_channel_is_not_dropped(root: Path) -> None:
    masks(root)
    (root / "images/a.tif").write_bytes(tiff(np.zeros((8, 8, 2), np.uint8), extras=(0,)))
    (root / "images/a.png").unlink()
    with pytest.raises(UserError, match="it has 2 channels"):
        read(root)
