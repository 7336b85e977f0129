"""Chromium without a window and without a network."""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

#: Seconds to wait for what a page does.
PATIENCE = 30

#: Where pictures of pages are kept.
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


class Browser:
    """Opens pages, and keeps what goes wrong in them."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path | str, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(page if isinstance(page, str) else page.as_uri())
        # the driver may come back before the page has taken the place of the last one
        self.wait("return location.href !== 'about:blank' && document.readyState === 'complete'")

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the whole page, for people to look at."""
        options = {"captureBeyondViewport": True, "format": "png"}
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
        path = SCREENSHOTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(picture))
        return path

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any) -> Any:
        """Wait until a script returns something that is true."""
        end = time.monotonic() + PATIENCE
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < end, f"not true after {PATIENCE} s: {script}"
            time.sleep(0.05)
        return found

    def show_all(self) -> int:
        """Scroll to every picture, wait until all are drawn, and count them."""
        n = self.run("return document.querySelectorAll('[data-item]').length")
        for i in range(n):
            target = f"document.querySelectorAll('[data-item]')[{i}]"
            self.run(f"{target}.scrollIntoView()")
            self.wait(f"return {target}.querySelector('.bk-Figure, .bk-GridPlot')")
        self.wait("return [...document.querySelectorAll('[data-choice] .shown')].every((e) => e.children.length)")
        self.wait("return Object.values(Bokeh.index).length > 0")
        return int(n)

    def complaints(self) -> list[str]:
        """Errors and warnings of the console; what headless Chromium says about its own graphics is none of them."""
        log = self.driver.get_log("browser")
        return [e["message"] for e in log if e["level"] in ("SEVERE", "WARNING") and e["source"] != "rendering"]

    def requests(self) -> list[str]:
        """Addresses that the page asked for, itself not included."""
        return list(self.run("return performance.getEntriesByType('resource').map((e) => e.name)"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium and its driver, cut off from every network."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    driver = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("found no chromium and chromedriver; on Debian: apt-get install chromium chromium-driver")
    from selenium.webdriver import Chrome
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1600,900",
        # nothing outside answers, but servers of the tests do
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--proxy-server=127.0.0.1:9",
        "--proxy-bypass-list=127.0.0.1",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = Chrome(options=options, service=Service(driver))
    yield Browser(running)
    running.quit()


@pytest.fixture
def open_page(browser: Browser) -> Callable[..., Browser]:
    """Open a file or an address with an empty console."""

    def opened(page: Path | str, width: int) -> Browser:
        browser.driver.get("about:blank")
        browser.driver.get_log("browser")
        browser.open(page, width)
        return browser

    return opened
