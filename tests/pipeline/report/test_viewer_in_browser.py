"""The viewer in headless Chromium, with real clicks, keys and fingers."""

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from pipeline.data.images import read_mask
from pipeline.data.manifest import open_manifest
from pipeline.report import viewer as made_by
from pipeline.report.page import write_report
from pipeline.settings.params import Params
from pipeline.settings.paths import PREDICTIONS
from tests.pipeline.report.browsing import CHROMIUM, DRIVER, Viewer, start_chromium, url_of

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium: apt-get install chromium chromium-driver"
)
MANY = 5000


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    started = start_chromium()
    yield started
    started.quit()


@pytest.fixture(scope="module")
def inside(params: Params, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that holds its pictures."""
    return report_of(params, finished_run, tmp_path_factory.mktemp("inside"))


@pytest.fixture(scope="module")
def beside(params: Params, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with its pictures beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_by, "INLINE", 0)
        return report_of(params, finished_run, tmp_path_factory.mktemp("beside"))


def report_of(params: Params, run: Path, folder: Path) -> Path:
    with contextlib.chdir(run):
        write_report(params, open_manifest(params), folder)
    return folder


@pytest.fixture(scope="module")
def many(beside: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report with its pictures beside it, its val images again and again up to 5,000."""
    folder = tmp_path_factory.mktemp("many")
    page = (beside / "index.html").read_text("utf-8")
    found = re.search(r'(id="viewer-data">)(.*?)(</script>)', page)
    assert found
    data = json.loads(found[2])
    data["sets"] = data["sets"][:1]
    val = data["sets"][0]
    count = len(val["ids"])
    for layer in val["layers"]:
        (folder / layer["folder"]).mkdir(parents=True)
        for place in range(MANY):
            name = f"{layer['folder']}{place}.{layer['end']}"
            os.link(beside / f"{layer['folder']}{place % count}.{layer['end']}", folder / name)
    for column in ("sizes", "tags", "present", "by_class", "apart"):
        val[column] = [val[column][place % count] for place in range(MANY)]
    val["ids"] = [f"image {place}" for place in range(MANY)]
    scores = np.random.default_rng(0).uniform(0, 100, (MANY, len(val["scored"])))
    val["iou"] = scores.round(1).tolist()
    text = page[: found.start(2)] + json.dumps(data).replace("<", "\\u003c") + page[found.end(2) :]
    (folder / "index.html").write_text(text, "utf-8")
    return folder


@pytest.fixture
def opened(browser: webdriver.Chrome, inside: Path) -> Iterator[Viewer]:
    """The page, freshly opened; it must not have complained at the end."""
    page = Viewer(browser, url_of(inside))
    yield page
    assert page.complaints() == []


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.mark.parametrize("where", ["file", "http"])
@pytest.mark.parametrize("kind", ["inside", "beside"])
def test_loads_its_own_pictures_and_nothing_else(
    browser: webdriver.Chrome, inside: Path, beside: Path, kind: str, where: str
) -> None:
    folder = {"inside": inside, "beside": beside}[kind]
    with served(folder) if where == "http" else contextlib.nullcontext(url_of(folder)) as url:
        page = Viewer(browser, url)
        page.wait_for_pictures()
        page.keys(Keys.ARROW_RIGHT)
        page.choose("set", "weak")
        page.wait_for_pictures()
        assert page.run("return document.querySelector('.plane img').naturalWidth") == 32
        base = url.removesuffix("index.html")
        asked = {u.removeprefix(base) for u in page.requests()} - {"", "index.html", "favicon.ico"}
        assert bool(asked) == (kind == "beside")
        assert all(re.fullmatch(r"viewer/(val|weak)/\d+/\d+\.(jpg|png)", file) for file in asked)
        assert [text for text in page.complaints() if "favicon" not in text] == []


def test_a_script_or_request_of_others_is_refused(opened: Viewer) -> None:
    opened.run(
        "const s = document.createElement('script'); s.textContent = 'window.harm = 1';"
        "document.body.append(s); document.body.insertAdjacentHTML('beforeend',"
        '\'<img src="https://a.invalid/x.png"><b onclick="window.harm = 2" id=b>b</b>\');'
        "document.getElementById('b').click()"
    )
    assert opened.run("return window.harm") is None
    refused = opened.complaints()
    assert len(refused) == 3
    assert all("Content Security Policy" in text for text in refused)


def test_thumbnails_in_the_order_of_a_score(opened: Viewer) -> None:
    val = opened.data["sets"][0]
    place = val["scored"].index("dual")
    scores = sorted(values[place] for values in val["iou"])
    assert opened.captions == [f"{score:.1f}" for score in scores]
    opened.part("reverse").click()
    assert opened.captions == [f"{score:.1f}" for score in reversed(scores)]
    opened.choose("sort", "iou:dsrg")
    assert [float(c) for c in opened.captions] == sorted(v[0] for v in val["iou"])
    opened.choose("sort", "all")
    means = sorted((sum(v) / len(v) for v in val["apart"]), reverse=True)
    assert [float(c) for c in opened.captions] == pytest.approx(means, abs=0.06)
    opened.choose("sort", "id")
    assert opened.captions == sorted(val["ids"], key=int)


def test_sorting_by_what_the_two_sides_differ_in(opened: Viewer) -> None:
    val = opened.data["sets"][0]
    names = val["scored"]
    opened.choose("sort", "gain")
    assert opened.sides == ("strong", "dual")  # the truth has no score
    opened.all("input[name=viewer-left][value=weak]")[0].click()
    weak, dual = names.index("weak"), names.index("dual")
    gains = sorted((v[dual] - v[weak] for v in val["iou"]), reverse=True)
    assert [float(c) for c in opened.captions] == pytest.approx(gains, abs=0.06)
    opened.choose("sort", "sides")
    pair = val["pairs"].index(sorted([weak, dual]))
    assert [float(c) for c in opened.captions] == sorted(v[pair] for v in val["apart"])[::-1]
    assert "weak and dual differ in" in opened.part("apart").text


def test_images_of_a_class(opened: Viewer) -> None:
    val = opened.data["sets"][0]
    index = max(t for tags in val["tags"] for t in tags)
    opened.choose("class", str(index))
    holding = [i for i, present in enumerate(val["present"]) if index in present]
    assert opened.part("count").text == f"{len(holding)} of {len(val['ids'])} images"
    place = val["scored"].index("dual")
    values = [val["by_class"][i][place][val["present"][i].index(index)] for i in holding]
    assert [float(c) for c in opened.captions] == sorted(values)


def test_a_thumbnail_is_picked(opened: Viewer) -> None:
    cell = opened.all("[data-place='3']")[0]
    cell.click()
    assert opened.name == cell.get_attribute("title")
    assert cell.get_attribute("aria-selected") == "true"
    assert len(opened.all("[aria-selected=true]")) == 1
    opened.keys(Keys.HOME, on="thumbs")
    assert opened.name == opened.all("[data-place='0']")[0].get_attribute("title")
    opened.part("next").click()
    opened.part("next").click()
    opened.part("previous").click()
    assert opened.name == opened.all("[data-place='1']")[0].get_attribute("title")


def test_the_divider(opened: Viewer) -> None:
    opened.drag("divider", 120)
    box, plane = (
        opened.part("stage").rect,
        opened.run(
            "const p = document.querySelector('.plane').style;"
            "return [parseFloat(p.left), parseFloat(p.width)]"
        ),
    )
    middle = opened.part("divider").rect["x"] + opened.part("divider").rect["width"] / 2
    assert middle - box["x"] - box["width"] / 2 == pytest.approx(120, abs=2)
    value = int(opened.part("divider").get_attribute("aria-valuenow"))
    assert value == pytest.approx(50 + 100 * 120 / plane[1], abs=1)
    before = opened.name
    opened.keys(Keys.END, Keys.ARROW_LEFT, on="divider")
    assert opened.part("divider").get_attribute("aria-valuenow") == "95"
    assert opened.name == before


def move_in_stage(page: Viewer, x: int, y: int) -> ActionChains:
    """The pointer at so many pixels from the stage's middle, beside the divider."""
    return ActionChains(page.browser).move_to_element_with_offset(page.part("stage"), x, y)


def painted(page: Viewer, run: Path, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours in the middle of each of a mask's pixels on the stage, and the mask (H, W)."""
    mask_HW = np.array(read_mask(run / PREDICTIONS / layer / f"{page.name}.png"))
    shot, (left, top, width, height) = page.pixels()
    rows, columns = ((np.arange(n) + 0.5) / n for n in mask_HW.shape)
    y, x = (top + rows * height).astype(int), (left + columns * width).astype(int)
    return shot[y][:, x], mask_HW


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


def test_a_class_that_is_switched_off_shows_the_photograph(
    opened: Viewer, finished_run: Path
) -> None:
    opened.keys(Keys.HOME, on="divider")
    opened.keys(Keys.END, on="opacity")
    opened.keys("m")
    bare, mask_HW = painted(opened, finished_run, "dual")
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


def test_keys(opened: Viewer) -> None:
    layers = [x["name"] for x in opened.data["sets"][0]["layers"] if x["name"] != "thumbnail"]
    assert opened.sides == ("truth", "dual")
    opened.keys("1")
    assert opened.sides == ("truth", layers[0])
    ActionChains(opened.browser).key_down(Keys.SHIFT).send_keys("3").key_up(Keys.SHIFT).perform()
    assert opened.sides == (layers[2], layers[0])
    opened.keys("x")
    assert opened.sides == (layers[0], layers[2])
    opened.keys("c")
    assert opened.part("safe").get_attribute("aria-pressed") == "true"
    opened.keys("?")
    assert opened.part("help").get_attribute("open")
    first = opened.name
    opened.keys(Keys.ARROW_RIGHT)
    assert opened.name != first
    opened.keys(Keys.ARROW_LEFT)
    assert opened.name == first
    move_in_stage(opened, 60, 60).click().perform()
    stops = []
    for _ in range(12):
        ActionChains(opened.browser).send_keys(Keys.TAB).perform()
        stops.append(opened.run("return document.activeElement.dataset.part"))
        ring = opened.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert ring != "none" or stops[-1] == "divider"
    assert {"divider", "previous", "next", "in", "out", "fit", "opacity"} <= set(stops)


def test_zoom_and_shift(opened: Viewer) -> None:
    def plane() -> dict[str, int]:
        return opened.browser.find_element(By.CSS_SELECTOR, ".plane").rect

    whole = plane()
    opened.part("in").click()
    assert plane()["width"] == pytest.approx(1.5 * whole["width"], abs=2)
    opened.keys("+", "-", "-", "-")
    assert plane() == whole
    stage = opened.part("stage")
    opened.run("document.activeElement.blur()")
    wheel = ActionChains(opened.browser).scroll_from_origin
    wheel(ScrollOrigin.from_element(stage, 100, 50), 0, -100).perform()
    assert plane()["width"] == whole["width"]  # a wheel that passes by scrolls the page
    opened.run("document.getElementById('viewer').scrollIntoView()")
    move_in_stage(opened, 60, 60).click().perform()
    wheel(ScrollOrigin.from_element(stage, 100, 50), 0, -300).perform()
    opened.until(lambda: plane()["width"] > 2 * whole["width"])
    before = plane()
    move_in_stage(opened, 60, 60).click_and_hold().move_by_offset(-40, -30).release().perform()
    assert (plane()["x"] - before["x"], plane()["y"] - before["y"]) == (-40, -30)
    opened.part("fit").click()
    assert plane()["width"] == whole["width"]


def test_the_weak_images(opened: Viewer) -> None:
    opened.choose("set", "weak")
    weak = opened.data["sets"][1]
    assert opened.sides == ("truth", "proxy")
    assert opened.captions == [f"{v:.1f}" for v in sorted(v[0] for v in weak["iou"])]
    assert [e.text for e in opened.part("sort").find_elements(By.TAG_NAME, "option")] == [
        *("IoU of proxy", "name"),
    ]


def test_names_meant_to_do_harm_are_text(browser: webdriver.Chrome, hostile_page: Path) -> None:
    page = Viewer(browser, url_of(hostile_page))
    data = page.data
    shown = set()
    for _ in data["sets"][0]["ids"]:
        assert page.name in data["sets"][0]["ids"]
        buttons = page.all("[data-part=classes] button")
        shown |= {button.get_property("textContent") for button in buttons}
        page.keys(Keys.ARROW_RIGHT)
    assert shown <= {*data["classes"], "no label"}
    assert "<script>alert(1)</script>" in shown
    assert page.complaints() == []


def test_on_a_phone(browser: webdriver.Chrome, inside: Path) -> None:
    page = Viewer(browser, url_of(inside), width=400, height=800)
    assert page.run("return document.documentElement.scrollWidth") == 400
    for part in page.all("[data-part]:not(svg)"):
        box = part.rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
    assert all(button.rect["height"] >= 40 for button in page.all("button, select"))
    page.all("[data-place='2']")[0].click()
    before = page.browser.find_element(By.CSS_SELECTOR, ".plane").rect["width"]
    page.run("document.querySelector('[data-part=stage]').scrollIntoView({block: 'center'})")
    stage = page.run(
        "const b = document.querySelector('[data-part=stage]').getBoundingClientRect();"
        "return [b.x + b.width / 4, b.y + b.height / 4]"
    )
    for kind, far in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 0)):
        points = [{"x": stage[0] + s * far / 2, "y": stage[1], "id": s} for s in (0, 1)]
        event = {"type": kind, "touchPoints": points if far else []}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
    page.until(
        lambda: page.browser.find_element(By.CSS_SELECTOR, ".plane").rect["width"] > 2 * before
    )
    assert page.complaints() == []


