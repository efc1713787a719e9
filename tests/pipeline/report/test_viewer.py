"""What the viewer's pictures and numbers are: exactly the masks, and the report's own scores."""

import base64
import io
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import read_mask, write_mask
from pipeline.data.manifest import Manifest, open_manifest, voc_palette
from pipeline.data.pairs import proxy_path
from pipeline.report import viewer
from pipeline.report.page import write_report
from pipeline.report.pictures import val_grid
from pipeline.report.viewer import BRIGHT, PALER, SAFE, as_hex, chosen_weak, numbers, write_viewer
from pipeline.settings.params import Params
from pipeline.settings.paths import DATASET, PREDICTIONS, proxy_dir


def weak_ids(manifest: Manifest) -> list[str]:
    return [row.id for row in manifest.of("weak")]


def made(params: Params, folder: Path) -> dict:
    manifest = open_manifest(params)
    return write_viewer(params, manifest, weak_ids(manifest), folder)


def layer_of(chosen: dict, name: str) -> dict:
    return next(layer for layer in chosen["layers"] if layer["name"] == name)


def test_masks_are_the_class_indices(params: Params, run: Path, tmp_path: Path) -> None:
    val, weak = made(params, tmp_path)["sets"]
    assert not (tmp_path / "viewer").exists()
    for chosen, name, path_of in (
        (val, "dual", lambda i: PREDICTIONS / "dual" / f"{i}.png"),
        (weak, "proxy", lambda i: proxy_path(i, proxy_dir("dsrg"))),
    ):
        texts = layer_of(chosen, name)["data"]
        assert len(texts) == len(chosen["ids"])
        for image_id, text in zip(chosen["ids"], texts, strict=True):
            with Image.open(io.BytesIO(base64.b64decode(text))) as image:
                assert image.mode == "L"
                assert np.array_equal(np.array(image), np.array(read_mask(path_of(image_id))))


