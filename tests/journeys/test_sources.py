"""From other people's feeds, pages and mail to articles: sixty sources, with every usual fault."""

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.config.load import settings_from
from digest.editions.selection import order_placements
from digest.newsroom import Newsroom
from digest.sources.ingest import IngestReport, ingest
from digest.sources.store import accept_letter, waiting_letters
from digest.store.articles import each_article, siblings_of
from digest.store.database import open_database, text_from_moment
from digest.store.owner import sole_poller
from tests.desks import CONFIG, MADE_AT, opened
from tests.sources.serving import Asked, Reply, Route, Site, serving

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
FEEDS, PAGES, LETTERS = 40, 6, 50
NEAR: dict[str, object] = {"allow_private": True, "pause_seconds": 0.0}


class Net:
    """Servers on addresses of this machine, in a loop of their own."""

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def serve(self, host: str, routes: dict[str, Route]) -> Site:
        async def start() -> Site:
            ready: asyncio.Future[Site] = asyncio.get_running_loop().create_future()

            async def run() -> None:
                async with serving(routes, host) as site:
                    ready.set_result(site)
                    await self._stop.wait()

            self._task = asyncio.get_running_loop().create_task(run())
            return await ready

        site = asyncio.run_coroutine_threadsafe(start(), self.loop).result(5)
        self.sites.append(site)
        return site

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.run_until_complete(asyncio.sleep(0.05))
        if pending := asyncio.all_tasks(self.loop):
            for task in pending:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(pending))
        self.loop.close()


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    yield made
    made.close()


def rss(n: int, count: int = 3) -> bytes:
    items = "".join(
        f"<item><title>Officers of port {n} seized parcel {i}</title><guid>urn:{n}:{i}</guid>"
        f"<link>https://agency{n}.example/{i}?utm_source=x</link>"
        f"<pubDate>Mon, {10 + i} Nov 2026 09:0{i}:00 GMT</pubDate><description>Customs officers of "
        f"port {n} seized parcel {i} with heroin on {10 + i} November 2026.</description></item>"
        for i in range(1, count + 1)
    )
    head = f"<title>Agency {n}</title><link>https://agency{n}.example/</link><description>d</description>"
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()
    )


def atom(n: int) -> bytes:
    entry = (
        f"<entry><id>tag:{n}</id><title>Курс для таможни {n}</title><updated>2026-11-20T09:00:00Z</updated>"
        f"<published>2026-11-20T09:00:00Z</published><link href='https://agency{n}.example/a'/>"
        f"<summary>Сотрудники таможни номер {n} прошли курс по контролю контейнеров.</summary></entry>"
    )
    return (
        f"<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='ru'><id>f{n}</id><title>Агентство {n}</title>"
        f"<updated>2026-11-20T09:00:00Z</updated>{entry}</feed>"
    ).encode()


def json_feed(n: int) -> bytes:
    item = {"id": f"j{n}", "title": f"Youth forum {n} opens", "url": f"https://agency{n}.example/j"}
    item["content_text"] = (
        f"A youth forum number {n} opened in Ashgabat with talks on drug prevention."
    )
    version = "https://jsonfeed.org/version/1.1"
    return json.dumps({"version": version, "title": f"J {n}", "items": [item]}).encode()


def page(n: int) -> bytes:
    return (
        f"<html lang=en><head><title>Border meeting {n} | Ministry</title><meta property=og:title "
        f"content='Border meeting {n}'><meta property='article:published_time' content="
        f"'2026-11-{10 + n:02d}T10:00:00+05:00'></head><body><article><h1>Border meeting {n}</h1><p>Border "
        f"officers of both countries met for the meeting number {n} and agreed on joint patrols of the river."
        "</p><p>The next meeting takes place in spring, the ministry said in its statement.</p></article>"
        "</body></html>"
    ).encode()


