"""Random views keep image and mask together; normalisation and warping are what they say."""

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from pipeline.batches import augment
from pipeline.batches.augment import (
    MEAN,
    MEAN_COLOUR,
    STD,
    View,
    image_tensor,
    mask_tensor,
    normalise,
    random_view,
    resize,
    stack_images,
    warp,
)
from pipeline.data.manifest import IGNORE

Bytes = NDArray[np.uint8]
COLOURS = np.array(
    [[0, 0, 0], [250, 20, 20], [20, 250, 20], [20, 20, 250], [250, 250, 20]], dtype=np.uint8
)


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs on what CPUs with numba get and on the torch code of GPUs."""
    if request.param == "torch":
        monkeypatch.setattr(augment, "compiled_views", lambda device: None)


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
    tensors = image_tensor(painted(mask)), mask_tensor(mask)
    image, cut = random_view(*tensors, view=view, generator=generator)
    assert image.shape == (3, view.crop, view.crop)
    assert cut.shape == (view.crop, view.crop)
    assert image.dtype == cut.dtype == torch.uint8
    return image.permute(1, 2, 0).numpy(), cut.numpy()


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
    photograph = torch.from_numpy(np.repeat(255 * mask[None], 3, axis=0))
    for key in range(8):
        image, cut = random_view(
            photograph, torch.from_numpy(mask), view=View(30, scale, scale), generator=rng(key)
        )
        grey, labels = image[0].numpy().astype(float), cut.numpy()
        sharp = (labels != IGNORE) & (np.abs(grey - 127.5) > 1)
        assert np.array_equal(grey[sharp] > 127.5, labels[sharp] == 1)


def test_the_view_is_a_window_resized_by_pillow() -> None:
    noise = rng(0).integers(0, 256, (31, 57, 3)).astype(np.uint8)
    photograph = Image.fromarray(noise)
    view = View(24, 0.3, 1.9)
    for key in range(40):
        (image,) = random_view(image_tensor(photograph), view=view, generator=rng(key))
        scale = (generator := rng(key)).uniform(view.scale_min, view.scale_max)
        window = round(24 / scale)
        box, place, size = [], [], []
        for length in (57, 31):
            taken = min(window, length)
            shown = 24 if length > window else min(24, round(length * scale))
            start = int(generator.integers(length - window + 1)) if length > window else 0
            place.append(0 if length > window else int(generator.integers(24 - shown + 1)))
            box.append((start, start + taken))
            size.append(shown)
        (x0, x1), (y0, y1) = box
        part = photograph.crop((x0, y0, x1, y1)).resize(tuple(size), Image.Resampling.BILINEAR)
        canvas = Image.new("RGB", (24, 24), MEAN_COLOUR)
        canvas.paste(part, tuple(place))
        if generator.integers(2):
            canvas = canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        difference = image.permute(1, 2, 0).numpy().astype(int) - np.array(canvas)
        assert np.abs(difference).max() <= 1


def view_in_steps(
    image: Tensor, mask: Tensor, view: View, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A view by one torch call a step: cut, resample, lay on padding, flip."""
    scale = generator.uniform(view.scale_min, view.scale_max)
    window = max(1, round(view.crop / scale))
    spans = []
    for length in (image.shape[2], image.shape[1]):
        if length > window:
            start = int(generator.integers(length - window + 1))
            spans.append((slice(start, start + window), slice(0, view.crop)))
        else:
            shown = min(view.crop, max(1, round(length * scale)))
            place = int(generator.integers(view.crop - shown + 1))
            spans.append((slice(0, length), slice(place, place + shown)))
    (x_from, x_to), (y_from, y_to) = spans
    size = (y_to.stop - y_to.start, x_to.stop - x_to.start)
    part = image[None, :, y_from, x_from].contiguous(memory_format=torch.channels_last)
    colours = torch.tensor(MEAN_COLOUR, dtype=torch.uint8)[:, None, None]
    shown_image = colours.repeat(1, view.crop, view.crop)
    resized = F.interpolate(part, size=size, mode="bilinear", antialias=True)
    shown_image[:, y_to, x_to] = resized[0]
    shown_mask = torch.full((view.crop, view.crop), IGNORE, dtype=torch.uint8)
    labels = mask[y_from, x_from][None, None]
    shown_mask[y_to, x_to] = F.interpolate(labels, size=size, mode="nearest-exact")[0, 0]
    flip = generator.integers(2)
    return (shown_image.flip(-1), shown_mask.flip(-1)) if flip else (shown_image, shown_mask)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 90), (90, 1), (3, 2), (31, 20), (48, 48), (97, 61), (250, 188)]
)
@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.2, 0.99), (1.01, 3.0), (0.5, 1.5)])
@pytest.mark.parametrize("planar", [False, True])
def test_a_view_is_that_of_single_steps_byte_for_byte(
    size: tuple[int, int], scales: tuple[float, float], planar: bool
) -> None:
    noise = rng(*size).integers(0, 256, (size[1], size[0], 4)).astype(np.uint8)
    image = image_tensor(Image.fromarray(np.ascontiguousarray(noise[..., :3])))
    image = image.contiguous() if planar else image
    mask = torch.from_numpy(noise[..., 3])
    for key in range(25):
        view = View(48 - key % 3, *scales)
        made = random_view(image, mask, view=view, generator=rng(key))
        expected = view_in_steps(image, mask, view, rng(key))
        assert torch.equal(made[0], expected[0])
        assert torch.equal(made[1], expected[1])


