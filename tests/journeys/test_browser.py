"""The pages and the mail in a real browser: on a narrow phone, and without any request outside."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.desks import Desk

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.drill,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--allow-file-access-from-files", "--virtual-time-budget=5000"),
)
MEASURE = """<!doctype html><title>measure</title>
<iframe id="page" src="{src}" style="width:{width}px;height:900px;border:0"></iframe>
<script>
document.getElementById("page").onload = (event) => {{
  const page = event.target.contentDocument;
  const fetched = event.target.contentWindow.performance.getEntriesByType("resource");
  document.body.dataset.measured = [
    page.documentElement.scrollWidth,
    page.querySelectorAll("h1").length,
    fetched.filter((one) => !one.name.startsWith("file:")).length,
  ].join(" ");
}};
</script>"""


@pytest.mark.parametrize(
    "name",
    ["feeds/all.html", "feeds/drugs.en.html", "feeds/ru.html", "feeds/articles/1.html", "mail"],
)
def test_it_fits_a_narrow_phone(filled: Desk, tmp_path: Path, name: str):
    """A reader with a small screen reads each line without scrolling sideways, and nothing is fetched
    that would track them."""
    if name == "mail":
        filled.run("send", "--dry-run", "--out", str(filled.folder / "preview"))
        [page] = (filled.folder / "preview").glob("*.html")
    else:
        filled.publish()
        page = filled.folder / name
    harness = page.parent / "measure.html"
    harness.write_text(MEASURE.format(src=page.name, width=320), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    words = [str(CHROMIUM), *FLAGS, profile, "--dump-dom", harness.as_uri()]
    shown = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
    measured = re.search(r'data-measured="(\d+) (\d+) (\d+)"', shown)
    assert measured is not None, shown[-2000:]
    width, headings, outside = map(int, measured.groups())
    assert width <= 320
    assert headings == 1
    assert outside == 0
