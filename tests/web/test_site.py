"""The site: what is kept in memory and for how long, where addresses lead, and what crawlers read."""

import asyncio
import html
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from digest.errors import NotFoundError, StoreError
from digest.mail.maildir import MaildirTransport
from digest.newsroom import Newsroom, make_environment
from digest.store.articles import withdraw_article
from digest.store.database import Database
from digest.web.about import PLACES
from digest.web.app import FeedApp
from digest.web.files import FileCache
from digest.web.site import ENTRY_BYTES, MOST_WAITING, Asked, Page, Place, Site, id_in, moved
from tests.desks import Desk
from tests.mailing import Office

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Visited:
    """A desk's site, its clocks in the test's hands, asked as an ASGI application."""

    def __init__(self, desk: Desk, places: tuple[Place, ...] = (), limit: int = 1_000_000) -> None:
        self.now, self.seconds = NOW, 0.0
        self.newsroom = Newsroom(desk.settings, lambda: self.now)  # type: ignore[arg-type] # the test's clock
        self.site = Site(self.newsroom, places or PLACES, limit=limit, seconds=lambda: self.seconds)
        files = FileCache(
            desk.settings.feeds.path,
            limit=1_000_000,
            cache_seconds=60,
            seconds=lambda: self.seconds,
        )
        self.app = FeedApp(files, desk.settings.feeds_url, {})
        self.app.serve(files, desk.settings.feeds_url, {}, desk.settings.site.base_url, self.site)

    def ask(self, path: str, method: str = "GET", query: bytes = b"", **headers: str) -> Answer:
        return asyncio.run(self.asked(path, method, query, **headers))

    async def asked(
        self, path: str, method: str = "GET", query: bytes = b"", **headers: str
    ) -> Answer:
        messages: list[Any] = []

        async def send(message: Any) -> None:
            messages.append(message)

        async def receive() -> dict[str, str]:
            return {"type": "http.request"}

        fields = [
            (name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()
        ]
        scope = {"type": "http", "method": method, "path": path, "headers": fields}
        await self.app(scope | {"query_string": query}, receive, send)
        sent = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        return Answer(messages[0]["status"], sent, messages[1]["body"])


class Counting:
    """A place whose page says how often it was made, and with which fields."""

    def __init__(
        self, path: str = "/{language}/counted/{name}", query: tuple[str, ...] = ()
    ) -> None:
        self.made = 0
        self.place = Place(path, self.page, query)

    def page(self, asked: Asked) -> Page:
        self.made += 1
        return Page(f"{self.made} {dict(asked.names)} {dict(asked.query)}".encode())


def texts(page: Answer, name: str) -> list[str]:
    return [str(one.text) for one in etree.fromstring(page.body).iter(f"{{*}}{name}")]


def test_a_page_is_made_once_until_the_database_changes(filled: Desk):
    """Within a second nobody looks; then the mark decides."""
    counting = Counting()
    visited = Visited(filled, (counting.place,))
    first = visited.ask("/en/counted/a")
    for visited.seconds in (0, 2):
        assert visited.ask("/en/counted/a").body == first.body
    assert visited.ask("/en/counted/a", if_none_match=first.headers["etag"]).status == 304
    with filled.open() as db, db.write():
        withdraw_article(db, 1, NOW)
    assert visited.ask("/en/counted/a").body == first.body
    visited.seconds = 4
    assert visited.ask("/en/counted/a").body.startswith(b"2 ")
    visited.seconds, visited.now = 6, NOW + timedelta(days=1)  # pages show the day
    assert visited.ask("/en/counted/a").body.startswith(b"3 ")


def test_of_many_who_ask_at_once_one_page_is_made(filled: Desk):
    """Single flight: also where the page takes long and where it fails."""
    counting, go = Counting(), threading.Event()

    def slow(asked: Asked) -> Page:
        counting.page(asked)
        go.wait(20)
        raise StoreError("busy")

    visited = Visited(filled, (counting.place, Place("/{language}/slow", slow)))

    async def many() -> list[int]:
        asked = [visited.asked(path) for path in ("/en/counted/a", "/en/slow") for _ in range(50)]
        asking = asyncio.gather(*asked)
        for _ in range(50):  # the look, and the first page
            await asyncio.sleep(0)
        go.set()
        return [one.status for one in await asking]

    assert asyncio.run(many()) == [200] * 50 + [503] * 50
    assert counting.made == 2


def test_what_changes_while_a_page_is_made_is_shown_next(filled: Desk):
    """The mark is of the page's own snapshot: a page never passes for newer than it is."""

    def page(asked: Asked) -> Page:
        before = asked.db.value("SELECT count(*) FROM articles WHERE withdrawn_at IS NULL")
        if not changed:
            changed.append(1)
            with filled.open() as db, db.write():
                withdraw_article(db, 1, NOW)
        assert before == asked.db.value("SELECT count(*) FROM articles WHERE withdrawn_at IS NULL")
        return Page(str(before).encode())

    changed: list[int] = []
    visited = Visited(filled, (Place("/{language}/count", page),))
    before = int(visited.ask("/en/count").body)
    visited.seconds = 2
    assert int(visited.ask("/en/count").body) == before - 1


def test_memory_has_a_bound_and_keeps_what_is_asked_for(filled: Desk):
    """The least recently asked go first; empty answers and redirects count too."""
    counting = Counting()
    visited = Visited(
        filled,
        (counting.place, Place("/{language}/moved/{name}", lambda _: moved("/en/"))),
        limit=20 * ENTRY_BYTES,
    )
    for number in range(100):
        visited.ask(f"/en/counted/{number}")
        visited.ask(f"/en/moved/{number}")
        visited.seconds += 2
        visited.ask("/en/counted/a")
        assert visited.site.held <= 20 * ENTRY_BYTES
    assert counting.made == 101
    assert 15 <= len(visited.site._kept) <= 20


def test_unknown_addresses_share_one_answer(filled: Desk):
    """In the language of the path, else the one accepted; it never repeats the address."""

    def page(asked: Asked) -> Page:
        raise NotFoundError("none")

    visited = Visited(filled, (Place("/{language}/things/{number:int}", page),))
    for number in range(1000):
        gone = visited.ask(f"/en/things/{number}")
        visited.ask(f"/xyz{number}")
    assert len(visited.site._kept) == 1
    assert (gone.status, gone.headers["content-type"]) == (404, "text/html; charset=utf-8")
    for path, accepted, language in (
        ("/ru/nothing", "en", "ru"),
        ("/ru/things/3", "en", "ru"),
        ("/nothing", "tk, ru-RU;q=0.8, en", "ru"),
        ("/de/", "", "en"),
        ("/<script>alert(1)", "", "en"),
        ("/en/things/007", "", "en"),
        ("/en/things/99999999999999999999", "", "en"),
        ("/en/things/-7", "", "en"),
    ):
        answer = visited.ask(path, accept_language=accepted)
        assert answer.status == 404
        assert f'<html lang="{language}"'.encode() in answer.body
        assert b"alert" not in answer.body
        assert "etag" not in answer.headers
        assert visited.ask(path, if_none_match="*").status == 404
    assert len(visited.site._kept) == 2


@pytest.mark.parametrize("text", ["007", "0", "-7", "٧", "", "7.0", "9" * 16, "9" * 5000])
def test_an_id_has_one_spelling(text: str):
    """So that a page has one address."""
    assert id_in("7") == 7
    assert id_in("0", least=0) == 0
    with pytest.raises(NotFoundError):
        id_in(text)


def test_a_name_may_be_digits(filled: Desk):
    """A theme or a digest of config.toml that is called 007."""
    named = Counting("/{language}/themes/{theme}")
    visited = Visited(filled, (named.place,))
    assert visited.ask("/en/themes/007").status == 200


def test_only_declared_fields_make_a_page(filled: Desk):
    """What a page does not read makes no other copy of it."""
    counting = Counting("/{language}/search", ("q", "theme"))
    plain = Counting("/{language}/plain")
    visited = Visited(filled, (counting.place, plain.place))
    for query in (b"q=a", b"q=a&utm=1", b"utm=2&q=b&q=a", b"q=+a+&theme=", b"q=a%00"):
        assert visited.ask("/en/search", query=query).body == b"1 {'language': 'en'} {'q': 'a'}"
    for number in range(50):
        visited.ask("/en/plain", query=f"number={number}".encode())
    assert plain.made == 1
    many = b"&".join(b"q%d=1" % number for number in range(10_000))
    assert visited.ask("/en/search", query=many + b"&q=a").body.endswith(b"{}")
    cleaned = "q=%E2%80%AEabc%FF\xff&theme=" + "x" * 60_000
    answer = visited.ask("/en/search", query=cleaned.encode("latin-1"))
    assert answer.status == 200
    assert "\u202e" not in answer.body.decode()
    assert len(answer.body) < 1000


def test_searches_wait_by_themselves(filled: Desk):
    """While many searches wait, one more is refused; pages and feeds are still answered."""
    go, counting = threading.Event(), Counting()

    def search(asked: Asked) -> Page:
        go.wait(20)
        return Page(b"found")

    visited = Visited(filled, (Place("/{language}/search", search, ("q",)), counting.place))
    filled.publish()

    async def flood() -> list[Answer]:
        asked = [
            asyncio.create_task(visited.asked("/en/search", query=b"q=%d" % number))
            for number in range(MOST_WAITING)
        ]
        await visited.asked("/en/counted/a")
        visited.seconds = 2  # the look passes the searches too
        others = [
            await visited.asked("/en/search", query=b"q=x"),
            await visited.asked("/en/counted/b"),
            await visited.asked("/feeds/all.atom"),
        ]
        go.set()
        return others + await asyncio.gather(*asked)

    refused, page, feed, *found = asyncio.run(flood())
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert refused.headers["cache-control"] == "no-store"
    assert (page.status, feed.status) == (200, 200)
    assert {one.status for one in found} == {200}


def test_a_page_that_takes_the_database_too_long_is_given_up(filled: Desk):
    """No page, however its query grows, holds a thread for long."""

    def page(asked: Asked) -> Page:
        visited.seconds += 100
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )
        return Page(str(asked.db.value(endless)).encode())

    visited = Visited(filled, (Place("/{language}/endless", page),))
    answer = visited.ask("/en/endless")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    "fault", [RuntimeError("secret"), StoreError("secret"), KeyError("secret")]
)
def test_a_fault_is_a_page_without_a_trace(filled: Desk, fault: Exception):
    """It is not kept: the next reader gets the page."""
    faults = [fault]

    def page(asked: Asked) -> Page:
        if faults:
            raise faults.pop()
        return Page(b"fine")

    visited = Visited(filled, (Place("/{language}/page", page),))
    answer = visited.ask("/en/page")
    assert answer.status == (503 if isinstance(fault, StoreError) else 500)
    assert b"secret" not in answer.body
    assert answer.headers.items() >= SAFE.items()
    assert visited.ask("/en/page").body == b"fine"


