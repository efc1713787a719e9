"""Photographs come upright and in RGB; masks keep their indices whatever their palette."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.base.errors import UserError
from pipeline.data.images import (
    BORDER_COLOUR,
    SUCH_AS,
    SUFFIXES,
    Bytes,
    check_image,
    colour_mask,
    read_image,
    read_mask,
    tag_vector,
    tags_of_mask,
    write_mask,
)
from pipeline.data.manifest import make_classes

CLASSES = make_classes(["background", "cat", "dog"])
MASK = np.array([[0, 1, 2], [2, 255, 0]], dtype=np.uint8)


def test_photographs_come_upright(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    upright = np.array(read_image(tmp_path / "a.png"))
    assert upright.shape == (6, 4, 3)
    assert upright[0, 3].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_photographs_come_in_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (5, 4)).save(path)
    image = read_image(path)
    assert (image.mode, image.size) == ("RGB", (5, 4))


@pytest.mark.parametrize("data", [None, b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_unreadable_files(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "a.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.png cannot be read as an image"):
        read_image(path)
    with pytest.raises(UserError, match=r"a\.png cannot be read as a mask"):
        read_mask(path)


def test_every_suffix_that_pillow_reads() -> None:
    """But for stubs and what needs another program."""
    Image.init()
    others = {"BUFR", "GRIB", "HDF5", "MPEG", "WMF", "EPS", "PDF", "HEIF"}
    kinds = Image.registered_extensions()
    read = {suffix for suffix, kind in kinds.items() if kind in Image.OPEN and kind not in others}
    assert read <= set(SUFFIXES)
    assert {kinds[suffix] for suffix in SUFFIXES} - {"MPO", "HEIF"} <= set(Image.OPEN) - others
    assert set(SUCH_AS.split()[2:]) <= set(SUFFIXES)


def test_truncated_photograph(tmp_path: Path) -> None:
    noise: Bytes = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:2000])
    with pytest.raises(UserError, match=r"b\.jpg cannot be read as an image"):
        read_image(tmp_path / "b.jpg")


@pytest.mark.parametrize(
    ("error", "words"),
    [(TypeError("Missing dimensions"), "it is damaged"), (MemoryError(), "not enough memory")],
)
def test_no_error_of_python_is_shown(
    error: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (5, 4)).save(tmp_path / "a.png")

    def failing(image: Image.Image, in_place: bool = False) -> None:
        raise error

    monkeypatch.setattr(ImageOps, "exif_transpose", failing)
    with pytest.raises(UserError, match=rf"a\.png cannot be read as an image \({words}\)"):
        read_image(tmp_path / "a.png")


def test_mask_round_trip(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", MASK, CLASSES)
    mask = read_mask(tmp_path / "a.png", len(CLASSES))
    assert mask.mode == "L"
    assert np.array_equal(np.array(mask), MASK)
    with Image.open(tmp_path / "a.png") as image:
        seen = np.array(image.convert("RGB"))
    assert np.array_equal(seen, colour_mask(MASK, CLASSES))


def test_indices_do_not_pass_through_the_palette(tmp_path: Path) -> None:
    image = Image.fromarray(MASK)
    image.putpalette([7, 7, 7] * 256)  # all colours the same: only indices tell classes apart
    image.save(tmp_path / "p.png")
    Image.fromarray(MASK).save(tmp_path / "l.png")
    for name in ("p.png", "l.png"):
        assert np.array_equal(np.array(read_mask(tmp_path / name)), MASK)


def test_resized_mask_holds_only_its_indices(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", MASK, CLASSES)
    bigger = read_mask(tmp_path / "a.png").resize((9, 6), Image.Resampling.NEAREST)
    assert np.array_equal(np.array(bigger), MASK.repeat(3, axis=0).repeat(3, axis=1))


def test_index_past_the_classes(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", MASK, CLASSES)
    with pytest.raises(UserError, match="class index 2, but there are only 2 classes"):
        read_mask(tmp_path / "a.png", 2)


def test_coloured_mask_is_refused(tmp_path: Path) -> None:
    Image.fromarray(colour_mask(MASK, CLASSES)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="mode RGB; masks are PNGs whose pixel values"):
        read_mask(tmp_path / "a.png")


def test_colours() -> None:
    painted = colour_mask(MASK, CLASSES)
    assert painted.shape == (2, 3, 3)
    assert painted[0].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert tuple(painted[1, 1]) == BORDER_COLOUR


def test_tags() -> None:
    assert tags_of_mask(MASK) == (1, 2)
    assert tags_of_mask(np.full((2, 2), 255, dtype=np.uint8)) == ()
    assert tag_vector((2,), 4).tolist() == [True, False, True, False]


# --- the check at download ----------------------------------------------------------------------


def checked(path: Path) -> tuple[tuple[int, int], tuple[str, ...]]:
    """What the check says of a file."""
    size, care, _ = check_image(path, path.read_bytes())
    return size, care


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
def test_the_check_finds_what_reading_would(tmp_path: Path, options: dict[str, object]) -> None:
    noise: Bytes = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(noise).save(path, **options)
    data = path.read_bytes()
    refused = []
    for length in range(0, len(data) + 1, 29):
        path.write_bytes(data[:length])
        refusals = []
        for read in (lambda: read_image(path), lambda: checked(path)):
            try:
                read()
            except UserError:
                refusals.append(True)
            else:
                refusals.append(False)
        assert refusals[0] == refusals[1], length
        refused.append(refusals[0])
    assert sum(refused) > 0.9 * len(refused)
    path.write_bytes(data)
    assert checked(path) == ((56, 40), ())


def test_the_check_decodes_a_photograph_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (800, 640)).save(tmp_path / "a.jpg")
    sides = []
    turn = ImageOps.exif_transpose
    monkeypatch.setattr(
        ImageOps,
        "exif_transpose",
        lambda image, in_place=False: sides.append(image.size) or turn(image, in_place=in_place),
    )
    assert checked(tmp_path / "a.jpg") == ((800, 640), ())
    assert sides == [(100, 80)]


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    narrow: Bytes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(narrow.astype(np.uint16) * 257).save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert image.mode == "RGB"
        assert np.array_equal(np.array(image), narrow[..., None].repeat(3, axis=2))
        assert checked(tmp_path / name) == ((16, 16), ("scaled from 16 bits",))
    between = np.array([[127, 129, 65535 - 129, 65535 - 127]], dtype=np.uint16)
    Image.fromarray(between).save(tmp_path / "b.png")
    assert np.array(read_image(tmp_path / "b.png"))[0, :, 0].tolist() == [0, 1, 254, 255]


def test_transparency_is_dropped(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 4), (10, 200, 30, 0), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array(read_image(tmp_path / "a.png"))[0, 0].tolist() == [10, 200, 30]
    assert checked(tmp_path / "a.png")[1] == ("stripped of transparency",)


def test_the_most_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.data.images.MOST_PIXELS", 20)
    Image.new("L", (5, 4)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").size == read_mask(tmp_path / "a.png").size == (5, 4)
    Image.new("L", (7, 3)).save(tmp_path / "a.png")
    for read in (read_image, read_mask, checked):
        with pytest.raises(UserError, match=r"a\.png has more than 20 pixels, the most an? "):
            read(tmp_path / "a.png")


def test_an_image_of_another_size_than_expected(tmp_path: Path) -> None:
    Image.new("L", (5, 4)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (5, 4)).size == (5, 4)
    with pytest.raises(UserError, match="is 5x4 pixels, but 4x5 were expected; if the data set"):
        read_image(tmp_path / "a.png", (4, 5))


def test_a_mask_of_another_size_than_expected(tmp_path: Path) -> None:
    Image.new("L", (5, 4)).save(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png", 2, size=(5, 4)).size == (5, 4)
    with pytest.raises(UserError, match="is 5x4 pixels, but 4x5 were expected; if the data set"):
        read_mask(tmp_path / "a.png", 2, size=(4, 5))


def test_a_large_mask_is_not_copied_again_and_again(tmp_path: Path) -> None:
    """Found by fuzzing: masks of many pixels took over 2 GB."""
    side = 1000
    Image.new("L", (side, side), 1).save(tmp_path / "a.png")
    tracemalloc.start()
    try:
        read_mask(tmp_path / "a.png", 2)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * side**2
    finally:
        tracemalloc.stop()
