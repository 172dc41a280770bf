"""Pages: what they state becomes the article, and nothing that they do not."""

import gzip
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.config.settings import Recipe
from digest.errors import DocumentError
from digest.model import UNDATED, FoundItem, Picture
from digest.sources.pages import explain, links_of, read_page, read_sitemap
from tests.conftest import grows_in_proportion

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Ashgabat")
URL = "https://news.example/story"
SHAPES = Path(__file__).parents[1] / "data" / "pages"
"""Pages as content management systems make them; the first line says what each states."""

COPY = {
    "en": {
        "title": "Customs officers complete a course on container control",
        "site": "Ministry Herald",
        "author": "Anna Berdiyeva",
        "section": "Border management",
        "day": "12 November 2026",
        "p1": "ASHGABAT, 11 November – Twenty officers of the customs service completed a five-day course on the control of containers in the port.",
        "p2": "They practised how to choose containers for inspection, how to read declarations, and how to share what they find with partners in the region.",
        "p3": "The course continues in the spring with officers of the border service and the police, the organisers said.",
        "p4": "This is a remark that nobody needs to read in a digest.",
    },
    "ru": {
        "title": "Таможенники завершили курс по контролю контейнеров",
        "site": "Вестник министерства",
        "author": "Анна Бердыева",
        "section": "Граница",
        "day": "12 ноября 2026 г.",
        "p1": "АШХАБАД, 11 ноября – Двадцать сотрудников таможенной службы завершили пятидневный курс по контролю контейнеров в порту.",
        "p2": "Они учились выбирать контейнеры для досмотра, читать декларации и делиться сведениями с партнёрами в регионе.",
        "p3": "Весной курс продолжится с сотрудниками пограничной службы и полиции, сообщили организаторы.",
        "p4": "Это замечание читателя, которое в дайджесте никому не нужно.",
    },
    "tk": {
        "title": "Gümrük işgärleri konteýnerlere gözegçilik boýunça okuwy tamamladylar",
        "site": "Ministrligiň habarlary",
        "author": "Aýna Berdiýewa",
        "section": "Serhet",
        "day": "12-nji noýabr 2026",
        "p1": "AŞGABAT, 11-nji noýabr – Gümrük gullugynyň ýigrimi işgäri portda konteýnerlere gözegçilik boýunça bäş günlük okuwy tamamladylar.",
        "p2": "Olar konteýnerleri barlag üçin saýlamagy, jarnamalary okamagy we sebitdäki hyzmatdaşlar bilen maglumat alyşmagy öwrendiler.",
        "p3": "Guramaçylaryň aýtmagyna görä, okuw ýazda serhet gullugynyň we polisiýanyň işgärleri bilen dowam eder.",
        "p4": "Bu okyjynyň belligi, ol habarnamada hiç kime gerek däl.",
    },
}


def page(shape: str, language: str = "en") -> str:
    words = SHAPES.joinpath(f"{shape}.html").read_text(encoding="utf-8").partition("\n")[2]
    return Template(words).substitute(COPY[language], lang=language)


def read(
    body: str | bytes, recipe: Recipe | None = None, content_type: str = "text/html", url: str = URL
) -> FoundItem:
    data = body.encode() if isinstance(body, str) else body
    return read_page(
        data, url=url, content_type=content_type, recipe=recipe or Recipe(), now=NOW, zone=ZONE
    )


def article(head: str = "", body: str = "", **other: str) -> str:
    copy = COPY["en"] | other
    paragraphs = "".join(f"<p>{copy[key]}</p>" for key in ("p1", "p2", "p3"))
    return f"<html lang=en><head><title>{copy['title']}</title>{head}</head><body><main><h1>{copy['title']}</h1>{body}{paragraphs}</main></body></html>"


