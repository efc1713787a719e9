"""What the two sides of the picture show: masks, outlines, errors, classes by name."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from pipeline.data.images import read_mask, write_mask
from pipeline.data.manifest import IGNORE, open_manifest
from pipeline.data.pairs import proxy_path
from pipeline.report.page import write_report
from pipeline.settings.params import Params
from pipeline.settings.paths import DATASET, PREDICTIONS, proxy_dir
from tests.pipeline.report.browsing import Viewer, needs_chromium, served, url_of

pytestmark = needs_chromium


def read(path: Path) -> np.ndarray:
    return np.array(read_mask(path))


def painted(page: Viewer, run: Path, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours in the middle of each of a mask's pixels on the stage, and the mask (H, W)."""
    mask_HW = read(run / PREDICTIONS / layer / f"{page.name}.png")
    return painted_like(page, mask_HW), mask_HW


def painted_like(page: Viewer, mask_HW: np.ndarray) -> np.ndarray:
    """Colours in the middle of each pixel of a picture of this size on the stage, (H, W, 3)."""
    shot, (left, top, width, height) = page.pixels()
    rows, columns = ((np.arange(n) + 0.5) / n for n in mask_HW.shape)
    y, x = (top + rows * height).astype(int), (left + columns * width).astype(int)
    colours: np.ndarray = shot[y][:, x]
    return colours


def test_masks_have_exactly_their_classes_colours(opened: Viewer, finished_run: Path) -> None:
    opened.keys(Keys.HOME, on="divider")
    opened.keys(Keys.END, on="opacity")
    opened.part("all").click()
    data = opened.data
    own = [*data["colours"], data["no_label"]]
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in own])
    for _ in range(2):
        shown, mask_HW = painted(opened, finished_run, "dual")
        assert len(np.unique(mask_HW)) > 1
        assert np.array_equal(shown, colours[mask_HW])
        opened.keys(Keys.ARROW_RIGHT)
    opened.part("safe").click()
    shown, mask_HW = painted(opened, finished_run, "dual")
    own = {int(i): {tuple(c) for c in shown[mask_HW == i]} for i in np.unique(mask_HW)}
    used = [colour for found in own.values() for colour in found]
    assert all(len(found) == 1 for found in own.values())
    assert len(set(used)) == len(used)
    allowed = {tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in [*data["safe"], "#000000"]}
    assert {tuple(map(int, c)) for c in used} <= allowed


@pytest.mark.parametrize("button", ["", "safe"])
def test_classes_of_one_image_never_share_a_colour(
    browser: webdriver.Chrome, inside: Path, tmp_path: Path, button: str
) -> None:
    page = (inside / "index.html").read_text("utf-8")
    old = page.split('id="viewer-data">', 1)[1].split("</script>", 1)[0]
    data = json.loads(old)
    present = [0, 1, 2, 8, 14, 21, 41, 254]  # 1, 21 and 41 are alike among 20 colours
    data["sets"][0]["present"] = [present] * len(data["sets"][0]["ids"])
    text = json.dumps(data).replace("<", "\\u003c")
    (tmp_path / "index.html").write_text(page.replace(old, text), "utf-8")
    opened = Viewer(browser, url_of(tmp_path))
    if button:
        opened.part(button).click()
    swatches = opened.all("[data-part=classes] i")
    colours = [swatch.value_of_css_property("background-color") for swatch in swatches[1:]]
    assert len(colours) == len(set(colours)) == len(present) - 1


def without_masks(opened: Viewer, run: Path) -> tuple[np.ndarray, np.ndarray]:
    """The right side with its masks switched off and then opaque, and what the mask is."""
    opened.keys(Keys.HOME, on="divider")
    opened.keys(Keys.END, on="opacity")
    opened.keys("m")
    return painted(opened, run, "dual")