def test_many_pictures_lie_beside_the_page(
    params: Params, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = made(params, tmp_path / "inside")
    monkeypatch.setattr(viewer, "INLINE", 0)
    beside = made(params, tmp_path / "beside")
    assert (inside["inline"], beside["inline"]) == (True, False)
    for one, other in zip(inside["sets"], beside["sets"], strict=True):
        for layer, filed in zip(one["layers"], other["layers"], strict=True):
            texts = layer.pop("data")
            assert layer == filed
            for place, text in enumerate(texts):
                file = tmp_path / "beside" / layer["folder"] / f"{place}.{layer['end']}"
                assert file.read_bytes() == base64.b64decode(text)
        texts = one["indices"].pop("data")
        for place, text in enumerate(texts):
            file = tmp_path / "beside" / one["indices"]["folder"] / f"{place}.css"
            assert file.read_text("ascii") == f'#viewer-sheet {{ --indices: "{text}"; }}\n'
        assert one == other


def test_indices_are_those_of_the_pictures(params: Params, run: Path, tmp_path: Path) -> None:
    for chosen in made(params, tmp_path)["sets"]:
        masks = [x for x in chosen["layers"] if x["name"] not in ("photograph", "thumbnail")]
        for place, text in enumerate(chosen["indices"]["data"]):
            pictures = [
                np.array(Image.open(io.BytesIO(base64.b64decode(mask["data"][place]))))
                for mask in masks
                if place not in mask["lacking"]
            ]
            packed = zlib.decompress(base64.b64decode(text))
            assert packed == np.stack(pictures, axis=1).tobytes()


def test_indices_count_as_bytes_of_the_page(
    params: Params, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = made(params, tmp_path)["sets"]
    texts = [t for one in chosen for layer in one["layers"] for t in layer["data"]]
    pictures = sum(map(len, texts))
    assert sum(map(len, chosen[0]["indices"]["data"])) > 0
    monkeypatch.setattr(viewer, "INLINE", pictures)
    assert not made(params, tmp_path)["inline"]


def test_scores_are_the_reports(params: Params, run: Path, tmp_path: Path) -> None:
    val = made(params, tmp_path)["sets"][0]
    place = val["scored"].index("dual")
    strips = [
        strip for grid in val_grid(params, open_manifest(params)).values() for strip in grid.strips
    ]
    assert len(strips) == len(val["ids"])
    for strip in strips:
        caption = next(p.caption for p in strip.pictures if p.caption.startswith("dual "))
        iou = val["iou"][val["ids"].index(strip.id)][place]
        assert abs(float(caption.split()[1]) - iou) <= 0.55
    for iou, by_class in zip(val["iou"], val["by_class"], strict=True):
        known = [value for value in by_class[place] if value is not None]
        assert np.mean(known) == pytest.approx(iou[place], abs=0.1)


def test_numbers_of_known_masks() -> None:
    truth_HW = np.array([[0, 0, 1, 255]], dtype=np.uint8)
    a_HW, b_HW = np.array([[0, 1, 1, 1]], np.uint8), np.array([[0, 0, 2, 0]], np.uint8)
    counted = numbers({"truth": truth_HW, "a": a_HW, "b": b_HW}, ["a", "b"], 3)
    assert counted["present"] == [0, 1, 2, 255]
    assert counted["by_class"] == [[50.0, 50.0, None, None], [100.0, 0.0, 0.0, None]]
    assert counted["iou"] == [50.0, 33.3]
    assert counted["apart"] == [75.0]
    unknown = numbers({"proxy": a_HW}, ["proxy"], 3)
    assert unknown == {"present": [0, 1], "iou": [None], "by_class": [[]], "apart": []}


def test_weak_images_without_truth_lack_it(params: Params, run: Path, tmp_path: Path) -> None:
    manifest = open_manifest(params)
    weak = manifest.of("weak")
    path = DATASET / "manifest.csv"
    path.write_text(path.read_text("utf-8").replace(f"{weak[1].mask},weak", ",weak"), "utf-8")
    chosen = made(params, tmp_path)["sets"][1]
    truth = layer_of(chosen, "truth")
    gone = chosen["ids"].index(weak[1].id)
    assert truth["lacking"] == [gone]
    assert [bool(text) for text in truth["data"]].count(False) == 1
    assert not truth["data"][gone]
    assert chosen["iou"][gone] == [None]


def test_which_weak_images(params: Params, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weak = weak_ids(open_manifest(params))
    assert sorted(chosen_weak(weak, "dsrg")) == sorted(weak)
    monkeypatch.setattr(viewer, "WEAK_WORST", 1)
    monkeypatch.setattr(viewer, "WEAK_SPREAD", 2)
    assert chosen_weak(weak, "dsrg") == [weak[-1], weak[1], weak[3]]
    (proxy_dir("dsrg") / "images.csv").write_text("id,proxy_iou\n", "utf-8")
    assert chosen_weak(weak, "dsrg") == [weak[1], weak[3]]


def test_large_photographs_shrink_with_their_masks(
    params: Params, run: Path, tmp_path: Path
) -> None:
    manifest = open_manifest(params)
    for row in manifest.of("val"):
        with Image.open(manifest.path(row.image)) as image:
            image.resize((900, 600)).save(manifest.path(row.image))
    text = (DATASET / "manifest.csv").read_text("utf-8")
    wider = re.sub(r"(,val,.*),32,32,", r"\1,900,600,", text)
    (DATASET / "manifest.csv").write_text(wider, "utf-8")
    val = made(params, tmp_path)["sets"][0]
    assert not val["tiny"]
    sizes = {}
    for layer in val["layers"]:
        with Image.open(io.BytesIO(base64.b64decode(layer["data"][0]))) as image:
            sizes[layer["name"]] = image.size
    assert sizes.pop("thumbnail") == (128, 85)
    assert set(sizes.values()) == {(512, 341)} == {tuple(val["sizes"][0])}


def test_prediction_of_another_size(params: Params, run: Path, tmp_path: Path) -> None:
    manifest = open_manifest(params)
    path = PREDICTIONS / "weak" / f"{manifest.of('val')[0].id}.png"
    write_mask(path, np.zeros((5, 5), dtype=np.uint8), manifest.classes)
    with pytest.raises(UserError, match=r"has another size than its image: .*evaluate weak"):
        made(params, tmp_path)


def test_proxy_of_another_size(params: Params, run: Path, tmp_path: Path) -> None:
    manifest = open_manifest(params)
    path = proxy_path(manifest.of("weak")[0].id, proxy_dir("dsrg"))
    write_mask(path, np.zeros((5, 5), dtype=np.uint8), manifest.classes)
    with pytest.raises(UserError, match=r"is 5x5 pixels, but 32x32 were expected"):
        made(params, tmp_path)


def test_data_are_plain_json(params: Params, run: Path, tmp_path: Path) -> None:
    values = made(params, tmp_path)
    assert json.loads(json.dumps(values, allow_nan=False))["classes"] == values["classes"]


# Viénot, Brettel and Mollon (1999): what red-blind and green-blind people see, in linear RGB.
SEEN_BY = {
    "red-blind": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "green-blind": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    "all": np.eye(3),
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colours: list[str], seen: str) -> np.ndarray:
    """CIELAB of colours as somebody sees them, (N, 3)."""
    srgb = np.array([[int(c[at : at + 2], 16) / 255 for at in (1, 3, 5)] for c in colours])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.array(SEEN_BY[seen]).T, 0, 1) @ np.array(TO_XYZ).T
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def least_apart(colours: list[str], seen: str) -> float:
    points = lab(colours, seen)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return float(apart[np.triu_indices(len(points), 1)].min())


@pytest.mark.parametrize("seen", SEEN_BY)
def test_safe_colours_are_told_apart(seen: str) -> None:
    assert least_apart([*SAFE, "#000000", "#ffffff"], seen) > 10


def test_bright_colours_are_told_apart_better_than_those_of_the_masks() -> None:
    masks = [as_hex(colour) for colour in voc_palette(1 + len(BRIGHT))]
    bright = ["#000000", *BRIGHT]
    assert len(bright) == 21  # VOC's classes
    assert least_apart(bright, "all") > 30 > 3 * least_apart(masks, "all")
    assert least_apart(bright[:9], "all") > 45 > 1.5 * least_apart(masks[:9], "all")
    chroma = [np.hypot(*lab(colours, "all")[1:9, 1:].T).mean() for colours in (bright, masks)]
    assert chroma[0] > 1.5 * chroma[1]


def test_the_measure_finds_colours_that_are_confused() -> None:
    pair = ["#00a000", "#b06000"]
    assert least_apart(pair, "all") > 80
    assert least_apart(pair, "green-blind") < 10


def test_paler_colours_are_the_same_hues() -> None:
    for safe, paler in zip(SAFE, PALER, strict=True):
        mixed = [round(0.4 * int(safe[at : at + 2], 16) + 0.6 * 255) for at in (1, 3, 5)]
        assert [int(paler[at : at + 2], 16) for at in (1, 3, 5)] == pytest.approx(mixed, abs=1)


def words(page: str) -> str:
    return " ".join(page[page.index('<section id="viewer">') :].split())


def test_the_page_says_that_all_are_shown(page: str) -> None:
    text = words(page)
    assert "All 6 validation images with the masks of every network of seed 0" in text
    assert "and all 5 weak images with their proxies." in text


def test_the_page_says_how_many_are_shown(
    params: Params, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer, "VAL_MOST", 4)
    monkeypatch.setattr(viewer, "WEAK_WORST", 1)
    monkeypatch.setattr(viewer, "WEAK_SPREAD", 2)
    write_report(params, open_manifest(params), Path("report"))
    text = words(Path("report/index.html").read_text("utf-8"))
    assert "4 of the 6 validation images, at equal distances, with the masks" in text
    assert "and 3 of the 5 weak images with their proxies: the" in text