def test_a_broken_template_of_an_operator_is_replaced_by_ours(filled: Desk):
    """Readers see a page; the log says why it is ours."""
    folder = filled.folder / "own"
    (folder / "web").mkdir(parents=True)
    (folder / "web" / "missing.html").write_text("{{ nothing.at.all }}")
    visited = Visited(filled)
    own = replace(visited.newsroom, parts={"templates": make_environment(folder)})
    visited.site.newsroom = own
    assert visited.ask("/en/nothing").status == 404
    assert b"<h1" in visited.ask("/en/nothing").body


def test_head_and_other_methods(filled: Desk):
    """HEAD is GET without a body; nothing else reads."""
    counting = Counting()
    visited = Visited(filled, (counting.place,))
    got, head = (visited.ask("/en/counted/a", method) for method in ("GET", "HEAD"))
    assert head.body == b""
    for name in ("etag", "content-length", "cache-control", "content-security-policy"):
        assert head.headers[name] == got.headers[name]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        for path in ("/en/counted/a", "/en/nothing", "/", "/sitemap.xml"):
            answer = visited.ask(path, method)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
            assert answer.headers.items() >= SAFE.items()
    assert counting.made == 1


def test_every_answer_is_safe(filled: Desk):
    """Whatever is asked, also where nothing is, where it leads elsewhere, and feeds."""
    filled.publish()
    visited = Visited(filled)
    for path in ("/", "/en/", "/xx", "/feeds/all.atom", "/feeds/all.html", "/robots.txt", "/healthz", "/sitemap.xml", "/style.css"):  # fmt: skip
        answer = visited.ask(path)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        if path != "/style.css":
            assert answer.headers.items() >= SAFE.items(), path
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def public(desk: Desk, path: str = "") -> Visited:
    desk.edit_config(
        '# public_url = "https://news.example.org"',
        f'public_url = "https://news.example.org{path}"',
    )
    return Visited(desk)


