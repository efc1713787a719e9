"""The page on a phone, 400 pixels wide."""

from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.pipeline.report.browsing import Viewer, needs_chromium, url_of

pytestmark = needs_chromium


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


def test_a_finger_names_classes(browser: webdriver.Chrome, inside: Path) -> None:
    page = Viewer(browser, url_of(inside), width=400, height=800)
    x, y = page.run(
        "const stage = document.querySelector('[data-part=stage]');"
        "stage.scrollIntoView({ block: 'center' });"
        "const box = stage.getBoundingClientRect();"
        "return [box.x + box.width / 4, box.y + box.height / 4]"
    )
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        event = {"type": kind, "touchPoints": points}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
    page.until(lambda: page.classes[0].startswith("truth: "))  # and after the finger is gone
    assert page.classes[1].startswith("dual: ")
    assert page.complaints() == []


@pytest.mark.parametrize("name", ["index.html", "run.html"])
def test_tables_and_charts_are_complete(browser: webdriver.Chrome, inside: Path, name: str) -> None:
    page = Viewer(browser, (inside / name).as_uri(), width=400, height=800, section="")
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.run("return document.documentElement.scrollWidth") == 400
    charts = page.browser.find_elements(By.CSS_SELECTOR, "svg[role=img]")
    assert bool(charts) == (name == "index.html")
    for chart in charts:  # nothing of a chart has to be scrolled to
        assert chart.rect["x"] >= 0
        assert chart.rect["x"] + chart.rect["width"] <= 400
        assert page.run("return arguments[0].closest('figure').scrollWidth", chart) <= 400
    tables = page.browser.find_elements(By.CSS_SELECTOR, "table")
    wide = [table for table in tables if table.rect["x"] + table.rect["width"] > 400]
    assert wide
    for table in wide:
        scrolled = page.run(
            "const box = arguments[0].closest('.scroll');"
            "box.scrollLeft = 1e5;"
            "const edge = (selector, side) => [...arguments[0].querySelectorAll(selector)].map("
            "  (cell) => cell.getBoundingClientRect()[side] - box.getBoundingClientRect()[side]);"
            "const rows = 'tbody tr > :first-child, thead tr:first-child > :first-child';"
            "return [box.scrollLeft, edge(rows, 'left'), edge('tr > :last-child', 'right'),"
            "        Math.max(...edge(rows, 'right'))]",
            table,
        )
        far, firsts, lasts, widest = scrolled
        assert far > 0
        assert max(map(abs, firsts)) < 1.5  # the first column stays where it is
        assert widest < -80  # and leaves room for the others
        assert max(map(abs, lasts)) < 1.5  # the last one can be reached