@pytest.mark.parametrize("language", COPY)
@pytest.mark.parametrize("shape", sorted(path.stem for path in SHAPES.glob("*.html")))
def test_page_of_each_system(shape: str, language: str) -> None:
    """Title, day, author and text are those of the article; a page without a day gets none."""
    expected = SHAPES.joinpath(f"{shape}.html").read_text(encoding="utf-8").split()[1:4]
    copy = COPY[language]
    item = read(page(shape, language))
    assert item.title == copy["title"]
    assert item.author == (copy["author"] if "author" in expected else None)
    assert item.published.day == (None if "none" in expected else date(2026, 11, 12))
    instant = datetime(2026, 11, 12, 8, 15, tzinfo=UTC) if "time" in expected else None
    assert item.published.time == instant
    assert all(f"{copy[part]}</p>" in item.html for part in ("p1", "p2", "p3"))
    assert copy["p4"] not in item.html or shape == "newspaper"
    assert item.complete
    assert item.language in (language, None)


@pytest.mark.parametrize(
    ("words", "day", "hour"),
    [
        ("2026-11-12", 12, None),
        ("2026-11-12T00:00:00+05:00", 12, None),
        ("2026-11-12T01:15:00+0500", 12, "2026-11-11T20:15:00+00:00"),
        ("2026-11-12 13:15:00", 12, "2026-11-12T08:15:00+00:00"),
        ("2026-11-12T08:15:00.123456789Z", 12, "2026-11-12T08:15:00+00:00"),
        ("2026/11/12 08:15:00 UTC", 12, "2026-11-12T08:15:00+00:00"),
        ("20261112T081500Z", 12, "2026-11-12T08:15:00+00:00"),
        ("20261112", 12, None),
        ("1794471300", 12, "2026-11-12T08:15:00+00:00"),
        ("1794471300000", 12, "2026-11-12T08:15:00+00:00"),
        ("Thu, 12 Nov 2026 13:15:00 +0500", 12, "2026-11-12T08:15:00+00:00"),
        ("12 ноября 2026, 13:15", 12, None),
        ("November 12, 2026", 12, None),
        ("2026-11-30T18:00:00", 30, None),
        ("2026-11-30T18:00:00Z", None, None),
        ("11/10/2026", None, None),
        ("2026-13-45", None, None),
        ("2026-11", None, None),
        ("2027-01-01", None, None),
        ("1970-01-01", None, None),
        ("9" * 13, None, None),
        ("", None, None),
    ],
)
def test_forms_of_dates(words: str, day: int | None, hour: str | None) -> None:
    """A day without an hour stays a day; a day of the future, or of two meanings, is unknown."""
    found = read(article(f'<meta property="article:published_time" content="{words}">')).published
    assert found.day == (day and date(2026, 11, day))
    assert found.time == (hour and datetime.fromisoformat(hour))


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("Veröffentlicht am Donnerstag, 12. November 2026, 19:51 Uhr", 12),
        ("Publié le 12 novembre 2026 à 9h", 12),
        ("12 de noviembre de 2026", 12),
        ("12 listopada 2026", 12),
        ("November 12th, 2026 in", 12),
        ("12.11.26", 12),
        ("2026年11月12日", 12),
        ("Thu Nov 12 15:28:56 CET 2026", 12),
        ("11/12/2026", None),
        ("12 November 2026 – 13 November 2026", None),
        ("2026-11-12 (12 ноября 2026)", 12),
        ("2026-11-12, updated 14 November 2026", None),
    ],
)
def test_day_beside_the_heading(words: str, day: int | None) -> None:
    """A line with little but a day, next to the heading, says when it was published, in many languages."""
    found = read(article(body=f"<p>{words}</p>")).published.day
    assert found == (day and date(2026, 11, day))
    far = read(article().replace("</main>", f"<p>{words}</p></main>"))
    labelled = "Publi" in words or "Veröff" in words
    assert (far.published.day is not None) == labelled


