"""The picture: its divider, zoom and shift."""

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.pipeline.report.browsing import Viewer, move_in_stage, needs_chromium

pytestmark = needs_chromium


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


def test_zoom_stays_among_the_images_of_a_set_and_ends_with_it(opened: Viewer) -> None:
    def plane() -> dict[str, int]:
        return opened.browser.find_element(By.CSS_SELECTOR, ".plane").rect

    whole = plane()
    opened.keys("+", "+")
    move_in_stage(opened, 60, 60).click_and_hold().move_by_offset(-40, -30).release().perform()
    moved = plane()
    assert moved["width"] > 2 * whole["width"]
    opened.press(Keys.ARROW_RIGHT)
    assert plane() == moved
    opened.choose("set", "weak")
    assert plane() == whole
    opened.keys("+")
    opened.choose("set", "val")
    assert plane() == whole