@pytest.mark.parametrize("path", ["", "/digest"])
def test_pages_of_feeds_lead_to_the_site(filled: Desk, path: str):
    """Old addresses stay good; the list of feeds names the new ones; feeds are where they were."""
    visited = public(filled, path)
    filled.publish()
    for name, place in {
        "all.html": "/en/",
        "ru.html": "/ru/",
        "drugs.html": "/en/themes/drugs",
        "drugs.ru.html": "/ru/themes/drugs",
        "corrections.ru.html": "/ru/corrections",
        "articles/3.html": "/articles/3",
    }.items():
        answer = visited.ask(f"/feeds/{name}")
        assert (answer.status, answer.headers["location"]) == (301, path + place)
    assert visited.ask("/feeds/all.atom").status == 200
    assert visited.ask("/feeds/nothing.html").status == 404
    opml = visited.ask("/feeds/feeds.opml").body.decode()
    assert f'htmlUrl="https://news.example.org{path}/ru/themes/drugs"' in opml
    assert "all.html" not in opml
    with filled.open() as db:
        language = db.value("SELECT language FROM articles WHERE id = 3")
    answer = visited.ask(f"{path}/articles/3")
    assert (answer.status, answer.headers["location"]) == (301, f"{path}/{language}/articles/3")
    assert visited.ask("/", accept_language="ru").headers["location"] == f"{path}/ru/"


