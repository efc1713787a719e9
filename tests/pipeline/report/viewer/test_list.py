"""The list of images: which, in which order, and picking one."""

import time
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.pipeline.report.browsing import Viewer, needs_chromium, url_of

pytestmark = needs_chromium


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


def test_the_weak_images(opened: Viewer) -> None:
    opened.choose("set", "weak")
    weak = opened.data["sets"][1]
    assert opened.sides == ("truth", "proxy")
    assert opened.captions == [f"{v:.1f}" for v in sorted(v[0] for v in weak["iou"])]
    assert [e.text for e in opened.part("sort").find_elements(By.TAG_NAME, "option")] == [
        *("IoU of proxy", "name"),
    ]


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


@pytest.mark.parametrize("width", [1280, 400])
def test_the_end_of_a_long_name_is_not_cut_off(
    browser: webdriver.Chrome, many: Path, width: int
) -> None:
    page = Viewer(browser, url_of(many), width=width)
    page.choose("sort", "id")
    page.part("reverse").click()
    assert page.captions[0] == "…e 4999"
    cut = "const s = document.querySelector('.thumbs small'); return s.scrollWidth - s.clientWidth"
    assert page.run(cut) == 0
