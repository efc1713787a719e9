"""Photographs of 16 bits are read with all of them, and scaled by the data set's range."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import check_image, has_sixteen_bits, read_image
from pipeline.data.sixteen_bits import narrow, white_of
from tests.sixteen import png16, tiff

H, W = 9, 23
FILES = {
    **{f"{n}.png": (n, png16) for n in (1, 2, 3, 4)},
    **{
        f"{n} {order} {compression}.tif": (
            n,
            lambda values, order=order, compression=compression, extras=extras: tiff(
                values, order=order, compression=compression, extras=extras
            ),
        )
        for n, extras in ((1, ()), (3, ()), (4, (1,)), (4, (2,)))
        for order in "<>"
        for compression in (1, 5, 8)
    },
}


def twelve_bits(channels: int) -> NDArray[np.uint16]:
    """Values up to 4095, as cameras of 12 bits write them; transparency up to 65535."""
    values = np.random.default_rng(channels).integers(0, 4096, (H, W, channels), dtype=np.uint16)
    values[0, 0] = 4095
    if channels in (2, 4):
        values[..., -1] = 65535
    return values


def scaled(values_HWC: NDArray[np.uint16], white: int) -> NDArray[np.uint8]:
    """What RGB they become, by floating point."""
    colours = values_HWC[..., : 1 if values_HWC.shape[2] < 3 else 3]
    bytes_HWC = np.floor(np.minimum(colours * (255.0 / white), 255) + 0.5).astype(np.uint8)
    return np.broadcast_to(bytes_HWC, (H, W, 3))


@pytest.mark.parametrize("name", FILES)
def test_all_bits_are_read_whatever_the_file(name: str, tmp_path: Path) -> None:
    channels, make = FILES[name]
    values, path = twelve_bits(channels), tmp_path / name
    path.write_bytes(make(values))
    for white in (None, 4095, 2000, 65535):
        image = read_image(path, (W, H), white)
        assert np.array_equal(np.array(image), scaled(values, white or 4095)), white
    size, care, peak = check_image(path, path.read_bytes())
    assert (size, peak) == ((W, H), 4095)
    assert "scaled from 16 bits" in care
    assert ("stripped of transparency" in care) == (channels in (2, 4))
    assert has_sixteen_bits(path)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_sixteen_bits_are_turned_upright(channels: int, tmp_path: Path) -> None:
    values = twelve_bits(channels)
    data = png16(values, orientation=6)
    (tmp_path / "a.png").write_bytes(data)
    turned = np.rot90(scaled(values, 4095), -1)
    assert np.array_equal(np.array(read_image(tmp_path / "a.png")), turned)
    assert check_image(tmp_path / "a.png", data)[:2] == (
        (H, W),
        ("turned by EXIF", "scaled from 16 bits")
        + (("stripped of transparency",) if channels == 2 else ()),
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_that_breaks_off_is_refused_by_both(channels: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = png16(twelve_bits(channels))
    path.write_bytes(data[: len(data) // 2])
    for read in (read_image, lambda path: check_image(path, path.read_bytes())):
        with pytest.raises(UserError, match=r"a\.png cannot be read as an image \(.*truncated"):
            read(path)


def test_eight_bits_are_as_ever(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (H, W, 4), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    (tmp_path / "a.tif").write_bytes(tiff(noise, extras=(2,), planar=2))
    for name in ("a.png", "a.tif"):
        path = tmp_path / name
        assert np.array_equal(np.array(read_image(path, white=300)), noise[..., :3])
        assert check_image(path, path.read_bytes()).peak == 0
        assert not has_sixteen_bits(path)


def test_a_pgm_of_twelve_bits(tmp_path: Path) -> None:
    """Its header says which value is white; Pillow makes it 65535."""
    (tmp_path / "a.pgm").write_bytes(b"P5 3 1 4095 " + np.array([0, 2048, 4095], ">u2").tobytes())
    assert np.array(read_image(tmp_path / "a.pgm"))[0, :, 0].tolist() == [0, 128, 255]


def test_the_range_is_that_of_the_least_bits() -> None:
    values = np.arange(65536, dtype=np.uint16)
    for white in map(white_of, (0, 300, 1000, 4095, 65535)):
        exact = np.minimum(255 * values.astype(float) / white, 255)
        assert np.abs(narrow(values, white) - exact).max() <= 0.5