def test_without_an_address_for_others_pages_of_feeds_stay(filled: Desk):
    filled.publish()
    assert Visited(filled).ask("/feeds/all.html").status == 200


def test_a_withdrawn_article_is_gone(filled: Desk):
    """410 within a second, with our words and without its text; a 304 is never the answer."""
    visited = Visited(filled)
    page = visited.ask("/articles/3").headers["location"]
    with filled.open() as db:
        text = db.value("SELECT text FROM articles WHERE id = 3")[-60:]
        assert text in html.unescape(visited.ask(page).body.decode())
        with db.write():
            withdraw_article(db, 3, NOW)
    visited.seconds = 2
    gone = visited.ask(page)
    assert gone.status == visited.ask(page, "HEAD").status == 410
    assert text not in html.unescape(gone.body.decode())
    assert gone.headers.items() >= SAFE.items()
    assert visited.ask(page, if_none_match="*").status == 410


def test_robots_keep_to_what_is_worth_reading(filled: Desk):
    assert Visited(filled).ask("/robots.txt").body.decode().splitlines() == [
        "User-agent: *",
        "Disallow: /en/search",
        "Disallow: /ru/search",
    ]
    assert public(filled, "/digest").ask("/robots.txt").body.decode().splitlines() == [
        "User-agent: *",
        "Disallow: /digest/en/search",
        "Disallow: /digest/ru/search",
        "Sitemap: https://news.example.org/digest/sitemap.xml",
        "Sitemap: https://news.example.org/digest/news-sitemap.xml",
    ]


def hide(db: Database, article_id: int) -> None:
    db.run("UPDATE articles SET opens_at = '2027-01-01' WHERE id = ?", (article_id,))


