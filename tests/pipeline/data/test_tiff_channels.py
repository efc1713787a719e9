"""TIFFs whose channels are no photograph's are refused, with the reason."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.data.images import check_image, read_image
from tests.sixteen import tiff

FEW = np.ones((4, 5, 5), dtype=np.uint8)
WIDE = FEW.astype(np.uint16)
REFUSED = {
    "2 bands": (tiff(FEW[..., :2], extras=(0,)), "it has 2 channels, and only grey, RGB and"),
    "2 wide bands": (tiff(WIDE[..., :2], extras=(0,)), "it has 2 channels, and only"),
    "RGB and infrared": (tiff(FEW[..., :4], extras=(0,)), "it has 4 channels, and only"),
    "planes": (tiff(FEW[..., :4], planar=2, extras=(0,)), "it has 4 channels, and only"),
    "5 bands": (tiff(FEW, photometric=1, extras=(0,) * 4), "it has 5 channels, and only"),
    "wide planes": (tiff(WIDE[..., :3], planar=2), r"lie apart \(planar\)"),
    "white is 0": (tiff(WIDE[..., :1], photometric=0), "its 0 is white"),
    "signs": (tiff(WIDE[..., :1], sample_format=2), "its values of 16 bits have signs"),
    "wide grey, transparent": (tiff(WIDE[..., :2], extras=(2,)), "TIFF of 2 channels of 16 bits"),
    "32 bits": (tiff(FEW[..., :3].astype(np.uint32)), "TIFF of 3 channels of 32 bits"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    data, reason = REFUSED[name]
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    for read in (read_image, lambda path: check_image(path, path.read_bytes())):
        with pytest.raises(UserError, match=rf"a\.tif cannot be read as an image \(.*{reason}"):
            read(path)


@pytest.mark.parametrize("data", [b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"II+\0\x08\0\0\0"])
def test_a_damaged_header_is_no_image(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UserError, match="it is not an image"):
        read_image(tmp_path / "a.tif")