def conditional(body: bytes, kind: str) -> Route:
    def answer(asked: Asked) -> Reply:
        tag = f'"{hash(body) & 0xFFFF:x}"'
        if asked.headers.get("If-None-Match") == tag:
            return Reply(status=304, headers={"ETag": tag})
        return Reply(body, headers={"ETag": tag, "Content-Type": kind})

    return answer


FAULTS: dict[str, tuple[Route, str]] = {
    "missing": (Reply(status=404), "answered 404"),
    "gone": (Reply(status=410), "answered 410"),
    "broken": (Reply(status=500), "answered 500"),
    "busy": (Reply(status=429, headers={"Retry-After": "7200"}), "answered 429"),
    "page": (Reply(b"<html><body><h1>Hello</h1></body></html>", headers={"Content-Type": "text/html"}), "not a feed"),
    "challenge": (Reply(b"<html><title>Just a moment...</title></html>", 403, {"Content-Type": "text/html", "cf-mitigated": "challenge"}), "checks for robots"),
    "login": (Reply(status=401), "login"),
    "loop": (Reply(status=302, headers={"Location": "/loop"}), "redirect"),
    "inward": (Reply(status=302, headers={"Location": "http://169.254.169.254/meta"}), ""),
    "garbage": (Reply(bytes(range(256)) * 50), ""),
    "empty": (Reply(b""), "empty"),
    "consent": (Reply(b"<html><title>Before you continue: cookie consent</title></html>", headers={"Content-Type": "text/html"}), "consent"),
    "packed": (Reply(gzip.compress(bytes(6 * 2**20)), headers={"Content-Encoding": "gzip"}), "larger than 5 MiB"),
    "headers": (Reply(rss(98), headers={"X-Long": "x" * 2**20}), "headers are larger"),
}  # fmt: skip


def letter(n: int, sender: str = "press@ministry.example") -> bytes:
    return (
        f"From: Press office <{sender}>\r\nTo: desk@news.example\r\nMessage-ID: <{n}@ministry.example>\r\n"
        f"Date: Mon, {1 + n % 28} Nov 2026 10:00:00 +0500\r\nSubject: Seizure number {n} in Lebap\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        f"LEBAP. Officers seized heroin in case number {n}, the ministry said in a statement today.\r\n"
    ).encode()


