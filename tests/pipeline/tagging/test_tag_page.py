"""The page on which a person tags: real keys and clicks, through the real command."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.pipeline.report.browsing import Viewer, needs_chromium
from tests.settings import ROOT

pytestmark = needs_chromium

Start = Callable[[], tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts `swseg tag` on the folder; the process and the address that it says."""
    started: list[subprocess.Popen[str]] = []

    def run() -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "stages.tag", str(folder), "--no-browser"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        found = re.search(r"open (http://\S+)", process.stdout.readline())
        assert found
        return process, found[1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def table(folder: Path) -> dict[str, str]:
    """What stands in tags.csv, by image."""
    with (folder / "tags.csv").open(encoding="utf-8", newline="") as file:
        return {row["image"]: row["tags"] for row in csv.DictReader(file)}


def shown(page: Viewer) -> str:
    return page.part("name").text


def pressed(page: Viewer) -> list[str]:
    """The classes that are down."""
    downs = page.part("classes").find_elements(By.CSS_SELECTOR, "[aria-pressed=true]")
    return [down.text.split(maxsplit=1)[1] for down in downs]


def shift(page: Viewer, key: str) -> None:
    chain = ActionChains(page.browser).key_down(Keys.SHIFT).send_keys(key)
    chain.key_up(Keys.SHIFT).perform()


@pytest.mark.parametrize("width", [1280, 400])
def test_keys(browser: webdriver.Chrome, folder: Path, start: Start, width: int) -> None:
    _, address = start()
    page = Viewer(browser, address, width=width, height=900, section="")
    assert page.run("return document.documentElement.scrollWidth") == width
    assert (shown(page), page.part("count").text) == ("a", "0 of 4 tagged")
    page.press("1", "3")
    page.until(lambda: table(folder) == {"a.jpg": "cat;red fish"})
    assert pressed(page) == ["cat", "red fish"]
    page.press("1", Keys.ENTER)
    page.until(lambda: shown(page) == "b.1")
    assert table(folder) == {"a.jpg": "red fish"}  # before the next photograph shows
    page.press("0")
    page.until(lambda: shown(page) == "c, d")
    assert table(folder)["b.1.jpg"] == "background"
    shift(page, "2")
    page.until(lambda: shown(page) == "köter")
    assert table(folder)["c, d.jpg"] == "dog"
    page.press(".")
    page.until(lambda: page.part("count").text == "4 of 4 tagged")
    assert table(folder)["köter.png"] == "dog"
    page.press(Keys.BACKSPACE, Keys.BACKSPACE)
    page.until(lambda: table(folder)["c, d.jpg"] == "")
    assert (shown(page), pressed(page)) == ("c, d", [])
    page.press(Keys.ARROW_LEFT)
    page.until(lambda: shown(page) == "b.1")
    assert pressed(page) == ["none of them"]
    page.part("classes").find_elements(By.CSS_SELECTOR, "button")[1].click()
    page.until(lambda: table(folder)["b.1.jpg"] == "dog")
    page.part("done").click()
    page.until(lambda: shown(page) == "c, d")
    page.press("?")
    assert page.part("help").get_attribute("open")
    assert page.run("return document.documentElement.scrollWidth") == width
    assert page.complaints() == []


def test_the_server_is_killed(browser: webdriver.Chrome, folder: Path, start: Start) -> None:
    process, address = start()
    page = Viewer(browser, address, section="")
    page.press("1", Keys.ENTER)
    page.until(lambda: shown(page) == "b.1")
    process.send_signal(signal.SIGKILL)
    process.wait()
    page.press("2", Keys.ENTER)
    page.until(lambda: page.part("trouble").is_displayed())
    assert page.part("trouble").text.startswith("Not saved: swseg tag does not answer.")
    assert (shown(page), pressed(page)) == ("b.1", [])  # what is not saved is not shown
    _, address = start()
    page = Viewer(browser, address, section="")
    assert (shown(page), page.part("count").text) == ("b.1", "1 of 4 tagged")
    page.press("2", Keys.ENTER)
    page.until(lambda: shown(page) == "c, d")
    assert table(folder) == {"a.jpg": "cat", "b.1.jpg": "dog"}


def test_one_at_a_time(folder: Path, start: Start) -> None:
    start()
    command = [sys.executable, "-m", "stages.tag", str(folder), "--no-browser"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "tags.csv: wait for it or stop it" in second.stderr


def test_ten_thousand_stay_quick(browser: webdriver.Chrome, folder: Path, start: Start) -> None:
    for number in range(10_000):
        os.link(folder / "images" / "a.jpg", folder / "images" / f"photo {number:05}.jpg")
    rows = [f"photo {number:05}.jpg,cat;dog" for number in range(9_000)]
    (folder / "tags.csv").write_text("\n".join(["image,tags", *rows]))
    _, address = start()
    page = Viewer(browser, address, section="")
    page.until(lambda: page.part("count").text == "9000 of 10004 tagged")
    seconds = []
    for number in range(5):
        before, begun = shown(page), time.monotonic()
        page.press("1", Keys.ENTER)
        page.until(lambda before=before: shown(page) != before)
        seconds.append(time.monotonic() - begun)
        assert len(table(folder)) == 9_001 + number
    assert min(seconds) < 1


def test_proposals(browser: webdriver.Chrome, folder: Path) -> None:
    """Enter takes what the classifier proposes; a key changes it."""
    from threading import Thread

    from pipeline.tagging.pictures import open_folder
    from pipeline.tagging.server import Picture, TagServer

    opened, _ = open_folder(folder)
    pictures = [Picture("köter", ("dog",), 0.9), Picture("a", (), 0.5), Picture("b.1", ("cat",), 0)]
    server = TagServer(opened, pictures)
    Thread(target=server.serve_forever, daemon=True).start()
    page = Viewer(browser, server.address, section="")
    assert (shown(page), pressed(page)) == ("köter", ["dog"])
    assert page.part("state").text == "proposed: Enter takes it"
    assert page.part("count").text == "0 of 3 tagged"
    page.press("2")
    page.until(lambda: pressed(page) == [])  # it is not there
    page.press("2", Keys.ENTER)
    page.until(lambda: shown(page) == "a")
    assert pressed(page) == ["none of them"]
    page.press(Keys.ENTER)
    page.until(lambda: shown(page) == "b.1")
    page.press("3", Keys.ENTER)
    page.until(lambda: page.part("count").text == "3 of 3 tagged")
    assert table(folder) == {"köter.png": "dog", "a.jpg": "background", "b.1.jpg": "cat;red fish"}
    server.shutdown()
    server.server_close()


def test_a_photograph_shows(browser: webdriver.Chrome, folder: Path, start: Start) -> None:
    Image.new("RGB", (300, 200), (10, 200, 30)).save(folder / "images" / "a.jpg")
    _, address = start()
    page = Viewer(browser, address, section="")
    page.until(lambda: page.run("return document.querySelector('img').naturalWidth") == 300)
    assert page.complaints() == []
