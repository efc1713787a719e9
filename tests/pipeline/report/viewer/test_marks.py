"""Marked images: in the list, in the browser, as a file."""

import csv
import shutil
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.pipeline.report.browsing import Viewer, needs_chromium, served, url_of

pytestmark = needs_chromium
NO_STORE = (
    "Object.defineProperty(window, 'localStorage', "
    "{ get() { throw new DOMException('not here', 'SecurityError') } })"
)
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }"


def stars(page: Viewer) -> list[str]:
    """Marked images among the small ones."""
    return [cell.get_attribute("title") for cell in page.all("[role=option].marked")]


def saved(page: Viewer, folder: Path) -> list[list[str]]:
    """The table that a click on the button saves."""
    folder.mkdir()
    behavior = {"behavior": "allow", "downloadPath": str(folder)}
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    page.part("save").click()
    page.until((folder / "marked.csv").exists)
    with (folder / "marked.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_marks(opened: Viewer, tmp_path: Path) -> None:
    assert not opened.part("save").is_enabled()
    first = opened.name
    opened.part("mark").click()
    assert opened.pressed("mark")
    assert stars(opened) == [first]
    assert opened.all(".marked")[0].get_attribute("aria-label").endswith(", marked")
    opened.press(Keys.ARROW_RIGHT, "s", Keys.ARROW_RIGHT)
    assert not opened.pressed("mark")
    opened.press("s", "s")
    second = opened.all("[data-place='1']")[0].get_attribute("title")
    assert set(stars(opened)) == {first, second}
    opened.choose("set", "weak")
    assert stars(opened) == []
    opened.keys("s")
    weak = opened.name
    assert opened.part("save").text == "Save 3 marked"
    ids = opened.data["sets"][0]["ids"]
    rows = [["val", name] for name in sorted((first, second), key=ids.index)]
    assert saved(opened, tmp_path / "saved") == [["set", "id"], *rows, ["weak", weak]]


def test_only_marked_images(opened: Viewer) -> None:
    for keys in ((), (Keys.ARROW_RIGHT,) * 2):
        opened.press(*keys, "s")
    marked = opened.name
    opened.part("marked").click()
    assert opened.part("count").text == "2 of 6 images"
    assert sorted(stars(opened)) == sorted(
        cell.get_attribute("title") for cell in opened.all("[role=option]")
    )
    assert opened.name == marked  # the image shown stays
    opened.part("marked").click()
    assert opened.part("count").text == "6 of 6 images"
    opened.press("s", Keys.ARROW_LEFT, Keys.ARROW_LEFT, "s")
    opened.part("marked").click()
    assert opened.part("count").text == "0 of 6 images"
    before = opened.name
    opened.press(Keys.ARROW_RIGHT)
    assert opened.name == before
    opened.choose("set", "weak")  # lists all of the other set
    assert opened.part("count").text == "5 of 5 images"


def test_marks_are_there_again_after_a_reload(opened: Viewer, inside: Path, tmp_path: Path) -> None:
    opened.press(Keys.ARROW_RIGHT, "s")
    marked = opened.name
    again = Viewer(opened.browser, url_of(inside))
    assert stars(again) == [marked]
    shutil.copytree(inside, tmp_path / "other")
    assert stars(Viewer(opened.browser, url_of(tmp_path / "other"))) == []  # another page's own
    with served(inside) as url:
        served_page = Viewer(opened.browser, url)
        assert stars(served_page) == []
        served_page.press("s")
        assert len(stars(Viewer(opened.browser, url))) == 1
        served_page.complaints()  # of a server without favicon.ico


@pytest.mark.parametrize("broken", [NO_STORE, FULL])
def test_marks_without_a_store(opened: Viewer, inside: Path, tmp_path: Path, broken: str) -> None:
    added = opened.browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": broken}
    )
    try:
        page = Viewer(opened.browser, url_of(inside))
        page.press("s")
        assert stars(page) == [page.name]
        assert saved(page, tmp_path / "saved") == [["set", "id"], ["val", page.name]]
        assert page.complaints() == []
    finally:
        opened.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
        opened.browser.get(url_of(inside))


@pytest.mark.parametrize("kept", ["{", "5", "null", "[]", '{"val": 7}', '{"val": [7, "none"]}'])
def test_a_damaged_store(opened: Viewer, inside: Path, kept: str) -> None:
    opened.press("s")
    opened.run(
        "for (const key of Object.keys(localStorage)) localStorage[key] = arguments[0]", kept
    )
    page = Viewer(opened.browser, url_of(inside))
    assert stars(page) == []
    page.press("s")
    assert stars(page) == [page.name]


def test_names_meant_to_do_harm_are_saved_as_they_are(
    browser: webdriver.Chrome, hostile_page: Path, tmp_path: Path
) -> None:
    page = Viewer(browser, url_of(hostile_page))
    ids = page.data["sets"][0]["ids"]
    for _ in ids:
        page.press("s", Keys.ARROW_RIGHT)
    assert saved(page, tmp_path / "saved") == [["set", "id"], *(["val", name] for name in ids)]
    page.run("localStorage.clear()")
    assert page.complaints() == []
