"""The viewer loads only what is its own, wherever its page lies and whatever things are called."""

import contextlib
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.pipeline.report.browsing import Viewer, needs_chromium, served, url_of

pytestmark = needs_chromium


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
