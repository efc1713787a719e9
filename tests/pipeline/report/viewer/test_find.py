"""Images found by their name, and addresses that name one."""

import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.pipeline.report.browsing import Viewer, needs_chromium, url_of

pytestmark = needs_chromium


def listed(page: Viewer) -> list[str]:
    return sorted(cell.get_attribute("title") for cell in page.all("[role=option]"))


def address(page: Viewer) -> dict[str, str]:
    """What the end of the page's address names."""
    end: str = page.run("return location.hash.slice(1)")
    return {key: value for key, (value,) in parse_qs(end).items()}


def top_of(page: Viewer, element: str) -> float:
    """How far below the window's upper edge an element begins."""
    script = "return document.getElementById(arguments[0]).getBoundingClientRect().top"
    return float(page.run(script, element))


def test_find_by_a_part_of_the_name(opened: Viewer) -> None:
    ids = opened.data["sets"][0]["ids"]
    assert sorted(ids) == ["10", "11", "12", "7", "8", "9"]
    opened.press("/")
    opened.press("1")
    assert listed(opened) == ["10", "11", "12"]
    assert opened.part("count").text == "3 of 6 images"
    assert opened.name in ("10", "11", "12")
    opened.press("2")
    assert (listed(opened), opened.name) == (["12"], "12")
    opened.press(Keys.ENTER, "x")  # back at the picture, keys are keys
    assert opened.sides == ("dual", "truth")
    opened.press("/", Keys.BACKSPACE)
    assert listed(opened) == sorted(ids)
    assert opened.name == "12"


def test_nothing_is_found(opened: Viewer) -> None:
    before = opened.name
    opened.keys("none such", on="find")
    assert opened.part("count").text == "0 of 6 images"
    assert opened.name == before  # the image stays
    assert "not in the list" in opened.part("name").text
    opened.press(Keys.ENTER, Keys.ARROW_RIGHT, "o", "s", Keys.HOME)
    opened.keys(Keys.HOME, Keys.PAGE_DOWN, Keys.ARROW_UP, on="thumbs")
    assert opened.name == before
    opened.choose("set", "weak")
    assert opened.part("find").get_property("value") == ""
    assert opened.part("count").text == "5 of 5 images"


def test_find_among_five_thousand(browser: webdriver.Chrome, many: Path) -> None:
    page = Viewer(browser, url_of(many))
    page.keys(" IMAGE 471", on="find")
    assert page.part("count").text == "11 of 5000 images"
    assert page.name == "image 471"  # the exact name first, whatever its score
    assert listed(page) == sorted(["image 471", *(f"image 471{digit}" for digit in range(10))])
    page.press("9")
    assert (listed(page), page.name) == (["image 4719"], "image 4719")
    timed = (
        "const box = document.querySelector('[data-part=find]'); box.value = '1';"
        "const start = performance.now(); box.dispatchEvent(new Event('input'));"
        "return performance.now() - start"
    )
    assert page.run(timed) < 1000
    assert page.complaints() == []


@pytest.mark.parametrize("anchor", ["", "#pictures"])
def test_the_address_stays_until_another_image_is_shown(
    opened: Viewer, inside: Path, anchor: str
) -> None:
    opened.browser.get("about:blank")
    opened.browser.get(f"{url_of(inside)}{anchor}")
    opened.run("document.getElementById('viewer').scrollIntoView()")
    opened.press("m", "o", "+")
    time.sleep(0.6)  # twice what it takes
    assert opened.run("return location.hash") == anchor
    opened.press(Keys.ARROW_RIGHT)
    opened.until(lambda: address(opened).get("image") == opened.name)


def test_the_address_follows(opened: Viewer) -> None:
    opened.press(Keys.ARROW_RIGHT, "3")
    named = {"set": "val", "image": opened.name, "left": "truth", "right": opened.sides[1]}
    opened.until(lambda: address(opened) == named)
    opened.choose("set", "weak")
    named = {"set": "weak", "image": opened.name, "left": "truth", "right": "proxy"}
    opened.until(lambda: address(opened) == named)


def test_an_address_names_an_image(opened: Viewer, inside: Path) -> None:
    for named in (
        {"set": "val", "image": "9", "left": "strong", "right": "photograph"},
        {"set": "weak", "image": "4", "left": "proxy", "right": "truth"},
    ):
        opened.browser.get("about:blank")
        opened.browser.get(f"{url_of(inside)}#{urlencode(named)}")
        assert (opened.name, *opened.sides) == (named["image"], named["left"], named["right"])
        opened.until(lambda: 0 <= top_of(opened, "viewer-tool") < 50)
        assert len(opened.all("[aria-selected=true]")) == 1
    named = {"set": "val", "image": "10", "left": "dual", "right": "strong"}
    opened.keys("none such", on="find")
    opened.run("location.hash = arguments[0]", urlencode(named))  # put into the open page
    opened.until(lambda: (opened.name, *opened.sides) == ("10", "dual", "strong"))
    assert opened.part("count").text == "6 of 6 images"


@pytest.mark.parametrize(
    "end",
    ["set=val&image=none", "set=none&image=9", "image=9", "set=val", "%", "set=__proto__&image=9"],
)
def test_an_address_that_names_nothing_here(opened: Viewer, inside: Path, end: str) -> None:
    before = opened.name
    opened.browser.get("about:blank")
    opened.browser.get(f"{url_of(inside)}#{end}")
    assert (opened.name, *opened.sides) == (before, "truth", "dual")


def test_an_address_with_layers_that_are_none(opened: Viewer, inside: Path) -> None:
    opened.browser.get("about:blank")
    opened.browser.get(f"{url_of(inside)}#set=val&image=9&left=thumbnail&right=none")
    assert (opened.name, *opened.sides) == ("9", "truth", "dual")


def test_the_pages_own_anchors_work(opened: Viewer) -> None:
    opened.press(Keys.ARROW_RIGHT)
    opened.until(lambda: address(opened))
    before = opened.name
    for anchor in ("pictures", "viewer", "claims"):
        opened.run("document.querySelector(`nav a[href='#${arguments[0]}']`).click()", anchor)
        opened.until(lambda anchor=anchor: abs(top_of(opened, anchor)) < 2)
        assert opened.run("return location.hash") == f"#{anchor}"
        assert opened.name == before


def test_an_address_with_names_meant_to_do_harm(
    browser: webdriver.Chrome, hostile_page: Path
) -> None:
    page = Viewer(browser, url_of(hostile_page))
    ids = page.data["sets"][0]["ids"]
    for _ in ids:
        page.press(Keys.ARROW_RIGHT)
        name = page.name
        page.until(lambda name=name: address(page).get("image") == name)
        link = page.run("return location.href")
        browser.get("about:blank")
        browser.get(link)
        assert page.name == name
    assert page.complaints() == []
