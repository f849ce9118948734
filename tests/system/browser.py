"""A real Chromium, driven as a person would."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

GIVE_UP_S = 60.0


def chromium() -> Path | None:
    """Path of the browser, None if there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return Path(found) if found else None


class Browser:
    """One window; waits for what must come instead of sleeping."""

    def __init__(self, width: int = 1400, height: int = 1000) -> None:
        options = Options()
        options.binary_location = str(chromium())
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
            options.add_argument(argument)
        options.add_argument(f"--window-size={width},{height}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"), env={**os.environ, "SE_AVOID_STATS": "true"})
        self.driver: WebDriver = webdriver.Chrome(options=options, service=service)

    def open(self, url: str) -> None:
        self.driver.get(url)

    def size(self, width: int, height: int) -> None:
        """The page's own size, which may be narrower than a window can be."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def scheme(self, name: str) -> None:
        """`dark` or `light`."""
        self._devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def text(self, selector: str) -> str:
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Callable[["Browser"], object], what: str) -> Any:
        """The first true value of the condition."""
        return WebDriverWait(self.driver, GIVE_UP_S, poll_frequency=0.1).until(
            lambda _: condition(self), f"never: {what}; the banner says {self.run(BANNER)!r}"
        )

    def wait_for_text(self, selector: str, text: str) -> None:
        self.wait(lambda one: text in one.text(selector), f"{text!r} in {selector}")

    def complaints(self) -> list[str]:
        """Errors in the browser's console."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def close(self) -> None:
        self.driver.quit()

    def _devtools(self, command: str, **parameters: object) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


BANNER = "return (document.querySelector('.banner') || {}).textContent"