@pytest.mark.parametrize(
    ("head", "body", "day"),
    [
        ("", "<div class=submitted>Saved by anna on 12 November 2026 - 18:55</div>", 12),
        ("", "<aside class=article-aside><i class=article-date>12.11.2026</i></aside>", 12),
        ("", "<div class='left relative'><i class=post-date>12.11.2026</i></div>", 12),
        ("", "<span class='post-date updated'>12.11.2026</span>", 12),
        ("", "<span class=updated>12.11.2026</span>", None),
        ("", "<div id=artikeldatum>online: 12.11.2026</div>", 12),
        ("", "<div class=box><b>Today</b><i>12.11.2026</i></div>", 12),
        ("<link rel=canonical href=/2026/11/12/a-story/>", "", 12),
        ("<link rel=canonical href=/2026/11/>", "", None),
        ("<link rel=canonical href=/2026/11/12/3>", "", None),
    ],
)
def test_where_a_day_is(head: str, body: str, day: int | None) -> None:
    """Names of elements that state a day; an address says under which day its site files it."""
    assert read(article(head, body)).published.day == (day and date(2026, 11, day))


def test_day_of_an_event_is_not_that_of_its_page() -> None:
    """A lone day beside the heading of an event is that of the event."""
    page = article(body="<p>12 November 2026</p>")
    assert read(page, url="https://news.example/news/5").published.day == date(2026, 11, 12)
    assert read(page, url="https://news.example/events/5").published.day is None
    assert read(page.replace("<body>", "<body class=single-event>")).published.day is None


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "utf-16"])
@pytest.mark.parametrize("named", ["right", "nowhere", "wrong"])
def test_encodings(encoding: str, named: str) -> None:
    """Russian reads as Russian whatever the page or its server says of its encoding."""
    said = {"right": encoding, "nowhere": "", "wrong": "utf-8"}[named]
    body = page("bitrix", "ru").replace("UTF-8", said).replace("–", "-").encode(encoding)
    item = read(body, content_type=f"text/html; charset={said}")
    assert item.title == COPY["ru"]["title"]
    assert COPY["ru"]["p2"] in item.html


def test_few_broken_characters_spoil_nothing() -> None:
    """A broken byte in a comment does not refuse the page."""
    body = page("wordpress-yoast", "ru").encode().replace("Это".encode(), b"\xd0\xff\xd1", 1)
    assert read(body).title == COPY["ru"]["title"]
    with pytest.raises(DocumentError, match="not readable"):
        read(b"\x00\x01\x02" * 200)


def test_recipe_wins() -> None:
    """The selectors of a source come before all that the page states; what they miss is found as usual."""
    body = article(
        '<meta property="article:published_time" content="2026-11-01">',
        '<b class="t">Another title</b><i class="d">12.11.2026</i><u class="a">Other Person</u>'
        '<div class="x"><p>A text that only the recipe finds, <a href="https://a.example/">long</a> enough.</p></div>',
    )
    recipe = Recipe(title=".t", date="i.d", author="u", text=".x")
    item = read(body, recipe)
    assert (item.title, item.author) == ("Another title", "Other Person")
    assert item.published.day == date(2026, 11, 12)
    assert "only the recipe finds" in item.html
    assert COPY["en"]["p1"] not in item.html
    assert read(body, Recipe(date=".no")).published.day == date(2026, 11, 1)
    with pytest.raises(DocumentError, match=r"recipe\.date is no CSS selector: x\|a"):
        read(body, Recipe(date="x|a"))
    shown = explain(
        body.encode(), url=URL, content_type="", recipe=Recipe(title=".t"), now=NOW, zone=ZONE
    )
    assert shown["title"] == ("Another title", "recipe")
    assert shown["published"].where == "article:published_time"
    assert shown["author"] == (None, "unknown")


