"""Random views keep image and mask together; normalisation and warping are what they say."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pipeline.augment import (
    MEAN,
    MEAN_COLOUR,
    STD,
    View,
    image_tensor,
    mask_tensor,
    normalise,
    random_view,
    warp,
)
from pipeline.manifest import IGNORE

Bytes = NDArray[np.uint8]
COLOURS = np.array([[0, 0, 0], [250, 20, 20], [20, 250, 20], [20, 20, 250]], dtype=np.uint8)


def rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def blocks(width: int, height: int, side: int = 9) -> Image.Image:
    """A mask of class blocks, none of which has its own colour as a neighbour."""
    rows, columns = np.indices((height, width)) // side
    return Image.fromarray((2 * (rows % 2) + columns % 2).astype(np.uint8))


def painted(mask: Image.Image) -> Image.Image:
    """The photograph that shows exactly what the mask says."""
    return Image.fromarray(COLOURS[np.array(mask)])


def view_of(mask: Image.Image, view: View, generator: np.random.Generator) -> tuple[Bytes, Bytes]:
    image, cut = random_view(painted(mask), mask, view=view, generator=generator)
    assert image.size == cut.size == (view.crop, view.crop)
    assert (image.mode, cut.mode) == ("RGB", "L")
    return np.array(image), np.array(cut)


@pytest.mark.parametrize("size", [(64, 64), (90, 50), (37, 120)])
@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.5, 0.9), (1.1, 2.0), (0.5, 2.0)])
def test_image_and_mask_stay_together(size: tuple[int, int], scales: tuple[float, float]) -> None:
    mask = blocks(*size, side=13)
    checked = 0
    for key in range(12):
        image, cut = view_of(mask, View(48, *scales), rng(key))
        # Inside a block every interpolation gives the block's own colour; the crop's border may
        # blend with what was cut off.
        around = {"size": 5, "mode": "constant", "cval": IGNORE}
        inside = ndimage.minimum_filter(cut, **around) == ndimage.maximum_filter(cut, **around)
        inside &= cut != IGNORE
        assert np.array_equal(image[inside], COLOURS[cut[inside]])
        checked += int(inside.sum())
    assert checked > 1000


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.7])
def test_an_edge_is_where_the_mask_has_it(scale: float) -> None:
    """Half a pixel of shift would show: bilinear values cross one half exactly at the edge."""
    size = 40
    mask = np.zeros((size, size), dtype=np.uint8)
    mask[:, 20:] = 1
    photograph = Image.fromarray(np.repeat(255 * mask[..., None], 3, axis=2))
    for key in range(8):
        image, cut = random_view(
            photograph, Image.fromarray(mask), view=View(30, scale, scale), generator=rng(key)
        )
        grey, labels = np.array(image)[..., 0].astype(float), np.array(cut)
        sharp = (labels != IGNORE) & (np.abs(grey - 127.5) > 1)
        assert np.array_equal(grey[sharp] > 127.5, labels[sharp] == 1)


def test_the_view_is_the_scaled_image_cut() -> None:
    """Resampling only what shows gives what resampling everything gives."""
    noise = rng(0).integers(0, 256, (31, 57, 3)).astype(np.uint8)
    smooth = Image.fromarray(ndimage.uniform_filter(noise, (5, 5, 1)))
    view = View(24, 0.6, 1.9)
    for key in range(20):
        (image,) = random_view(smooth, view=view, generator=rng(key))
        scale = (generator := rng(key)).uniform(view.scale_min, view.scale_max)
        whole = smooth.resize((round(57 * scale), round(31 * scale)), Image.Resampling.BILINEAR)
        left, top = (
            int(generator.integers(min(0, 24 - side), max(0, 24 - side) + 1)) for side in whole.size
        )
        canvas = Image.new("RGB", (24, 24), MEAN_COLOUR)
        canvas.paste(whole, (left, top))
        if generator.integers(2):
            canvas = canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        difference = np.abs(np.array(image).astype(int) - np.array(canvas))
        assert difference.max() <= 1  # rounding of the box


def test_whole_image_at_scale_one_comes_back_or_mirrored() -> None:
    mask = blocks(48, 48, 7)
    seen = set()
    for key in range(20):
        image, cut = view_of(mask, View(48, 1.0, 1.0), rng(key))
        mirrored = not np.array_equal(cut, np.array(mask))
        seen.add(mirrored)
        step = -1 if mirrored else 1
        assert np.array_equal(cut, np.array(mask)[:, ::step])
        assert np.array_equal(image, np.array(painted(mask))[:, ::step])
    assert seen == {True, False}


@pytest.mark.parametrize("size", [(64, 64), (64, 40)])
def test_a_small_image_is_padded_with_mean_colour_and_ignored(size: tuple[int, int]) -> None:
    width, height = size[0] // 2, size[1] // 2
    mask, corners = blocks(*size), set()
    for key in range(30):
        image, cut = view_of(mask, View(64, 0.5, 0.5), rng(key))
        outside = cut == IGNORE
        assert int((~outside).sum()) == width * height
        rows, columns = np.nonzero(~outside)
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (height, width)  # one rectangle
        assert np.array_equal(image[outside], np.broadcast_to(MEAN_COLOUR, image[outside].shape))
        corners.add((int(rows.min()), int(columns.min())))
    assert len(corners) > 20  # not always at one place


def test_padding_normalises_to_about_nothing() -> None:
    assert tuple(round(255 * value) for value in MEAN) == MEAN_COLOUR
    padding = torch.tensor(MEAN_COLOUR, dtype=torch.uint8)[None, :, None, None]
    assert float(normalise(padding).abs().max()) < 0.5 / 255 / min(STD) + 1e-6


def test_crops_reach_every_border() -> None:
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[0], mask[-1], mask[:, 0], mask[:, -1] = 1, 2, 3, 4
    seen = set()
    for key in range(300):
        _, cut = random_view(
            Image.new("RGB", (30, 20)),
            Image.fromarray(mask),
            view=View(16, 1.0, 1.0),
            generator=rng(key),
        )
        seen |= set(np.unique(np.array(cut)).tolist())
    assert seen == {0, 1, 2, 3, 4}


def test_a_key_fixes_the_view() -> None:
    mask, view = blocks(60, 44), View(32, 0.5, 2.0)
    first = [view_of(mask, view, rng(7, key)) for key in range(6)]
    again = [view_of(mask, view, rng(7, key)) for key in range(6)]
    for (image, cut), (image_again, cut_again) in zip(first, again, strict=True):
        assert np.array_equal(image, image_again)
        assert np.array_equal(cut, cut_again)
    assert len({image.tobytes() for image, _ in first}) == 6


def test_mask_keeps_its_indices_and_several_masks_go_together() -> None:
    mask = rng(1).choice(np.array([0, 3, 9, IGNORE], dtype=np.uint8), (50, 70))
    masks = Image.fromarray(mask), Image.fromarray(255 - mask)
    _, first, second = random_view(
        Image.new("RGB", (70, 50)), *masks, view=View(40, 0.7, 1.6), generator=rng(5)
    )
    inside = np.array(first) != IGNORE
    assert set(np.unique(np.array(first))) <= {0, 3, 9, IGNORE}
    assert np.array_equal(np.array(second)[inside], 255 - np.array(first)[inside])


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (3, 2)])
def test_tiny_images_and_long_ones(size: tuple[int, int]) -> None:
    for key in range(10):
        _, cut = view_of(Image.new("L", size, 1), View(16, 0.3, 1.5), rng(key))
        assert 1 in cut


def test_tensors_have_the_arrays_bytes() -> None:
    pixels = rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    tensor = image_tensor(Image.fromarray(pixels))
    assert tensor.shape == (3, 4, 6)
    assert tensor.dtype == torch.uint8
    assert np.array_equal(tensor.numpy().transpose(1, 2, 0), pixels)
    mask = mask_tensor(Image.fromarray(pixels[..., 0]))
    assert np.array_equal(mask.numpy(), pixels[..., 0])


def test_normalise_follows_imagenet() -> None:
    images = torch.from_numpy(rng(0).integers(0, 256, (2, 3, 4, 5)).astype(np.uint8))
    normal = normalise(images)
    for b, c, y, x in np.ndindex(2, 3, 4, 5):
        expected = (int(images[b, c, y, x]) / 255 - MEAN[c]) / STD[c]
        assert float(normal[b, c, y, x]) == pytest.approx(expected, abs=1e-5)


def test_warp_ignores_the_aspect_ratio() -> None:
    image = painted(blocks(60, 30, 15))
    warped = np.array(warp(image, 20))
    assert warped.shape == (20, 20, 3)
    assert warped[3, 2].tolist() == COLOURS[0].tolist()
    assert warped[15, 17].tolist() == COLOURS[3].tolist()
    square = painted(blocks(20, 20))
    assert warp(square, 20) is square