def test_five_thousand_images(browser: webdriver.Chrome, many: Path) -> None:
    started = time.monotonic()
    page = Viewer(browser, url_of(many))
    page.part("next").click()
    assert time.monotonic() - started < 15
    assert not page.part("gone").is_displayed()
    assert page.part("count").text == "5000 of 5000 images"
    sort = "const t = performance.now(); const s = document.querySelector('[data-part=sort]');"
    sort += "s.value = arguments[0]; s.dispatchEvent(new Event('change'));"
    assert page.run(f"{sort} return performance.now() - t", "all") < 1000
    assert page.run(f"{sort} return performance.now() - t", "iou:weak") < 1000
    page.keys(Keys.END, on="thumbs")
    last = page.all("[aria-selected=true]")[0]
    assert last.get_attribute("aria-posinset") == "5000"
    page.until(lambda: last.find_element(By.TAG_NAME, "img").get_property("naturalWidth") == 32)
    page.run("document.querySelector('[data-part=thumbs]').scrollTop = 9000")
    page.until(lambda: not page.all("[aria-selected=true]"))
    assert 20 < len(page.all("[role=option]")) < 100
    page.all("[role=option]")[30].click()
    page.wait_for_pictures()
    asked = [u for u in page.requests() if "/viewer/" in u]
    assert len(asked) < 500
    assert page.complaints() == []


def test_a_page_without_its_pictures_says_so(
    browser: webdriver.Chrome, beside: Path, tmp_path: Path
) -> None:
    shutil.copy(beside / "index.html", tmp_path)
    page = Viewer(browser, url_of(tmp_path))
    page.until(page.part("gone").is_displayed)
    assert "viewer" in page.part("gone").text


def test_without_scripts_and_on_paper(browser: webdriver.Chrome, inside: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(url_of(inside))
        assert browser.find_element(By.ID, "viewer-without").is_displayed()
        assert not browser.find_element(By.ID, "viewer-tool").is_displayed()
        assert browser.find_element(By.CSS_SELECTOR, "#pictures .strip img").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    page = Viewer(browser, url_of(inside))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not page.part("stage").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
