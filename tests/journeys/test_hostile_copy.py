"""Copy that carries code, as readers' programs and browsers show it: nothing runs, nothing is asked for."""

import contextlib
import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree

from digest.language.text import foreign
from tests.desks import ROOT, Desk, make_desk
from tests.journeys.test_browser import CHROMIUM, FLAGS
from tests.journeys.test_readers import NEWSBOAT, Newsboat

pytestmark = [
    pytest.mark.drill,
    pytest.mark.browser,
    pytest.mark.timeout(400),  # one browser sees all of it
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
STRINGS: list[str] = json.loads((ROOT / "tests/data/xss.json").read_text("utf-8"))
"""JS stands for code that leaves a mark, URL for an address that must not be asked for."""

A = "{http://www.w3.org/2005/Atom}"
ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"
SHOWN = {"title": 50, "summary": 50, "description": 50, "content": 100}

# Each value alone by innerHTML, whose elements are looked at, and several as a page, whose scripts would
# run; then each of our pages; at last the strings as they are, which must leave marks.
HARNESS = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>h</title><body><script>
const marks = [], found = [];
window.hit = (mark) => { marks.push(mark); return 0; };
window.alert = window.confirm = window.prompt = window.print = () => window.hit("dialog");
const LIVE = "script,style,link,meta,base,iframe,frame,object,embed,applet,portal,form,input,button," +
  "textarea,select,template,dialog,img,image,picture,source,video,audio,track,svg,math,marquee,noscript";
function look(root, own) {
  for (const one of root.querySelectorAll("*")) {
    if (!own && one.matches(LIVE)) found.push(one.outerHTML.slice(0, 200));
    if (own && one.matches("script,iframe,object,embed,base,svg script")) found.push(one.outerHTML);
    for (const {name, value} of one.attributes) {
      if (/^on|^style$|^srcdoc$|^formaction$|^ping$/i.test(name) && !own) found.push(name + "=" + value);
      if (/^on/i.test(name)) found.push(name + "=" + value);
    }
    if (one.href !== undefined && one.hasAttribute("href") &&
        !one.matches("link[rel=icon]") && !/^(https?|mailto):$/.test(one.protocol ?? new URL(one.href, location).protocol))
      found.push("href=" + one.getAttribute("href"));
  }
}
function frame(how) {
  return new Promise((done) => {
    const one = document.createElement("iframe");
    const end = () => setTimeout(() => done(one), 0);
    one.onload = end;
    setTimeout(end, 400);
    how(one);
    document.body.append(one);
  });
}
async function show(values, pages) {
  for (const value of values) {
    const box = document.createElement("div");
    document.body.append(box);
    box.innerHTML = value;
    look(box, false);
    box.remove();
  }
  for (let i = 0; i < values.length; i += 60) {
    const doc = "<!doctype html>" + values.slice(i, i + 60).map((v) => `<div>${v}</div>`).join("\\n");
    (await frame((one) => { one.srcdoc = doc; })).remove();
  }
  for (let i = 0; i < pages.length; i += 8)
    await Promise.all(pages.slice(i, i + 8).map(async (page) => {
      const one = await frame((one) => { one.src = page; });
      look(one.contentDocument, true);
      one.remove();
    }));
}
(async () => {
  const {values, pages, controls} = await (await fetch("values.json")).json();
  await show(values, pages);
  await new Promise((done) => setTimeout(done, 300));
  await fetch("measured").catch(() => 0);
  const result = {marks: [...marks], found: [...found], shown: values.length + pages.length};
  marks.length = 0;
  for (let i = 0; i < controls.length; i += 20)
    await Promise.all(controls.slice(i, i + 20).map((v) => frame((one) => { one.srcdoc = v; })));
  await new Promise((done) => setTimeout(done, 300));
  result.controls = new Set(marks).size;
  document.body.replaceChildren();
  document.body.dataset.result = JSON.stringify(result);
})();
</script>"""


class _Server(http.server.SimpleHTTPRequestHandler):
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append((self.headers.get("Host", ""), self.path))
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `asked` is the log."""


@dataclass
class Shown:
    """What a browser told of the values and pages, and what it asked for (host and path)."""

    marks: list[str]
    found: list[str]
    shown: int
    controls: int
    asked: list[str] = field(default_factory=list)
    controls_asked: int = 0


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The folder over HTTP: the port, and the host and path of each request."""
    asked: list[tuple[str, str]] = []
    handler = type("Handler", (_Server,), {"asked": asked})
    address = ("127.0.0.1", 0)
    with http.server.ThreadingHTTPServer(
        address, functools.partial(handler, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


def live(text: str, port: int, mark: str) -> str:
    return text.replace("JS", f"top.hit('{mark}')").replace(
        "URL", f"http://127.0.0.1:{port}/{mark}"
    )


def hostile_desk(folder: Path, port: int) -> Desk:
    """Each string as the name of a source and in a page of HTML, both as text and as it is; and as title
    or byline, and in the text, of a document."""
    desk = make_desk(folder)
    shutil.rmtree(desk.seeds)
    config = desk.config.read_text("utf-8")
    before, _, rest = config.partition("[[sources]]")
    after = rest[rest.index("[[themes]]") :]
    texts = [live(string, port, f"leak-{n}") for n, string in enumerate(STRINGS)]
    sources = []
    for number, text in enumerate(texts):
        (folder / f"in/{number}").mkdir(parents=True)
        sources.append(
            f'[[sources]]\nname = "s{number}"\npath = "in/{number}"\n'
            f"title = {json.dumps(foreign(text) or 'x')}\n"
        )
        page = (
            f"<html><head><title>Youth {number} {escape(text)}</title></head><body>"
            f"<h1>Youth {number} {escape(text)}</h1><p>By {escape(text)}</p>"
            f"<p>On 21 November 2026, court {number} heard of bribes and corruption.</p>"
            f"{text}<p>The end of case {number}.</p></body></html>"
        )
        (folder / f"in/{number}/page.html").write_bytes(page.encode())
        if number % 2:
            paragraphs = [
                f"{text} Customs officers {number}",
                f"By Anna {texts[number - 1]}",
                f"On 20 November 2026, post {number} found {number} kg of heroin {texts[number - 1]} there.",
                f"The drugs were burnt {number} days later. {text}",
            ]
            (folder / f"in/{number}/copy.txt").write_bytes("\n\n".join(paragraphs).encode())
    desk.config.write_text(f"{before}{''.join(sources)}{after}", "utf-8")
    desk.configure(entries="500", per_theme="100")
    return desk


def values_of(desk: Desk, tmp_path: Path, port: int) -> set[str]:
    """The values that readers show as HTML: feedparser's, newsboat's, JSON Feed's content, and RSS with
    its titles as it is."""
    feeds = desk.settings.feeds.path
    values: set[str] = set()
    for name in ("all.atom", "all.rss"):
        for entry in feedparser.parse(str(feeds / name)).entries:
            details = [entry.title_detail, entry.get("summary_detail"), *entry.get("content", [])]
            values |= {one.value for one in details if one and one.type == "text/html"}
    for item in etree.parse(feeds / "all.rss").iterfind("channel/item"):
        values |= {item.findtext(name) or "" for name in ("title", "description", ENCODED)}
    for element in etree.parse(feeds / "all.atom").iter():
        if element.get("type") == "html":
            values.add(element.text)
    for item in json.loads((feeds / "all.json").read_bytes())["items"]:
        values.add(item.get("content_html", ""))
    if NEWSBOAT is not None:
        for form in ("atom", "rss"):
            reader = Newsboat(f"http://127.0.0.1:{port}/desk/feeds/all.{form}", tmp_path / form)
            reader.poll()
            values |= {entry.text for entry in reader.entries().values()}
    return values


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    tmp_path = tmp_path_factory.mktemp("hostile")
    with served(tmp_path) as (port, asked):
        desk = hostile_desk(tmp_path / "desk", port)
        desk.run("ingest")  # it refuses some, which no longer read as text
        preview = str(desk.folder / "preview")
        for words in (("publish",), ("send", "--dry-run", "--out", preview)):
            result = desk.run(*words)
            assert result.exit_code == 0, result.output
        values = values_of(desk, tmp_path, port)
        pages = [
            "/" + path.relative_to(tmp_path).as_posix()
            for path in sorted(desk.folder.rglob("*.html"))
            if "/in/" not in path.as_posix()
        ]
        controls = [live(one, port, f"control-{n}") for n, one in enumerate(STRINGS)]
        given = {"values": sorted(values), "pages": pages, "controls": controls}
        (tmp_path / "values.json").write_text(json.dumps(given), "utf-8")
        (tmp_path / "harness.html").write_text(HARNESS, "utf-8")
        asked.clear()
        words = [
            *(str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"),
            *("--virtual-time-budget=120000", "--disable-features=NetworkTimeServiceQuerying"),
            f"--host-resolver-rules=MAP * 127.0.0.1:{port}",
            *("--dump-dom", f"http://127.0.0.1:{port}/harness.html"),
        ]
        dump = subprocess.run(words, check=True, capture_output=True, text=True, timeout=240).stdout
    result = re.search(r'data-result="([^"]*)"', dump)
    assert result is not None, dump[-2000:]
    told = Shown(**json.loads(unescape(result[1])))
    expected = {"/harness.html", "/values.json", "/desk/feeds/style.css", *pages}
    end = asked.index((f"127.0.0.1:{port}", "/measured"))
    told.asked = [
        f"{host}{path}"
        for host, path in asked[:end]
        if host != f"127.0.0.1:{port}" or path not in expected
    ]
    told.controls_asked = len(set(asked[end:]))
    return told


def test_there_are_many_strings_and_the_browser_would_run_them(shown: Shown) -> None:
    """The harness can tell: the strings as they are leave marks and ask for addresses."""
    assert len(STRINGS) >= 150
    assert shown.controls > 60
    assert shown.controls_asked > 20
    assert shown.shown > 2 * len(STRINGS)


def test_nothing_in_copy_becomes_live(shown: Shown) -> None:
    """For readers: no string in a title, a byline, a text or a source's name runs, or becomes an element
    that could, in a feed as three programs show it, a page or the mail."""
    assert shown.marks == []
    assert shown.found == []


def test_nothing_in_copy_reports_its_readers(shown: Shown) -> None:
    """For readers: to open what they follow tells nobody that they did."""
    assert shown.asked == []
