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


def assert_fits(page: Path, folder: Path) -> None:
    """No wider than a narrow phone, one main heading, no request outside."""
    harness = page.parent / "measure.html"
    harness.write_text(MEASURE.format(src=page.name, width=320), encoding="utf-8")
    shown = subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            "--dump-dom",
            harness.as_uri(),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    harness.unlink()
    measured = re.search(r'data-measured="(\d+) (\d+) (\d+)"', shown)
    assert measured is not None, shown[-2000:]
    width, headings, outside = map(int, measured.groups())
    assert width <= 320
    assert headings == 1
    assert outside == 0


@pytest.mark.parametrize("name", ["all.html", "drugs.en.html", "ru.html", "articles/1.html"])
def test_a_page_fits_a_narrow_phone(filled: Desk, tmp_path: Path, name: str):
    """A subscriber with a small screen reads each line without pushing it sideways."""
    filled.publish()
    assert_fits(filled.folder / "feeds" / name, tmp_path)


def test_the_mail_fits_a_narrow_phone(filled: Desk, tmp_path: Path):
    """A recipient reads the digest in a corridor, and nothing is fetched that would track them."""
    filled.run("send", "--dry-run", "--out", str(filled.folder / "preview"))
    [page] = (filled.folder / "preview").glob("*.html")
    assert_fits(page, tmp_path)
