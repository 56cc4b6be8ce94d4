"""A page in a real browser: it complains of nothing, asks nobody for anything, and can be read on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_PICTURES = """
Promise.all([...document.images].map(async i => { await i.decode();
 const c = document.createElement('canvas'); c.width = 200; c.height = 100; const g = c.getContext('2d');
 g.drawImage(i, 0, 0, 200, 100); const d = g.getImageData(0, 0, 200, 100).data;
 const seen = new Set(); for (let k = 0; k < d.length; k += 4) seen.add(d[k] + ',' + d[k+1] + ',' + d[k+2]);
 return [i.naturalWidth, i.getBoundingClientRect().width, seen.size]; }))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The machine's own chromium; a test that needs it is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium was found: install the distribution's package")
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


def assert_readable(browser: Any, page: Path, width: int, *, pictures: int, sections: int) -> None:
    """No error on the console, no request, no empty picture or section, nothing wider than the screen."""
    tab = browser.new_page(viewport={"width": width, "height": 900})
    complaints, requests = [], []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(page.as_uri())
    tab.wait_for_load_state("networkidle")
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [page.as_uri()]
    images = tab.evaluate(_PICTURES)
    assert len(images) == pictures
    for natural, shown, colours in images:
        assert natural > 300
        assert 300 < shown <= width
        assert colours > 40, "an empty picture"
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    narrow = tab.evaluate("document.images[0].naturalWidth < 500")
    assert narrow == (width < 640)
    heights = tab.evaluate("[...document.querySelectorAll('section')].map(s => s.getBoundingClientRect().height)")
    assert len(heights) == sections
    assert min(heights) > 50
    tab.close()
