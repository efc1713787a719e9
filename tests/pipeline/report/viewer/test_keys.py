"""Keys of the viewer."""

import re

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from pipeline.report.template import TEMPLATES
from tests.pipeline.report.browsing import Viewer, move_in_stage, needs_chromium

pytestmark = needs_chromium


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


def is_full(page: Viewer) -> bool:
    return bool(page.run("return document.fullscreenElement?.id === 'viewer-tool'"))


@pytest.mark.parametrize("focused", ["body", "nav a", "#pictures", "#viewer summary"])
def test_keys_work_wherever_the_focus_is(opened: Viewer, focused: str) -> None:
    opened.run(
        "document.activeElement.blur();"
        "const e = document.querySelector(arguments[0]); e.tabIndex = e.tabIndex;"
        "e.focus({ preventScroll: true })",
        focused,
    )
    first, sides = opened.name, opened.sides
    opened.press(Keys.ARROW_RIGHT, "x")
    assert opened.name != first
    assert opened.sides == sides[::-1]
    opened.press(Keys.ARROW_LEFT)
    assert opened.name == first


def test_keys_are_the_pages_while_the_viewer_is_not_on_the_screen(opened: Viewer) -> None:
    first, sides = opened.name, opened.sides
    opened.run("scrollTo(0, 0)")
    opened.press(Keys.ARROW_RIGHT, "x")
    assert (opened.name, opened.sides) == (first, sides)
    opened.run("document.getElementById('viewer').scrollIntoView()")
    opened.press("x")
    assert opened.sides == sides[::-1]


def test_a_text_box_a_list_and_a_slider_keep_their_keys(opened: Viewer) -> None:
    sides, name = opened.sides, opened.name
    opened.keys("x2", Keys.ARROW_LEFT, on="find")
    assert (opened.sides, opened.name) == (sides, name)
    assert opened.part("find").get_property("value") == "x2"
    opened.part("find").clear()
    opened.keys("x", Keys.ESCAPE, on="sort")
    assert opened.sides == sides
    before = float(opened.part("opacity").get_property("value"))
    opened.keys(Keys.ARROW_LEFT, on="opacity")
    assert opened.name == name
    assert float(opened.part("opacity").get_property("value")) == before - 5
    opened.press("x")  # a slider has no use for letters
    assert opened.sides == sides[::-1]
    opened.run("document.querySelector('.scroll').focus({ preventScroll: true })")
    opened.press(Keys.ARROW_RIGHT)
    assert opened.name == name


def test_keys_with_control_are_the_browsers(opened: Viewer) -> None:
    sides = opened.sides
    ActionChains(opened.browser).key_down(Keys.CONTROL).send_keys("x").key_up(
        Keys.CONTROL
    ).perform()
    assert opened.sides == sides


def test_keys_in_the_list_of_small_images(opened: Viewer) -> None:
    def third() -> int:
        return opened.all("[data-place='2']")[0].rect["y"]

    opened.run("document.querySelector('[data-part=thumbs]').style.width = '12rem'")
    opened.until(
        lambda: opened.all("[data-place='2']")[0].rect["y"] > opened.part("thumbs").rect["y"] + 50
    )
    titles = {}
    for place in range(6):
        opened.keys(Keys.HOME, *[Keys.ARROW_RIGHT] * place, on="thumbs")
        titles[place] = opened.name
    opened.keys(Keys.HOME, Keys.ARROW_DOWN, on="thumbs")
    assert opened.name == titles[2]
    opened.keys(Keys.ARROW_DOWN, Keys.ARROW_UP, on="thumbs")
    assert opened.name == titles[2]
    opened.keys(Keys.PAGE_UP, Keys.PAGE_DOWN, on="thumbs")
    assert opened.name == titles[4]
    opened.keys(Keys.END, on="thumbs")
    assert opened.name == titles[5]


def test_views_by_key(opened: Viewer) -> None:
    def view() -> list[str]:
        return [name for name in ("fills", "outlines", "errors") if opened.pressed(name)]

    seen = [view()]
    for key in "ooeo":
        opened.press(key)
        seen.append(view())
    assert seen == [[name] for name in ("fills", "outlines", "fills", "errors", "outlines")]
    assert not opened.part("opacity").is_enabled()  # outlines are never pale
    opened.press("m", "o")  # switched off, a view comes back
    assert view() == ["outlines"]
    assert opened.all(".mask:not([hidden])")


def test_full_screen(opened: Viewer) -> None:
    before = opened.part("stage").rect["height"]
    for leave in ("f", Keys.ESCAPE, None):
        if leave == "f":
            opened.press("f")
        else:
            opened.part("full").click()
        opened.until(lambda: is_full(opened))
        opened.until(lambda: opened.part("stage").rect["height"] > 1.3 * before)
        first = opened.name
        opened.press(Keys.ARROW_RIGHT)
        assert opened.name != first
        if leave:
            opened.press(leave)
        else:
            opened.part("full").click()
        opened.until(lambda: not is_full(opened))
        opened.until(lambda: opened.part("stage").rect["height"] == before)


def test_the_help_names_all_keys(opened: Viewer) -> None:
    opened.press("?")
    named = {element.text for element in opened.all("[data-part=help] kbd")}
    script = (TEMPLATES / "scripts" / "keys.js").read_text("utf-8")
    keys = re.findall(r'^  "?([^\s":]+)"?: \(\) =>', script, re.MULTILINE)
    assert len(keys) > 20
    words = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓", "-": "−"}
    words |= {"=": "+", "Escape": "Esc", "PageUp": "Page", "PageDown": "Page"}
    expected = {words.get(key, key.upper() if len(key) == 1 else key) for key in keys}
    assert named == expected | {"1", "9", "Shift", "Enter"}
    opened.press("?")
    assert not opened.part("help").get_attribute("open")