@pytest.mark.parametrize(
    ("tab", "head", "title"),
    [
        ("A good title | Herald", '<meta property="og:site_name" content="Herald">', "A good title"),
        ("Herald: A good title", '<meta property="og:site_name" content="Herald">', "A good title"),
        ("Wait - a good title - Herald", '<meta name="og:title" content="Wait - a good title">', "Wait - a good title"),
        ("Visit: what comes next", "", "Visit: what comes next"),
    ],
)  # fmt: skip
def test_title_without_site(tab: str, head: str, title: str) -> None:
    """The name of the site is no part of a title, but a dash or colon within it is."""
    body = article(head).replace(f"<title>{COPY['en']['title']}", f"<title>{tab}")
    assert read(body.replace(f"<h1>{COPY['en']['title']}</h1>", "")).title == title


@pytest.mark.parametrize(
    ("tab", "head", "body"),
    [
        ("Our portal", "", "<h1>A good title of it</h1>"),
        ("A good title of it", "", "<h1>Our portal</h1><h3>A good title of it</h3>"),
        ("A good title of it — Portal", "<meta property='og:title' content='Our portal'>", "<h1>A good title of it</h1>"),
        ("A good title of it", "", "<h2>A good title</h2><h2>A good title of it</h2>"),
        ("A good title of it | Our portal with a long name", "", "<h1 class=site-title>Our portal with a long name</h1><h2>A good title of it</h2>"),
        ("Short", "<meta property='og:title' content='A good title of it'><script type='application/ld+json'>{'@type':'Article','headline':'Short'}</script>".replace("'", '"'), "<h1>A good title of it</h1>"),
        ("", "<script type='application/ld+json'>{'@type':'Article','headline':'The longest title that anybody ever saw…'}</script>".replace("'", '"'),
         "<h1>The longest title that anybody ever saw on a page</h1>"),
    ],
)  # fmt: skip
def test_title_where_parts_of_the_page_differ(tab: str, head: str, body: str) -> None:
    """What the tab and a heading agree on comes first; a cut headline is completed."""
    whole = article(head, body).replace(f"<title>{COPY['en']['title']}", f"<title>{tab}")
    title = read(whole.replace(f"<h1>{COPY['en']['title']}</h1>", "")).title
    assert title in ("A good title of it", "The longest title that anybody ever saw on a page")


@pytest.mark.parametrize(
    ("author", "kept"),
    [
        ("By Anna Berdiyeva", "Anna Berdiyeva"),
        ("Автор: Анна Бердыева", "Анна Бердыева"),
        ("Anna Berdiyeva (anna@news.example)", "Anna Berdiyeva"),
        ("anna@news.example", None),
        ("admin", None),
        ("Super User", None),
        ("https://facebook.example/anna", None),
        ("Anna Berdiyeva, admin, Bob Jones", "Anna Berdiyeva, Bob Jones"),
        ("Von Justus von Daniels", "Justus von Daniels"),
        ("Anna Berdiyeva (www.news.example)", "Anna Berdiyeva"),
        ("Ministry Herald, Hamburg, Germany", None),
    ],
)
def test_author(author: str, kept: str | None) -> None:
    """People, without their address; an account of the system is none."""
    head = '<meta property="og:site_name" content="Ministry Herald">'
    assert read(article(f'{head}<meta name="author" content="{author}">')).author == kept


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("", "<div class=meta-author>By <a href=/author/anna>Anna Berdiyeva</a> on a day</div>"),
        (
            '<script type="application/ld+json">{"@graph":[{"@type":"Article","author":{"@id":"#1"}},'
            '{"@type":"Person","@id":"#1","name":"Anna Berdiyeva"}]}</script>',
            "",
        ),
    ],
)
def test_author_elsewhere(head: str, body: str) -> None:
    """The link of a byline, or a person whom the JSON-LD names by a reference."""
    assert read(article(head, body)).author == "Anna Berdiyeva"


@pytest.mark.parametrize(
    ("stated", "url"),
    [
        ("https://news.example/other?utm_source=a&id=3#top", "https://news.example/other?id=3"),
        ("/other", "https://news.example/other"),
        ("https://www.news.example/other", "https://www.news.example/other"),
        ("https://evil.example/other", URL),
        ("http://news.example/other", URL),
        ("javascript:alert(1)", URL),
        ("https://news.example/", URL),
        ("https://[bad", URL),
    ],
)
def test_canonical_address(stated: str, url: str) -> None:
    """It is the key of the article, but only on the same site and over https."""
    item = read(article(f'<link rel="canonical" href="{stated}">'), url=f"{URL}?fbclid=1#x")
    assert item.url == item.key == url