def test_a_class_that_is_switched_off_shows_the_photograph(
    opened: Viewer, finished_run: Path
) -> None:
    bare, mask_HW = without_masks(opened, finished_run)
    opened.keys("m")
    opened.part("all").click()
    full, _ = painted(opened, finished_run, "dual")
    index = int(np.unique(mask_HW)[1])
    button = f"[data-part=classes] [data-index='{index}']"
    opened.all(button)[0].click()
    off, _ = painted(opened, finished_run, "dual")
    hidden = mask_HW == index
    assert np.array_equal(off[hidden], bare[hidden])
    assert np.array_equal(off[~hidden], full[~hidden])
    assert opened.all(button)[0].get_attribute("aria-pressed") == "false"
    assert opened.run("return document.activeElement.dataset.index") == str(index)
    opened.part("none").click()
    assert np.array_equal(painted(opened, finished_run, "dual")[0], bare)


def expected_errors(truth_HW: np.ndarray, mask_HW: np.ndarray) -> np.ndarray:
    return (truth_HW != IGNORE) & (truth_HW != mask_HW)


def test_errors_are_the_pixels_that_differ_from_the_truth(
    opened: Viewer, finished_run: Path
) -> None:
    bare, mask_HW = without_masks(opened, finished_run)
    opened.part("errors").click()
    assert opened.sides == ("truth", "dual: errors")
    shown, _ = painted(opened, finished_run, "dual")
    truth_HW = read(finished_run / DATASET / "masks" / f"{opened.name}.png")
    wrong = expected_errors(truth_HW, mask_HW)
    assert wrong.any()
    assert (truth_HW == IGNORE).any()
    assert (shown[wrong] == (255, 0, 0)).all()
    assert np.array_equal(shown[~wrong], bare[~wrong])
    opened.part("safe").click()
    shown, _ = painted(opened, finished_run, "dual")
    assert (shown[wrong] == 255).all()
    opened.part("fills").click()
    assert opened.sides == ("truth", "dual")


@pytest.fixture
def odd_proxies(params: Params, run: Path) -> Path:
    """A report on proxies with all sorts of errors; one weak image has no true mask."""
    manifest = open_manifest(params)
    weak = manifest.of("weak")
    rng = np.random.default_rng(0)
    for row in weak:
        odd = rng.choice(np.array([0, 1, 2, 8, IGNORE], np.uint8), (row.height, row.width))
        write_mask(proxy_path(row.id, proxy_dir("dsrg")), odd, manifest.classes)
    path = DATASET / "manifest.csv"
    path.write_text(path.read_text("utf-8").replace(f"{weak[1].mask},weak", ",weak"), "utf-8")
    write_report(params, open_manifest(params), run / "report")
    return run


def test_errors_of_odd_proxies(browser: webdriver.Chrome, odd_proxies: Path) -> None:
    page = Viewer(browser, url_of(odd_proxies / "report"))
    page.choose("set", "weak")
    page.keys(Keys.HOME, on="divider")
    page.keys(Keys.END, on="opacity")
    page.keys("e")
    known = 0
    for _ in page.data["sets"][1]["ids"]:
        proxy_HW = read(proxy_path(page.name, odd_proxies / proxy_dir("dsrg")))
        if page.part("errors").is_enabled():
            known += 1
            truth_HW = read(odd_proxies / DATASET / "masks" / f"{page.name}.png")
            shown = painted_like(page, proxy_HW)
            wrong = expected_errors(truth_HW, proxy_HW)
            assert (wrong & (proxy_HW == IGNORE)).any()
            assert np.array_equal((shown == (255, 0, 0)).all(axis=-1), wrong)
        else:  # without a true mask nothing is known to be wrong: the proxy itself is shown
            assert page.sides[1] == "proxy"
        page.keys(Keys.ARROW_RIGHT)
    assert known == len(page.data["sets"][1]["ids"]) - 1
    assert page.complaints() == []


