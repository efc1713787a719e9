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
