"""Predictions: as evaluate's to the last bit, windows and scales against slow statements."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.base.errors import UserError
from pipeline.batches.augment import resize
from pipeline.model import inference
from pipeline.model.inference import (
    Options,
    mean_at,
    per_scale,
    predict_bands,
    read_scales,
    slide,
)
from pipeline.model.predict import load_model
from pipeline.scoring.score import predict_logits
from pipeline.train.network import DualBranchNet
from tests.models import small_network, write_small


@pytest.fixture(scope="module")
def network() -> DualBranchNet:
    return small_network()


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.randint(0, 256, (1, 3, 5, 5), generator=generator).float()
    return F.interpolate(small, size=(height, width), mode="bicubic").clamp(0, 255).byte()[0]


@pytest.mark.parametrize("size", [(40, 56), (1, 1), (37, 3)])
def test_logits_are_those_of_evaluate(network: DualBranchNet, size: tuple[int, int]) -> None:
    image_3HW = picture(*size)
    ours = inference.logits_of(network, image_3HW)
    assert ours.shape == (5, *size)
    assert torch.equal(ours, predict_logits(network, image_3HW[None])[0])


def slow_windows(network: DualBranchNet, image_3HW: Tensor, window: int, stride: int) -> Tensor:
    """Every pixel's mean over all windows that show it, one pixel after the other."""
    height, width = image_3HW.shape[-2:]

    def begins(length: int) -> list[int]:
        found, at = [], 0
        while at + window < length:
            found.append(at)
            at += stride
        return [*found, max(0, length - window)]

    seen = {
        (y, x): predict_logits(network, image_3HW[None, :, y : y + window, x : x + window])[0]
        for y in begins(height)
        for x in begins(width)
    }
    out = torch.zeros(5, height, width)
    for row in range(height):
        for column in range(width):
            here = [
                logits[:, row - y, column - x].softmax(0)
                for (y, x), logits in seen.items()
                if y <= row < y + window and x <= column < x + window
            ]
            out[:, row, column] = torch.stack(here).mean(0)
    return out


@pytest.mark.parametrize(
    ("size", "window", "stride"),
    [((70, 50), 32, 24), ((40, 90), 33, 7), ((64, 64), 32, 32), ((20, 50), 32, 31)],
)
def test_windows_against_a_slow_statement(
    network: DualBranchNet, size: tuple[int, int], window: int, stride: int
) -> None:
    image_3HW = picture(*size)
    options = Options(window=window, stride=stride)
    bands = [
        (top, p_CRW.clone()) for top, p_CRW in slide(network, image_3HW, options, window, stride)
    ]
    assert bands[0][0] == 0
    whole = torch.cat([band for _, band in bands], dim=1)
    torch.testing.assert_close(
        whole, slow_windows(network, image_3HW, window, stride), rtol=0, atol=2e-6
    )


def test_scales_and_flip_against_a_slow_statement(
    network: DualBranchNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_3HW = picture(40, 56)
    parts = []
    for size in ((20, 28), (40, 56), (60, 84)):
        resized = resize(image_3HW, size)
        straight = predict_logits(network, resized[None]).softmax(1)
        mirrored = torch.flip(
            predict_logits(network, torch.flip(resized, [2])[None]).softmax(1), [3]
        )
        parts += [
            F.interpolate(p, size=(40, 56), mode="bilinear", align_corners=False)
            for p in (straight, mirrored)
        ]
    options = Options(scales=(0.5, 1.0, 1.5), flip=True)
    wanted = torch.stack(parts).mean(0)[0]
    ours = mean_at(per_scale(network, image_3HW, options), (40, 56), slice(0, 40))
    torch.testing.assert_close(ours, wanted, rtol=0, atol=2e-6)
    monkeypatch.setattr(inference, "ROWS", 7)
    bands = list(predict_bands(network, image_3HW, options, probabilities=True))
    assert [band.top for band in bands] == [0, 7, 14, 21, 28, 35]
    in_bands = torch.cat([band.probabilities_CRW for band in bands], dim=1)
    torch.testing.assert_close(in_bands, wanted, rtol=0, atol=2e-6)


def test_probabilities_sum_to_one_and_the_mask_is_their_maximum(network: DualBranchNet) -> None:
    image_3HW = picture(50, 70)
    for options in (Options(), Options((0.75, 1.25), flip=True), Options(window=32, stride=20)):
        bands = list(predict_bands(network, image_3HW, options, probabilities=True))
        p_CHW = torch.cat([band.probabilities_CRW for band in bands], dim=1)
        mask_HW = np.concatenate([band.mask_RW for band in bands])
        assert mask_HW.shape == (50, 70)
        torch.testing.assert_close(p_CHW.sum(0), torch.ones(50, 70))
        assert np.array_equal(p_CHW.argmax(0).numpy(), mask_HW)
        tops = [band.top for band in bands]
        assert tops == [0, *np.cumsum([len(band.mask_RW) for band in bands])[:-1]]


def test_large_images_go_in_windows(
    network: DualBranchNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = inference.logits_of

    def watched(network: DualBranchNet, image_3HW: Tensor) -> Tensor:
        seen.append(image_3HW.shape[-2] * image_3HW.shape[-1])
        return real(network, image_3HW)

    monkeypatch.setattr(inference, "logits_of", watched)
    monkeypatch.setattr(inference, "AT_ONCE", 64 * 64)
    for scales in ((1.0,), (0.5, 2.0)):
        for size in ((200, 90), (30, 1000)):
            bands = list(predict_bands(network, picture(*size), Options(scales)))
            assert sum(len(band.mask_RW) for band in bands) == size[0]
    assert max(seen) <= 64 * 64
    assert Options().windows(64, 64) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scales": ()}, "scales: give numbers from 0.1 to 4.0"),
        ({"scales": (0.0,)}, "scales"),
        ({"scales": (float("nan"),)}, "scales"),
        ({"window": 8}, "window: give at least 32 pixels, not 8"),
        ({"stride": 8}, "stride: it needs windows"),
        ({"window": 64, "stride": 65}, "stride: give 1 to the window's 64"),
        ({"window": 64, "stride": 0}, "stride"),
    ],
)
def test_impossible_options_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Options(**values)  # type: ignore[arg-type]


def test_scales_that_are_no_numbers() -> None:
    with pytest.raises(UserError, match="scales: give numbers such as"):
        read_scales("1,big")


# --- from Python --------------------------------------------------------------------------------


def test_three_lines_of_python(tmp_path: Path) -> None:
    model = load_model(write_small(tmp_path))
    image = picture(30, 41).permute(1, 2, 0).numpy()
    mask = model.predict(image)
    assert mask.shape == (30, 41)
    assert mask.dtype == np.uint8
    probabilities = model.probabilities(image)
    assert probabilities.shape == (5, 30, 41)
    assert np.array_equal(probabilities.argmax(0), mask)
    assert model.classes[1] == "cat"


def test_a_model_is_put_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_small(tmp_path)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    model = load_model(path, device="cpu")  # in spite of the GPU
    assert next(model.network.parameters()).device == torch.device("cpu")
    with pytest.raises(UserError, match=r"^device: torch sees no cuda:1 here; use cuda:0"):
        load_model(path, device="cuda:1")


def test_what_is_no_image(tmp_path: Path) -> None:
    model = load_model(write_small(tmp_path))
    for array in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UserError, match="a file or an array"):
            model.predict(array)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="cannot be read"):
        model.predict(tmp_path / "none.jpg")