@contextmanager
def reading(folder: Path, tables: Sequence[Mapping[str, object]]) -> Iterator[Newsroom]:
    """A newsroom with these sources."""
    lines = []
    for table in tables:
        lines += ["[[sources]]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    text = CONFIG.read_text("utf-8")
    start, end = text.index("[[sources]]"), text.index("[[themes]]")
    config = folder / "config.toml"
    config.write_text(text[:start] + "\n".join(lines) + "\n\n" + text[end:], "utf-8")
    settings = settings_from(config.read_text("utf-8"), config)
    with open_database(folder / "digest.db", now=MADE_AT, busy_timeout_seconds=5) as db:
        yield opened(db, settings, clock=NOW)


@pytest.fixture
def room(tmp_path: Path, net: Net) -> Iterator[Newsroom]:
    """Sixty sources: feeds of three forms, pages, a sitemap, a maildir, and one for each fault."""
    tables: list[dict[str, object]] = []

    def add(name: str, kind: str, **keys: object) -> None:
        tables.append({"name": name, "kind": kind, **keys})

    for n in range(FEEDS):
        body, kind = [
            (rss(n), "application/rss+xml"),
            (atom(n), "application/atom+xml"),
            (json_feed(n), "application/feed+json"),
        ][n % 3]
        site = net.serve(f"127.0.1.{n + 1}", {"/feed": conditional(body, kind)})
        add(f"feed-{n}", "feed", url=f"{site.root}/feed", **NEAR)
    routes: dict[str, Route] = {
        f"/{n}.html": conditional(page(n), "text/html") for n in range(PAGES)
    }
    site = net.serve("127.0.2.1", routes)
    links = "".join(
        f"<a href='/{n}.html'>Border meeting {n} of both countries</a>" for n in range(PAGES)
    )
    routes["/list"] = conditional(
        f"<html><body><main>{links}</main></body></html>".encode(), "text/html"
    )
    places = "".join(f"<url><loc>{site.root}/{n}.html</loc></url>" for n in range(PAGES))
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    routes["/map"] = conditional(f"<urlset xmlns='{space}'>{places}</urlset>".encode(), "text/xml")
    add("listing", "pages", url=f"{site.root}/list", **NEAR)
    add("sitemap", "pages", url=f"{site.root}/map", **NEAR)
    add("addresses", "pages", urls=[f"{site.root}/1.html", f"{site.root}/2.html"], **NEAR)
    add("private", "feed", url=f"{net.sites[0].root}/feed")
    refused: dict[str, Route] = {
        "/robots.txt": Reply(b"User-agent: *\nDisallow: /"),
        "/feed": Reply(rss(99)),
    }
    add("robots", "feed", url=f"{net.serve('127.0.2.2', refused).root}/feed", **NEAR)
    for n, (name, (route, _)) in enumerate(FAULTS.items()):
        site = net.serve(f"127.0.3.{n + 1}", {f"/{name}": route})
        add(name, "feed", url=f"{site.root}/{name}", **NEAR)
    for folder in ("new", "cur", "tmp"):
        (tmp_path / "mail" / folder).mkdir(parents=True)
    for n in range(LETTERS):
        sender = "stranger@spam.example" if n == 7 else "press@ministry.example"
        (tmp_path / "mail" / "new" / f"{n:03d}").write_bytes(letter(n, sender))
    add("letters", "mail", path="mail", senders=["@ministry.example"])
    with reading(tmp_path, tables) as made:
        yield made


def later(room: Newsroom, **time: float) -> IngestReport:
    return ingest(opened(room.db, room.settings, clock=NOW + timedelta(**time)))


def test_one_process_asks_at_a_time_and_the_other_says_so(room: Newsroom, net: Net) -> None:
    with sole_poller(room.db.path):
        report = ingest(room)
    assert report.polled == 0
    assert report.unanswered == [
        "Another process is asking the sources, so they are not asked here."
    ]
    assert [site.asked for site in net.sites if site.asked] == []
    with sole_poller(room.db.path) as is_alone:
        assert is_alone


def test_sixty_sources_are_read_and_none_stops_another(room: Newsroom, net: Net) -> None:
    """For the desk: all that can be read is, each fault is named in plain words, and nothing comes twice."""
    assert len(room.settings.sources) == 60
    asked: list[int] = []
    report = ingest(room, asking=lambda left: asked.append(len(left)) or left)
    assert asked == [60]
    said = {line.split(": ")[0].removeprefix("source "): line for line in report.unanswered}
    assert set(said) == {*FAULTS, "private", "robots"}
    assert [name for name, (_, words) in FAULTS.items() if words not in said[name]] == []
    feeds = sum([3, 1, 1][n % 3] for n in range(FEEDS))
    by_source = {
        row["name"]: row["count"]
        for row in room.db.rows(
            """SELECT sources.name, count(*) AS count FROM articles JOIN sources
                ON sources.id = source_id GROUP BY 1"""
        )
    }
    assert sum(count for name, count in by_source.items() if name.startswith("feed")) == feeds
    assert (by_source["listing"], by_source["sitemap"], by_source["addresses"]) == (PAGES, PAGES, 2)
    assert by_source["letters"] == LETTERS - 1
    assert room.db.value("SELECT count(*) FROM arrivals WHERE kind != 'waits'") == 0
    [waiting] = waiting_letters(room.db)
    with room.db.write():
        assert accept_letter(room.db, waiting["id"])

    for site in net.sites:
        site.asked.clear()
    changes = room.db.value("SELECT count(*) FROM article_versions")
    again = later(room, days=1)
    assert (len(again.added), again.revised) == (1, [])  # the letter that was accepted
    assert room.db.value("SELECT count(*) FROM article_versions") == changes + 1
    asked = [
        one for site in net.sites[: FEEDS + 1] for one in site.asked if one.path != "/robots.txt"
    ]
    assert asked
    assert all("If-None-Match" in one.headers for one in asked)
    assert later(room, days=1).polled == 0


def test_what_changes_at_every_asking_settles(tmp_path: Path, net: Net) -> None:
    """For readers: one correction is seen at once; a rotating advert makes no version a day."""
    form = 0

    def feed(_: Asked) -> Reply:
        text = rss(1, 1).replace(
            b"2026.</des", f"2026. Offer number {form} of today.</des".encode()
        )
        return Reply(text, headers={"ETag": f'"{form}"'})

    url = f"{net.serve('127.0.1.1', {'/feed': feed}).root}/feed"
    table: dict[str, object] = {
        "name": "a",
        "kind": "feed",
        "url": url,
        "every_minutes": 60,
        **NEAR,
    }
    with reading(tmp_path, [table]) as room:
        versions: list[int] = []
        for form in range(40):
            later(room, hours=1.1 * form)
            versions.append(room.db.value("SELECT count(*) FROM article_versions"))
        assert versions[:3] == [1, 2, 3]
        assert versions[-1] == 5
        later(room, days=10)  # it changes no more: its last form is read all the same
        assert "number 39" in room.db.value("SELECT text FROM articles")


def test_two_sources_of_one_outlet_show_a_release_once(tmp_path: Path, net: Net) -> None:
    """For readers: its feed, its thematic feed and its listing are one story, with no link to itself."""
    address, words = (
        "/0.html",
        b"Border officers of both countries met for the meeting number 0 and agreed",
    )
    item = b"<item><title>Border meeting 0</title><link>/0.html?utm_source=%s</link><description>%s...</description></item>"
    feeds = {
        f"/{name}": Reply(b"<rss version='2.0'><channel>" + item % (name.encode(), words[:length]) + b"</channel></rss>")
        for name, length in (("all", 40), ("border", 73))
    }  # fmt: skip
    listing = Reply(
        f"<main><a href='{address}'>Border meeting 0 of both countries</a></main>".encode()
    )
    site = net.serve("127.0.1.1", {address: Reply(page(0)), "/list": listing, **feeds})
    tables: list[dict[str, object]] = [
        {"name": name, "kind": kind, "url": f"{site.root}/{name}", **NEAR}
        for name, kind in (("all", "feed"), ("border", "feed"), ("list", "pages"))
    ]
    with reading(tmp_path, tables) as room:
        assert len(later(room).added) == 3
        articles = list(each_article(room.db, range(1, 4)))
        assert len({(one.story_id, one.url) for one in articles}) == 1
        assert siblings_of(room.db, range(1, 4)) == {}
        assert [placed.siblings for placed in order_placements(articles)] == [()] * 3


def test_a_feed_that_is_made_anew_brings_nothing_new(tmp_path: Path, net: Net) -> None:
    """For the desk: a source that only touches its dates of change is quiet, and is asked seldom."""
    touched = 0

    def feed(_: Asked) -> Reply:
        return Reply(
            atom(1).replace(b"09:00:00Z</updated><pub", b"09:00:%02dZ</updated><pub" % touched)
        )

    url = f"{net.serve('127.0.1.1', {'/feed': feed}).root}/feed"
    with reading(tmp_path, [{"name": "a", "kind": "feed", "url": url, **NEAR}]) as room:
        for touched in range(3):
            later(room, days=touched)
        assert room.db.value("SELECT news_at FROM polls") == text_from_moment(NOW)


@pytest.mark.parametrize("kind", ["pages", "feed"])
def test_a_corrected_page_is_read_again(tmp_path: Path, net: Net, kind: str) -> None:
    """For readers of an agency that corrects itself: asked by its validators, less and less, then no more."""
    text = {"/1.html": page(1), "/2.html": page(2)}

    def now(path: str) -> Route:
        return lambda asked: conditional(text[path], "text/html")(asked)

    routes: dict[str, Route] = {path: now(path) for path in text}
    site = net.serve("127.0.4.1", routes)
    links = "".join(f"<a href='{path}'>Border meeting of both countries</a>" for path in text)
    items = "".join(
        f"<item><title>Border meeting {path}</title><link>{site.root}{path}</link></item>"
        for path in text
    )
    routes["/list"] = Reply(
        f"<rss version='2.0'><channel><title>A</title>{items}</channel></rss>".encode()
        if kind == "feed"
        else f"<html><body><main>{links}</main></body></html>".encode(),
        headers={"Content-Type": "text/html" if kind == "pages" else "application/rss+xml"},
    )
    config = CONFIG.read_text("utf-8")
    start, end = config.index("[[sources]]"), config.index("[[themes]]")
    table = (
        f'[[sources]]\nname = "agency"\nkind = "{kind}"\nurl = "{site.root}/list"\nallow_private = true\n'
        f"pause_seconds = 0.0\nevery_minutes = 30\n{'full_text = true' if kind == 'feed' else ''}\n\n"
    )
    settings = settings_from(config[:start] + table + config[end:], tmp_path / "config.toml")
    with open_database(tmp_path / "digest.db", now=MADE_AT, busy_timeout_seconds=5) as db:
        room = opened(db, settings, clock=NOW)
        assert len(ingest(room).added) == 2
        text["/1.html"] = page(1).replace(b"joint patrols", b"no joint patrols")
        site.asked.clear()
        assert later(room, minutes=40).revised == []
        assert [one.path for one in site.asked if "html" in one.path] == []
        assert len(later(room, minutes=80).revised) == 1
        asked = [one for one in site.asked if "html" in one.path]
        assert sorted(one.path for one in asked) == ["/1.html", "/2.html"]
        assert all("If-None-Match" in one.headers for one in asked)
        del routes["/1.html"]
        for hours in (7, 8, 25, 26, 73, 74):
            report = later(room, hours=hours)
            assert (report.revised, report.unanswered) == ([], [])
        site.asked.clear()
        assert later(room, days=5).polled == 1
        assert [one.path for one in site.asked if "html" in one.path] == []
        kept = json.loads(db.value("SELECT validators FROM polls"))
        assert [url for url in kept if "html" in url] == []


def test_a_long_listing_is_read_in_rounds_the_older_half_as_archive(
    tmp_path: Path, net: Net
) -> None:
    """For the next edition: the newest come into it, whichever round brings them; no page is left out, and each
    is asked again in time although the source has its own slow pace."""
    paths = [f"/{n}.html" for n in range(30)]
    routes: dict[str, Route] = {
        path: Reply(page(1).replace(b"Border meeting 1", f"Border meeting {n}".encode()))
        for n, path in enumerate(paths)
    }
    for place, some, after in (
        ("/list", paths[:15], "<a rel=next href='/more'>more</a>"),
        ("/more", paths[15:], ""),
    ):
        links = "".join(f"<a href='{path}'>Border meeting of both countries</a>" for path in some)
        routes[place] = Reply(f"<html><body><main>{links}</main>{after}</body></html>".encode())
    site = net.serve("127.0.1.1", routes)
    table: dict[str, object] = {"name": "a", "kind": "pages", "url": f"{site.root}/list", **NEAR}
    with reading(tmp_path, [table]) as room:
        assert len(later(room).added) == 20
        assert later(room, minutes=5).polled == 0
        assert len(later(room, minutes=12).added) == 10
        old = "SELECT count(*) FROM articles WHERE archived = 1"
        assert room.db.value(old) == 10
        for hours in (1.3, 1.5, 6.3, 6.5, 24.3, 24.5, 72.3, 72.5):
            site.asked.clear()
            later(room, hours=hours)
            asked = [one.path for one in site.asked if "html" in one.path]
            assert len(asked) in (10, 20), hours
        site.asked.clear()
        assert later(room, hours=74).polled == 0  # at its own pace from now on
