"""A headless Chromium, and the viewer as somebody at it sees and uses it."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from pipeline.data.images import Bytes

MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which(MAC)
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium: apt-get install chromium chromium-driver"
)


def start_chromium() -> webdriver.Chrome:
    """A browser that keeps what the console says and what is asked of the network."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"),
        *("--force-device-scale-factor=1", "--force-color-profile=srgb"),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


class Viewer:
    """One page in the browser."""

    def __init__(
        self,
        browser: webdriver.Chrome,
        url: str,
        width: int = 1280,
        height: int = 1200,
        section: str = "viewer",
    ):
        self.browser = browser
        self.browser.get_log("browser")
        self.browser.get_log("performance")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 600})
        browser.get(url)
        self.run("document.documentElement.style.scrollBehavior = 'auto'")
        self.run("document.getElementById(arguments[0])?.scrollIntoView()", section)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def part(self, name: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, f"[data-part='{name}']")

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, f"#viewer-tool {selector}")

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(
            self.run("return document.getElementById('viewer-data').textContent")
        )
        return data

    @property
    def name(self) -> Any:
        """Id of the image that is shown."""
        return self.run("return document.querySelector('[data-part=name] strong').textContent")

    @property
    def sides(self) -> tuple[str, str]:
        return self.part("left-tag").text, self.part("right-tag").text

    @property
    def classes(self) -> tuple[str, str]:
        """The classes under the pointer, left and right."""
        return self.part("left-class").text, self.part("right-class").text

    @property
    def captions(self) -> list[str]:
        """What stands under the thumbnails in the page, in their order."""
        cells = sorted(self.all("[role=option]"), key=lambda c: int(c.get_attribute("data-place")))
        return [cell.text for cell in cells]

    def choose(self, part: str, value: str) -> None:
        Select(self.part(part)).select_by_value(value)

    def keys(self, *keys: str, on: str = "stage") -> None:
        """Type with the focus on a part."""
        self.part(on).send_keys(*keys)

    def press(self, *keys: str) -> None:
        """Type with the focus where it is."""
        ActionChains(self.browser).send_keys(*keys).perform()

    def point(self, column: float, row: float) -> None:
        """Move the pointer over a pixel of the image."""
        place = self.run(
            "const [column, row] = arguments;"
            "const stage = document.querySelector('[data-part=stage]').getBoundingClientRect();"
            "const plane = document.querySelector('.plane').getBoundingClientRect();"
            "const { naturalWidth, naturalHeight } = document.querySelector('.plane img');"
            "return [plane.x + (column + 0.5) * plane.width / naturalWidth"
            "          - stage.x - stage.width / 2,"
            "        plane.y + (row + 0.5) * plane.height / naturalHeight"
            "          - stage.y - stage.height / 2].map(Math.round)",
            column,
            row,
        )
        chain = ActionChains(self.browser, duration=0)
        chain.move_to_element_with_offset(self.part("stage"), *place).perform()

    def pressed(self, part: str) -> bool:
        """Whether a button is down."""
        return self.part(part).get_attribute("aria-pressed") == "true"

    def drag(self, part: str, x: int, y: int = 0) -> None:
        ActionChains(self.browser).drag_and_drop_by_offset(self.part(part), x, y).perform()

    def pixels(self) -> tuple[Bytes, tuple[int, int, int, int]]:
        """What the stage shows, without its tags and divider, and where in it the picture lies."""
        data = self._bare(lambda: self.part("stage").screenshot_as_png)
        box = self.run(
            "const p = document.querySelector('.plane').style;"
            "return [p.left, p.top, p.width, p.height].map(parseFloat)"
        )
        return _rgb(data), tuple(map(int, box))

    def on_stage(self, picture_HWC: Bytes) -> tuple[Bytes, Bytes]:
        """Pixels of the stage, and those of a picture that lies there with large square pixels.

        Both only where the picture is, away from the stage's round corners.
        """
        shot = _rgb(self._bare(self.browser.get_screenshot_as_png))
        stage, plane = self.run(
            "return ['.stage', '.plane'].map((name) => {"
            "  const { left, top, right, bottom } ="
            "    document.querySelector(name).getBoundingClientRect();"
            "  return [left, top, right, bottom].map(Math.round) })"
        )
        left, top = max(stage[0] + 6, plane[0]), max(stage[1] + 6, plane[1])
        right, bottom = min(stage[2] - 6, plane[2]), min(stage[3] - 6, plane[3])
        y = (np.arange(top, bottom) - plane[1]) * len(picture_HWC) // (plane[3] - plane[1])
        x = (np.arange(left, right) - plane[0]) * len(picture_HWC[0]) // (plane[2] - plane[0])
        return shot[top:bottom, left:right], picture_HWC[y][:, x]

    def _bare(self, shoot: Callable[[], bytes]) -> bytes:
        """A screenshot without tags and divider, of decoded pictures."""
        self.run("for (const t of document.querySelectorAll('.tag, .divider')) t.hidden = true")
        self.wait_for_pictures()
        data = shoot()
        self.run("for (const t of document.querySelectorAll('.tag, .divider')) t.hidden = false")
        return data

    def wait_for_pictures(self) -> None:
        """Wait until what is shown is decoded and painted."""
        self.browser.execute_async_script(
            "const done = arguments[0];"
            "const shown = [...document.querySelectorAll('.plane img:not([hidden])')];"
            "Promise.all(shown.map((i) => i.decode())).then(() =>"
            "  requestAnimationFrame(() => requestAnimationFrame(done)));"
        )

    def complaints(self) -> list[str]:
        """What the console said since the page was opened."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def requests(self) -> set[str]:
        """Everything that was asked for since then but data URIs."""
        entries = [json.loads(e["message"])["message"] for e in self.browser.get_log("performance")]
        sent = [e["params"] for e in entries if e["method"] == "Network.requestWillBeSent"]
        return {p["request"]["url"] for p in sent if not p["request"]["url"].startswith("data:")}

    def until(self, holds: Any, seconds: float = 10) -> None:
        WebDriverWait(self.browser, seconds, poll_frequency=0.02).until(lambda _: holds())


def _rgb(data: bytes) -> Bytes:
    """A PNG as (H, W, 3)."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def url_of(folder: Path) -> str:
    return (folder / "index.html").resolve().as_uri()


def move_in_stage(page: Viewer, x: int, y: int) -> ActionChains:
    """The pointer at so many pixels from the stage's middle, beside the divider."""
    return ActionChains(page.browser).move_to_element_with_offset(page.part("stage"), x, y)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder on a server of this machine; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