def test_picture_categories_and_language() -> None:
    """The picture keeps its size, words and credit; a logo is none; the copy decides the language."""
    item = read(page("newspaper"))
    assert item.picture == Picture(
        "https://news.example/p.jpg", 800, 600, COPY["en"]["section"], "Photo: N"
    )
    assert read(page("wordpress-yoast")).picture == Picture("https://news.example/a.jpg", 1200, 800)
    assert read(page("wordpress-yoast")).categories == (COPY["en"]["section"],)
    assert read(article('<meta property="og:image" content="/img/logo.png">')).picture is None
    assert read(article(**COPY["ru"])).language is None
    assert read(page("portal", "ru")).language == "ru"


def test_copy_keeps_its_form_and_dateline() -> None:
    """Links, lists, headings, tables and quotes stay, and the dateline with the text."""
    more = '<h2>Head</h2><ul><li>one thing to do</li></ul><table><tr><td>a</td><td>b</td></tr></table><blockquote>A word said</blockquote><p>See <a href="/more">more of it</a> there.</p>'
    html = read(article(body=f"<p>{COPY['en']['p3']}</p>{more}")).html
    for part in ("<h2>", "<li>", "<td>", "<blockquote>", 'href="https://news.example/more"'):
        assert part in html
    assert "ASHGABAT, 11 November – " in html


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<title>Just a moment...</title><p>Checking your browser", "proof that a person"),
        ("<title>News</title><p>Subscribe to continue reading", "a subscription"),
        ("<title>News</title><p>Before you continue: accept all cookies?", "consent"),
        ("<title>App</title><div id=root></div><script src=/a.js></script>", "needs JavaScript"),
        ("<title>News</title><p>Hi", "no text that reads as an article"),
        ("", "is empty"),
        ("%PDF-1.7", "it is a PDF"),
        ("<div>" * 5000 + "x", "nested too deeply"),
        ("<p>" + "<b>x</b>" * 30_000, "25,000 tags"),
        ("<p>" + "<b>x</b>" * 300_000, "too many tags"),
        ("<p x='>' y\" " + " ".join(f"a{i}" for i in range(300_000)) + ">x", "many attributes"),
        ("<p>" + "word " * 900_000, "1,000,000 characters"),
        ("x" * 6_000_000, "larger than 5 MiB"),
    ],
)
def test_page_without_copy(body: str, says: str) -> None:
    """Each is named in plain words, with what one can do."""
    with pytest.raises(DocumentError, match=says):
        read(body)


def test_subscribers_part_is_no_article() -> None:
    """What the page says is not free, and is short, is the part outside of the wall."""
    head = '<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false}</script>'
    with pytest.raises(DocumentError, match="a subscription"):
        read(article(head))


LISTING = b"""<html><body><nav><a href="/about">What we do and whom we serve</a></nav>
<div class="news"><h2><a href="/news/1?utm_source=x">The first of the news today</a></h2><a href="/news/2#c">Read</a>
<a href="https://evil.example/news/3">A story of another site here</a><a href="/news/1">The first of the news today</a>
<a href="/page/4">Another story that is a page</a><a href="javascript:x()">Not a link at all really</a></div>
<a class="more" href="?page=2">Older</a><a rel="next" href="/news?page=9">Next</a></body></html>"""


