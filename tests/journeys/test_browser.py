"""The pages and the mail in a real browser: on a narrow telephone, and without any request outside."""

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
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
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
  document.body.dataset.found = [
    page.documentElement.scrollWidth,
    page.querySelectorAll("h1").length,
    fetched.filter((one) => !one.name.startsWith("file:")).length,
  ].join(" ");
}};
</script>"""


def measured(page: Path, width: int, profile: Path) -> tuple[int, int, int]:
    """Of a page shown so wide: the width that it takes, its first headings, its outside requests."""
    harness = page.parent / "measure.html"
    harness.write_text(MEASURE.format(src=page.name, width=width), encoding="utf-8")
    shown = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", harness.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    harness.unlink()
    found = re.search(r'data-found="(\d+) (\d+) (\d+)"', shown)
    assert found is not None, shown[-2000:]
    return int(found[1]), int(found[2]), int(found[3])


@pytest.mark.parametrize("name", ["all.html", "drugs.en.html", "ru.html", "articles/1.html"])
def test_a_page_fits_a_narrow_telephone(filled: Desk, tmp_path: Path, name: str):
    """A subscriber with a small screen reads each line without pushing it sideways."""
    filled.publish()
    width, headings, outside = measured(filled.folder / "feeds" / name, 320, tmp_path / "profile")
    assert width <= 320
    assert headings == 1
    assert outside == 0


def test_the_mail_fits_a_narrow_telephone(filled: Desk, tmp_path: Path):
    """A recipient reads the digest in a corridor, and nothing is fetched that would tell on them."""
    filled.run("send", "--dry-run", "--out", str(filled.folder / "preview"))
    [page] = (filled.folder / "preview").glob("*.html")
    width, headings, outside = measured(page, 320, tmp_path / "profile")
    assert width <= 320
    assert headings == 1
    assert outside == 0
