"""A headless Chromium, and the viewer as somebody at it sees and uses it."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
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

    def __init__(self, browser: webdriver.Chrome, url: str, width: int = 1280, height: int = 1200):
        self.browser = browser
        self.browser.get_log("browser")
        self.browser.get_log("performance")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 600})
        browser.get(url)
        self.run("document.documentElement.style.scrollBehavior = 'auto'")
        self.run("document.getElementById('viewer').scrollIntoView()")

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
    def captions(self) -> list[str]:
        """What stands under the thumbnails in the page, in their order."""
        cells = sorted(self.all("[role=option]"), key=lambda c: int(c.get_attribute("data-place")))
        return [cell.text for cell in cells]

    def choose(self, part: str, value: str) -> None:
        Select(self.part(part)).select_by_value(value)

    def keys(self, *keys: str, on: str = "stage") -> None:
        """Type with the focus on a part."""
        self.part(on).send_keys(*keys)

    def drag(self, part: str, x: int, y: int = 0) -> None:
        ActionChains(self.browser).drag_and_drop_by_offset(self.part(part), x, y).perform()

    def pixels(self) -> tuple[Bytes, tuple[int, int, int, int]]:
        """What the stage shows, without its tags and divider, and where in it the picture lies."""
        self.run("for (const t of document.querySelectorAll('.tag, .divider')) t.hidden = true")
        self.wait_for_pictures()
        data = self.part("stage").screenshot_as_png
        self.run("for (const t of document.querySelectorAll('.tag, .divider')) t.hidden = false")
        box = self.run(
            "const p = document.querySelector('.plane').style;"
            "return [p.left, p.top, p.width, p.height].map(parseFloat)"
        )
        return np.array(Image.open(io.BytesIO(data)).convert("RGB")), tuple(map(int, box))

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


def url_of(folder: Path) -> str:
    return (folder / "index.html").resolve().as_uri()