def test_links_of_listing() -> None:
    """In order, once each, on the same site, without tracking; by selector, pattern or their words."""
    url, site = "https://news.example/news", "https://news.example"

    def links(recipe: Recipe, follow: str | None) -> tuple[list[str], str | None]:
        return links_of(LISTING, url=url, recipe=recipe, follow=follow)

    assert links(Recipe(), None) == ([f"{site}/news/1", f"{site}/page/4"], f"{site}/news?page=9")
    assert links(Recipe(), "/news/*")[0] == [f"{site}/news/1", f"{site}/news/2"]
    assert links(Recipe(), f"{site}/page/*")[0] == [f"{site}/page/4"]
    assert links(Recipe(links="h2", next=".more"), None) == (
        [f"{site}/news/1"],
        f"{site}/news?page=2",
    )
    with pytest.raises(DocumentError, match=r"recipe\.links"):
        links(Recipe(links="x|a"), None)


def sitemap(kind: str, inner: str) -> bytes:
    spaces = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'
    return f'<?xml version="1.0" encoding="UTF-8"?><{kind} {spaces}>{inner}</{kind}>'.encode()


def test_sitemaps() -> None:
    """Plain, of news, or an index; packed or not; entities and other files are refused."""
    plain = sitemap("urlset", f"<url><loc> {URL} </loc><lastmod>2026-11-12</lastmod></url>")
    assert read_sitemap(plain) == ("sitemap", [(URL, datetime(2026, 11, 12, tzinfo=UTC))])
    assert read_sitemap(gzip.compress(plain)) == read_sitemap(plain)
    stamp = "<news:news><news:publication_date>2026-11-12T13:15:00+05:00</news:publication_date></news:news>"
    news = sitemap("urlset", f"<url><loc>{URL}</loc>{stamp}</url><url><loc>ftp://x/</loc></url>")
    assert read_sitemap(news) == ("news", [(URL, datetime(2026, 11, 12, 8, 15, tzinfo=UTC))])
    index = sitemap("sitemapindex", f"<sitemap><loc>{URL}.xml</loc></sitemap>")
    assert read_sitemap(index) == ("index", [(f"{URL}.xml", None)])
    bomb = (
        b'<!DOCTYPE u [<!ENTITY a "https://x.example/"><!ENTITY b "&a;&a;">]>'
        + sitemap("urlset", "<url><loc>&b;</loc></url>").partition(b"?>")[2]
    )
    assert read_sitemap(bomb).entries == []
    for broken in (b"", b"<html></html>", b"\x1f\x8bxx", gzip.compress(b" " * 9_000_000)):
        with pytest.raises(DocumentError, match="sitemap"):
            read_sitemap(broken)


PIECES = st.sampled_from(
    [b"<html>", b"<h1>Title of it", b"<p>", b"text " * 40, b"<time datetime=", b"2026-11-12", b">",
     b"<script type='application/ld+json'>", b'{"@type":"Article",', b'"datePublished":', b"[" * 30,
     b"</script>", b"<meta name=date content=", b"\xff\xfe", b"\x00", b"<link rel=canonical href=https://[",
     b"<svg>", b"<table><tr><td>", b"<!--", b"<a href='//", b"&#0;&#x110000;", b"<urlset><url><loc>http://a"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.binary(max_size=20), max_size=25).map(b"".join), st.text(max_size=20))
@example(b'<p>x<script type="application/ld+json">' + b"[" * 100_000, "")
def test_no_bytes_raise_anything_else(body: bytes, content_type: str) -> None:
    """Whatever comes is an article, links, a sitemap, or a DocumentError."""
    for read_it in (
        lambda: read(body, content_type=content_type),
        lambda: links_of(body, url=URL, recipe=Recipe(), follow="*"),
        lambda: read_sitemap(body),
    ):
        with suppress(DocumentError):
            read_it()


def test_a_page_takes_time_in_proportion_to_what_is_on_it() -> None:
    """A long article among much else."""

    def work(size: int) -> None:
        body = article(body=f"<p>{COPY['en']['p2']}</p>" * size)
        body += "<div><time datetime=2026-11-20>x</time>word</div>" * (4 * size)
        assert read(body).published == UNDATED

    assert grows_in_proportion(work, 150)
