"""Chromium, driven by chromedriver over plain HTTP: as much of WebDriver as tests need.

    with Browser(tmp_path) as browser:
        browser.open("http://127.0.0.1:1234/wallet")
        browser.click("button.go")
        browser.wait("document.title === 'Done'")

It skips the test where there is no Chromium. Nothing is asked of any host but this machine's.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --disable-dev-shm-usage --hide-scrollbars --window-size=1280,900""".split()
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
WITHIN_S = 30
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def require() -> tuple[str, str]:
    """Paths of chromium and chromedriver; without them the test is skipped."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if found[0] is None or found[1] is None:
        pytest.skip(
            "chromium and chromedriver are not on the PATH: "
            "apt-get install chromium chromium-driver"
        )
    return found[0], found[1]


class Browser:
    """One window. `folder` gets its profile."""

    def __init__(self, folder: Path, *, lang: str = "en", dark: bool = False) -> None:
        self._chromium, driver = require()
        self._folder, self._lang, self._dark = folder / "profile", lang, dark
        self._driver_path = driver
        self._url = ""

    def __enter__(self) -> Self:
        self._driver = subprocess.Popen(
            [self._driver_path, "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def _begin(self) -> None:
        assert self._driver.stdout is not None
        while "successfully on port" not in (line := self._driver.stdout.readline()):
            assert line, "chromedriver ended"
        port = line.split("on port ")[1].strip(" .\n")
        self._url = f"http://127.0.0.1:{port}"
        flags = [*FLAGS, f"--user-data-dir={self._folder}", f"--lang={self._lang}"]
        chrome = {"binary": self._chromium, "args": flags}
        wanted = {"browserName": "chrome", "goog:chromeOptions": chrome}
        wanted["goog:loggingPrefs"] = {"browser": "ALL"}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._url += f"/session/{made['sessionId']}"
        self.size(1280, 900)
        self.scheme("dark" if self._dark else "light")

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.wait(10)
        assert self._driver.stdout is not None
        self._driver.stdout.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._end()

    # --- doing ---------------------------------------------------------------------------

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def before_pages(self, script: str) -> None:
        """Run this in every page before its own scripts, as an extension would."""
        self._cdp("Page.addScriptToEvaluateOnNewDocument", source=script)

    def size(self, width: int, height: int) -> None:
        self._cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def scheme(self, name: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": name}
        self._cdp("Emulation.setEmulatedMedia", features=[feature])

    def run(self, script: str, *arguments: Any) -> Any:
        """What the script returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, css: str) -> None:
        self.run("document.querySelector(arguments[0]).scrollIntoView(arguments[1])", css, _THERE)
        self._ask("POST", f"/element/{self._find(css)}/click", {})

    def type(self, css: str, text: str) -> None:
        self._ask("POST", f"/element/{self._find(css)}/clear", {})
        self._ask("POST", f"/element/{self._find(css)}/value", {"text": text})

    # --- looking -------------------------------------------------------------------------

    def text(self, css: str) -> str:
        return str(self._ask("GET", f"/element/{self._find(css)}/text"))

    def wait(self, condition: str) -> None:
        """Until this expression is true in the page."""
        ends = time.monotonic() + WITHIN_S
        while time.monotonic() < ends:
            try:
                if self.run(f"return Boolean({condition})"):
                    return
            except RuntimeError:
                pass  # the page is on its way to the next one
            time.sleep(0.05)
        raise AssertionError(f"never came true: {condition}\n{self.run(_SEEN)}")

    def complaints(self) -> list[str]:
        """What the browser logged as errors since it was last asked."""
        rows = self._ask("POST", "/se/log", {"type": "browser"})
        return [row["message"] for row in rows if row["level"] == "SEVERE"]

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = self._cdp("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    # --- wire ----------------------------------------------------------------------------

    def _find(self, css: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": css})
        return str(found[ELEMENT])

    def _cdp(self, command: str, **params: Any) -> Any:
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def _ask(self, method: str, path: str, fields: Any = None) -> Any:
        body = None if fields is None else json.dumps(fields).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self._url + path, body, headers, method=method)
        try:
            with _OPENER.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                told = json.load(error)["value"]
            raise RuntimeError(f"{told['error']}: {told['message'][:500]}") from None


_THERE = {"block": "center", "behavior": "instant"}
_SEEN = "return location.href + '\\n' + document.body.innerText.slice(0, 3000)"
