"""The observatory on a phone, seen by a browser: nothing leaves the page, charts can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import serve
from chromium import Browser, require
from doors import Doors

PAGES = ("", "/value", "/rents", "/concentration", "/distribution", "/dependence", "/sovereignty",
         "/climate", "/control", "/drills", "/access", "/race")  # fmt: skip
WIDE = 360
LEAST = 10.5
"""Pixels of a chart's smallest letters."""
SIZES = """return [...document.querySelectorAll("svg.drawing text")].map(text =>
    parseFloat(getComputedStyle(text).fontSize)
    * text.ownerSVGElement.getBoundingClientRect().width / 480)"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require()
    with Doors(tmp_path_factory.mktemp("market") / "a") as market:
        market.furnish()
        market.receipts()
        serving = serve(market.market.app)
        yield market.run(serving.__aenter__())
        market.run(serving.__aexit__(None, None, None))


def test_no_page_is_wider_than_a_phone_and_charts_can_be_read(url: str, tmp_path: Path) -> None:
    charts = 0
    with Browser(tmp_path) as browser:
        browser.size(WIDE, 800)
        for path in PAGES:
            browser.open(f"{url}/observe{path}?lang=de")
            wide = browser.run("return document.documentElement.scrollWidth")
            assert wide <= WIDE, f"{path}: {wide}"
            sizes = browser.run(SIZES)
            assert min(sizes, default=LEAST) >= LEAST, path
            charts += bool(sizes)
    assert charts >= 3