def test_a_view_fills_its_place_in_a_batch() -> None:
    mask = blocks(60, 44)
    pair, view = (image_tensor(painted(mask)), mask_tensor(mask)), View(32, 0.3, 2.0)
    images = torch.zeros(3, 32, 32, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    masks = torch.zeros(3, 32, 32, dtype=torch.uint8)
    for key in range(12):
        random_view(*pair, view=view, generator=rng(key), out=(images[1], masks[1]))
        image, labels = random_view(*pair, view=view, generator=rng(key))
        assert torch.equal(images[1], image)
        assert torch.equal(masks[1], labels)
        assert not images[::2].any()
        assert not masks[::2].any()


def test_no_view_is_lost_in_a_copy_of_a_planar_tensor(request: pytest.FixtureRequest) -> None:
    if "torch" in request.node.name:
        pytest.skip("torch writes into any layout")
    planar = torch.zeros(3, 32, 32, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        random_view(planar, view=View(32, 1.0, 1.0), generator=rng(0), out=(planar.clone(),))


def test_without_numba_views_are_made_in_torch_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.batches.views_cpu", None)
    monkeypatch.delattr("pipeline.batches.views_cpu", raising=False)
    with pytest.warns(UserWarning, match="numba is not installed"):
        assert augment._views_cpu.__wrapped__() is None


@pytest.mark.parametrize("scale", [0.4, 1.0, 1.6])
def test_scales_are_met(scale: float) -> None:
    """A stripe of 20 pixels is as wide in the view as the scale says."""
    mask = np.zeros((60, 60), dtype=np.uint8)
    mask[:, 20:40] = 1
    for key in range(10):
        _, cut = view_of(Image.fromarray(mask), View(96, scale, scale), rng(key))
        widths = (cut == 1).sum(axis=1)
        assert abs(widths.max() - 20 * scale) <= 1.5


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
        _, cut = view_of(Image.fromarray(mask), View(16, 1.0, 1.0), rng(key))
        seen |= set(np.unique(cut).tolist())
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
    masks = torch.from_numpy(mask), torch.from_numpy(255 - mask)
    black = torch.zeros(3, 50, 70, dtype=torch.uint8)
    _, first, second = random_view(black, *masks, view=View(40, 0.7, 1.6), generator=rng(5))
    inside = first != IGNORE
    assert set(first.unique().tolist()) <= {0, 3, 9, IGNORE}
    assert torch.equal(second[inside], 255 - first[inside])


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


def test_normalise_is_one_fused_multiply_add_byte_for_byte() -> None:
    images = torch.arange(256, dtype=torch.uint8).repeat(2, 3, 1, 1)
    std, mean = torch.tensor(STD)[:, None, None], torch.tensor(MEAN)[:, None, None]
    expected = torch.addcmul(-mean / std, images.float(), 1.0 / (255.0 * std))
    assert torch.equal(normalise(images), expected)


def test_warp_ignores_the_aspect_ratio() -> None:
    warped = warp(image_tensor(painted(blocks(60, 30, 15))), 20)
    assert warped.shape == (3, 20, 20)
    assert warped[:, 3, 2].tolist() == COLOURS[0].tolist()
    assert warped[:, 15, 17].tolist() == COLOURS[3].tolist()
    square = image_tensor(painted(blocks(20, 20)))
    assert warp(square, 20) is square


@pytest.mark.parametrize("size", [(13, 40), (50, 9), (31, 57)])
def test_resize_is_pillows_and_float_rounds_alike(size: tuple[int, int]) -> None:
    photograph = Image.fromarray(rng(2).integers(0, 256, (31, 57, 3)).astype(np.uint8))
    ours = resize(image_tensor(photograph), size).permute(1, 2, 0).numpy().astype(int)
    theirs = np.array(photograph.resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.abs(ours - theirs).max() <= 1


def test_a_batch_lies_channels_last() -> None:
    images = [image_tensor(painted(blocks(20, 16, side))) for side in (3, 5)]
    batch = stack_images(images)
    assert batch.shape == (2, 3, 16, 20)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, torch.stack(images))
    assert normalise(batch).is_contiguous(memory_format=torch.channels_last)
    (view,) = random_view(images[0], view=View(12, 1.5, 1.5), generator=rng(0))
    assert view.permute(1, 2, 0).is_contiguous()  # or stacking would be ten times slower