def test_sitemaps_list_every_page_once(filled: Desk):
    """With translations, stories and last changes; without what is withdrawn or embargoed."""
    visited = public(filled)
    with filled.open() as db:
        with db.write():
            withdraw_article(db, 1, NOW)
            hide(db, 2)
        shown = db.rows("SELECT id, language FROM articles WHERE id > 2")
        stories = db.rows("SELECT lead_article_id AS id FROM stories WHERE lead_article_id > 2")
    assert texts(visited.ask("/sitemap.xml"), "loc") == [
        "https://news.example.org/sitemap-pages.xml",
        "https://news.example.org/sitemap-0.xml",
    ]
    part = visited.ask("/sitemap-0.xml")
    listed = texts(part, "loc")
    for row in shown:
        assert listed.count(f"https://news.example.org/{row['language']}/articles/{row['id']}") == 1
    assert len(listed) == len(shown) + 2 * len(stories)
    assert len(texts(part, "lastmod")) == len(listed)
    pairs: dict[str, Mapping[str, str]] = {
        str(entry.findtext("{*}loc")): {
            link.get("hreflang", ""): link.get("href", "") for link in entry.findall("{*}link")
        }
        for entry in etree.fromstring(part.body)
    }
    translated = {address: others for address, others in pairs.items() if others}
    assert any("/articles/" in address for address in translated)
    for address, others in translated.items():
        assert address in others.values()
        assert all(pairs[other] == others for other in others.values())
    assert visited.ask("/sitemap-1.xml").status == 404
    pages = texts(visited.ask("/sitemap-pages.xml"), "loc")
    assert len(set(pages)) == len(pages)
    assert {"https://news.example.org/ru/", "https://news.example.org/en/themes/drugs"} <= set(
        pages
    )


def test_the_sitemap_of_news_has_stated_days_of_the_last_two(filled: Desk):
    """An article without a date, an old one, and one from a source that gives a summary are not news."""
    visited = public(filled)
    with filled.open() as db, db.write():
        db.run(
            "UPDATE articles SET published_at = '2026-11-17', date_source = 'stated', complete = 1"
        )
        db.run("UPDATE articles SET published_at = NULL, date_source = 'unknown' WHERE id = 1")
        db.run("UPDATE articles SET published_at = '2023-04-04' WHERE id = 2")
        db.run("UPDATE articles SET complete = 0 WHERE id = 3")
        db.run("UPDATE articles SET archived = 1 WHERE id = 4")
        withdraw_article(db, 5, NOW)
        hide(db, 6)
        count = db.value("SELECT count(*) FROM articles")
    page = visited.ask("/news-sitemap.xml")
    assert len(texts(page, "loc")) == count - 6
    assert set(texts(page, "publication_date")) == {"2026-11-17"}
    assert set(texts(page, "language")) == {"en", "ru"}
    assert set(texts(page, "name")) == {filled.settings.site.title}
    visited.now, visited.seconds = NOW + timedelta(days=3), 5
    assert texts(visited.ask("/news-sitemap.xml"), "loc") == []


def test_threads_end_with_their_site(filled: Desk):
    """A reload makes another site; what the old one had goes."""

    before = set(threading.enumerate())
    for _ in range(5):
        site = Site(Newsroom(filled.settings), PLACES, limit=1_000_000, seconds=lambda: 0.0)
        assert asyncio.run(site.find("/en/", b"")) is not None
    del site
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(20)
            assert not thread.is_alive()


def test_what_sitemaps_list_is_there(filled: Desk):
    """Each page answers, may be indexed, and names itself as the one address of its content."""
    visited = public(filled)
    with filled.open() as db:
        office = Office(filled, db, transport=MaildirTransport(filled.folder / "outbox"))
        office.add("anna@reader.example", languages=("en",))
        office.compose()
        office.deliver()
        visited.now = office.now
    urls = [
        url for name in ("pages", "0") for url in texts(visited.ask(f"/sitemap-{name}.xml"), "loc")
    ]
    assert "https://news.example.org/en/editions/weekly/1" in urls
    for url in urls:
        page = visited.ask(url.removeprefix("https://news.example.org"))
        assert page.status == 200, url
        assert b"noindex" not in page.body
        assert f'<link rel="canonical" href="{url}">'.encode() in page.body