def test_errors_leave_the_truth_and_the_photograph_as_they_are(
    opened: Viewer, finished_run: Path
) -> None:
    opened.keys(Keys.END, on="divider")  # the left side alone
    truth_HW = read(finished_run / DATASET / "masks" / f"{opened.name}.png")
    before = painted_like(opened, truth_HW)
    opened.keys("e")
    assert np.array_equal(painted_like(opened, truth_HW), before)
    ActionChains(opened.browser).key_down(Keys.SHIFT).send_keys("1").key_up(Keys.SHIFT).perform()
    assert opened.sides == ("photograph", "dual: errors")
    opened.keys("m")
    bare = painted_like(opened, truth_HW)
    opened.keys("m")
    assert np.array_equal(painted_like(opened, truth_HW), bare)


def outlined(index_HW: np.ndarray) -> np.ndarray:
    """Pixels of classes within two pixels of another index, slowly; beyond the edge is 0."""
    padded = np.pad(index_HW, 2)
    height, width = index_HW.shape
    near = [padded[y : y + height, x : x + width] for y in range(5) for x in range(5)]
    border: np.ndarray = np.any([one != index_HW for one in near], axis=0)
    return border & ~np.isin(index_HW, [0, IGNORE])


@pytest.mark.parametrize("zooms", [0, 4])
def test_outlines(opened: Viewer, finished_run: Path, zooms: int) -> None:
    truth_HW = read(finished_run / DATASET / "masks" / f"{opened.name}.png")
    opened.keys(Keys.END, on="divider")
    opened.keys(*["+"] * zooms)
    opened.keys("m")
    expected, large = opened.on_stage(truth_HW)
    opened.keys("o")
    assert opened.pressed("outlines")
    shown, _ = opened.on_stage(truth_HW)
    line = outlined(large)
    assert 1000 < line.sum() < line.size / 5
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in opened.data["colours"]])
    expected[line] = colours[large[line]]
    inner = (slice(3, -3), slice(3, -3))  # the window's own edge is none of the picture
    assert np.array_equal(shown[inner], expected[inner])


@pytest.mark.parametrize("where", ["file", "http"])
@pytest.mark.parametrize("kind", ["inside", "beside"])
def test_the_classes_under_the_pointer_are_named(
    browser: webdriver.Chrome,
    inside: Path,
    beside: Path,
    finished_run: Path,
    kind: str,
    where: str,
) -> None:
    folder = {"inside": inside, "beside": beside}[kind]
    rng = np.random.default_rng(0)
    with served(folder) if where == "http" else contextlib.nullcontext(url_of(folder)) as url:
        page = Viewer(browser, url)
        names = [*page.data["classes"], *["no label"] * 255]
        assert page.part("hint").is_displayed()
        for step in range(3):
            truth_HW = read(finished_run / DATASET / "masks" / f"{page.name}.png")
            dual_HW = read(finished_run / PREDICTIONS / "dual" / f"{page.name}.png")
            for row, column in rng.integers(9, 23, (8, 2)).tolist():
                page.point(column, row)
                expected = (
                    f"truth: {names[truth_HW[row, column]]}",
                    f"dual: {names[dual_HW[row, column]]}",
                )
                page.until(lambda expected=expected: page.classes == expected)
            assert not page.part("hint").is_displayed()
            page.press(Keys.ARROW_RIGHT, "+" if step else "")
        page.press("1")
        page.until(lambda: page.classes[1] == "")  # a photograph has no classes
        ActionChains(browser).move_to_element(page.part("name")).perform()
        assert page.classes == ("", "")
        assert page.part("hint").is_displayed()
        assert [text for text in page.complaints() if "favicon" not in text] == []


def test_without_its_files_the_page_names_no_classes(
    browser: webdriver.Chrome, beside: Path, tmp_path: Path
) -> None:
    shutil.copytree(beside, tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved/viewer/val/indices")
    page = Viewer(browser, url_of(tmp_path / "moved"))
    page.point(5, 5)
    page.until(lambda: any("indices" in text for text in page.complaints()))
    assert page.classes == ("", "")
    page.press(Keys.ARROW_RIGHT, "e")
    assert page.sides == ("truth", "dual: errors")
