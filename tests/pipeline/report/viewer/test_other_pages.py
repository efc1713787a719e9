"""The demo and the report on a folder of one's own, wide and on a phone, light and dark."""

import contextlib
import shutil
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from pipeline.data.manifest import open_manifest
from pipeline.data.tables import write_csv
from pipeline.project.demo import SCENES, write_demo
from pipeline.report.curve import HEADER, curve_file, data_of
from pipeline.report.page import write_report
from pipeline.settings.params import Params
from tests.pipeline.report.browsing import Viewer, needs_chromium
from tests.pipeline.report.test_curve import FEW, MANY, SOME

pytestmark = needs_chromium

WIDTHS = [1280, 400]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("demo") / "demo.html"
    write_demo(page)
    return page


@pytest.fixture(scope="session")
def own(params: Params, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run's report as that on a folder of one's own."""
    folder = tmp_path_factory.mktemp("own") / "run"
    shutil.copytree(finished_run, folder)
    (folder / "results" / "shapes").rename(folder / "results" / "folder")
    values = {"dataset": "folder", "variants": ["strong", "dual"], "ensembles": []}
    with contextlib.chdir(folder):
        manifest = open_manifest(params)
        own_params = params.model_copy(update=values)
        data = data_of(own_params, manifest)
        rows = [(data, *point) for point in (*FEW, *SOME, *MANY)]
        write_csv(curve_file("folder"), HEADER, rows)
        write_report(own_params, manifest, Path("report"))
    return folder / "report" / "index.html"


def opened_at(browser: webdriver.Chrome, path: Path, width: int) -> Viewer:
    """The page at a width; it is complete there, and light or dark as the reader's system is."""
    page = Viewer(browser, path.as_uri(), width=width, height=900, section="")
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.run("return document.documentElement.scrollWidth") == width
    for scheme in ("dark", "light"):
        prefers = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [prefers]})
        text, ground = page.run(
            "const { color, backgroundColor } = getComputedStyle(document.body);"
            "return [color, backgroundColor].map((rgb) => parseInt(rgb.slice(4)))"
        )
        assert (text > ground) == (scheme == "dark")
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_the_demo(browser: webdriver.Chrome, demo: Path, width: int) -> None:
    page = opened_at(browser, demo, width)
    assert page.sides == ("truth", "dual")
    assert not page.part("set").is_displayed()  # with one set there is nothing to choose
    first = page.name
    page.part("next").click()
    assert page.name != first
    page.press(Keys.ARROW_LEFT, "1")
    assert page.name == first
    assert page.sides == ("truth", "photograph")
    page.part("errors").click()
    assert page.pressed("errors")
    assert page.part("count").text == f"{SCENES} of {SCENES} images"
    assert page.complaints() == []
    assert page.requests() == {demo.as_uri()}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_own_report(browser: webdriver.Chrome, own: Path, width: int) -> None:
    page = opened_at(browser, own, width)
    for link in page.browser.find_elements(By.CSS_SELECTOR, "nav a[href^='#']"):
        link.click()
        heading = page.run("return document.querySelector(location.hash + ' h2').innerText")
        top = page.run("return document.querySelector(location.hash).getBoundingClientRect().top")
        assert heading
        assert top < 900  # as far up as the page's end lets it
    page.run("document.getElementById('viewer').scrollIntoView()")
    first = page.name
    page.press(Keys.ARROW_RIGHT, "s")
    assert page.name != first
    assert page.part("save").text == "Save 1 marked"
    page.choose("set", "weak")
    assert page.sides[1].startswith("proxy")
    assert page.complaints() == []
    page.run("localStorage.clear()")
    title = page.run("return document.querySelector('h1').innerText")
    page.browser.find_element(By.LINK_TEXT, "How this run went").click()
    assert page.run("return document.documentElement.scrollWidth") == width
    page.browser.find_element(By.LINK_TEXT, title).click()
    assert page.run("return document.querySelector('h1').innerText") == title
