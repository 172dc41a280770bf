"""The pages and the mail in a real browser: on a narrow phone, and without any request outside."""

import http.server
import re
import subprocess
import threading
from functools import partial
from pathlib import Path

import pytest

from digest.model import Choice, Recipient, RecipientStatus
from digest.web.forms import leave_page
from tests.desks import MADE_AT, PAGES, Desk
from tests.journeys.browsing import CHROMIUM, QUIET
from tests.journeys.serving import service

pytestmark = [
    pytest.mark.drill,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
FLAGS = (*QUIET, "--allow-file-access-from-files", "--virtual-time-budget=5000")
LONG = Recipient(
    id=1,
    address=f"anna@{'long-name-' * 6}.reader.example",
    choice=Choice("ru", ("ru",), ()),
    digests=("weekly",),
    status=RecipientStatus.ACTIVE,
    added_at=MADE_AT,
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


REVALIDATE = """<!doctype html><title>a reader</title>
<script>
const ask = async (url, headers) => {{
  const answer = await fetch(url, {{headers, cache: "no-store"}});
  const [tag, date] = ["ETag", "Last-Modified"].map((name) => answer.headers.get(name));
  return [answer.status, tag, date, (await answer.text()).length];
}};
const follow = async (url) => {{
  const [status, tag, date, length] = await ask(url, {{}});
  const [tagged, again, , none] = await ask(url, {{"If-None-Match": tag}});
  const [dated] = await ask(url, {{"If-Modified-Since": date}});
  return [status, length > 0, tagged, again === tag, none, dated].join();
}};
Promise.allSettled({urls}.map(follow)).then((ends) => {{
  document.body.dataset.measured = ends.map((one) => one.value ?? one.reason.name).join(" ");
}});
</script><body></body>"""


def measured(folder: Path, url: str) -> str:
    """What the page at this address found out."""
    profile = f"--user-data-dir={folder / 'profile'}"
    words = [str(CHROMIUM), *FLAGS, profile, "--dump-dom", url]
    shown = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r'data-measured="([^"]*)"', shown)
    assert found is not None, shown[-2000:]
    return found[1]


def test_a_reader_in_a_browser_revalidates_feeds_of_another_site(desk: Desk, tmp_path: Path):
    """For followers whose reader is a page: it reads each form, and a poll costs a 304; pages stay
    closed to other sites, and so does /metrics."""
    names = ("all.atom", "all.rss", "all.json", "feeds.opml", "all.html", "../metrics")
    site = tmp_path / "site"
    site.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=site)
    with (
        service(desk) as running,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as other,
    ):
        running.until("read")
        urls = [f"http://127.0.0.1:{running.port}/feeds/{name}" for name in names]
        (site / "index.html").write_text(REVALIDATE.format(urls=urls), "utf-8")
        threading.Thread(target=other.serve_forever, daemon=True).start()
        found = measured(tmp_path, f"http://127.0.0.1:{other.server_port}/index.html")
        other.shutdown()
    assert found.split() == ["200,true,304,true,0,304"] * 4 + ["TypeError"] * 2


@pytest.mark.parametrize(
    "name",
    [
        "feeds/all.html",
        "feeds/drugs.en.html",
        "feeds/ru.html",
        "feeds/articles/1.html",
        "leave",
        "mail",
    ],
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
        if name == "leave":  # as `digest serve` answers it, beside its stylesheet
            page = filled.folder / "feeds" / "leave.html"
            shown = leave_page(PAGES, filled.settings, "ask", LONG)
            page.write_bytes(shown.replace(b"/feeds/style.css", b"style.css"))
    harness = page.parent / "measure.html"
    harness.write_text(MEASURE.format(src=page.name, width=320), encoding="utf-8")
    width, headings, outside = map(int, measured(tmp_path, harness.as_uri()).split())
    assert width <= 320
    assert headings == 1
    assert outside == 0
