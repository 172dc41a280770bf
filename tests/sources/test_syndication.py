"""Feeds as items: what is read, what is not made up, and that no bytes raise anything but our error."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.errors import DocumentError
from digest.model import UNDATED, DateSource, FoundItem, KnownDate, Picture
from digest.sources import syndication
from digest.sources.syndication import Feed, canonical, find_feeds, read_feed, read_opml, write_opml

URL = "https://press.example/news/feed.xml"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
LONG = "The ministry opened a new railway line between two towns on Monday. " * 20
SHORT = "The ministry opened a new railway line between two towns on Monday"


def rss(items: str, head: str = "", root: str = 'version="2.0"') -> bytes:
    namespaces = (
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/" '
        'xmlns:yandex="http://news.yandex.ru"'
    )
    title = "<title>Press</title><link>https://press.example/</link>"
    text = f"<rss {root} {namespaces}><channel>{title}{head}{items}</channel></rss>"
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()


def atom(entries: str, attributes: str = "") -> bytes:
    namespace = 'xmlns="http://www.w3.org/2005/Atom"'
    return f"<feed {namespace} {attributes}><title>Press</title>{entries}</feed>".encode()


def read(body: bytes, **options: Any) -> Feed:
    return read_feed(body, url=URL, now=NOW, **options)


def one(body: bytes, **options: Any) -> FoundItem:
    (item,) = read(body, **options).items
    return item


PLAIN = (
    "<item><title>Visit &amp;amp; talks</title><link>/2026/visit?utm_source=rss&amp;id=7#more</link>"
    "<guid isPermaLink='false'>press-7</guid><dc:creator>a.b@press.example (Ann Bee)</dc:creator>"
    "<pubDate>Mon, 30 Nov 2026 01:30:00 +0500</pubDate><category>Trade</category>"
    f"<description>{SHORT} [&amp;#8230;]</description>"
    f'<content:encoded><![CDATA[<p>{LONG}</p><img src="a.png">]]></content:encoded>'
    '<media:content url="/a.jpg" medium="image" width="640" height="360"/></item>'
)
EXPECTED = FoundItem(
    key="press-7",
    title="Visit & talks",
    html=f'<p>{LONG}</p><img src="https://press.example/news/a.png">',
    complete=True,
    url="https://press.example/2026/visit?id=7",
    guid="press-7",
    author="Ann Bee",
    published=KnownDate(
        date(2026, 11, 29), DateSource.STATED, time=datetime(2026, 11, 29, 20, 30, tzinfo=UTC)
    ),
    language="ru",
    categories=("Trade",),
    picture=Picture("https://press.example/a.jpg", 640, 360),
)


@pytest.mark.parametrize("before", ["", "<!-- made by hand -->"], ids=["quick", "thorough"])
def test_both_parsers_read_the_same(before: str) -> None:
    times = "<ttl>60</ttl><skipHours><hour>0</hour><hour>24</hour></skipHours>"
    days = "<skipDays><day>Sunday</day></skipDays>"
    body = rss(PLAIN, f"{before}<language>ru-RU</language>{times}{days}")
    assert (syndication._fast_feed(body) is None) == bool(before)
    assert read(body) == Feed(
        title="Press",
        language="ru",
        link="https://press.example/",
        items=(EXPECTED,),
        ttl=timedelta(hours=1),
        skip_hours=frozenset({0}),
        skip_days=frozenset({6}),
    )


@pytest.mark.parametrize("order", [1, -1], ids=["text first", "text last"])
def test_each_picture_has_its_own_words(order: int) -> None:
    """What describes a picture is not the text of the item, nor who took another one its author."""
    told = "&amp;lt;b&amp;gt;A field&amp;lt;/b&amp;gt; at dawn, long &amp;amp;amp; wide"
    parts = [
        "<description>Farmers met</description>",
        '<media:content url="/a.jpg" medium="image" width="900">'
        f"<media:description type='html'>{told}</media:description></media:content>",
        '<media:content url="/b.jpg" medium="image"><media:credit>Ann</media:credit></media:content>',
    ]
    item = one(rss(f"<item><title>A</title>{''.join(parts[::order])}</item>"))
    assert item.picture == Picture(
        "https://press.example/a.jpg", 900, None, "A field at dawn, long & wide"
    )
    assert "Farmers met" in item.html


ENTRY = (
    "<entry><title>Visit</title><id>tag:press.example,2026:7</id><link href='https://press.example/7'/>"
    "<published>2026-11-29T10:00:00Z</published><updated>2026-11-29T11:00:00Z</updated>"
    "<author><name>Ann</name></author><content type='html'>&lt;p&gt;Text&lt;/p&gt;</content></entry>"
)


@pytest.mark.parametrize("before", ["", "<!-- made by hand -->"], ids=["quick", "thorough"])
def test_atom_by_both_parsers(before: str) -> None:
    body = atom(before + ENTRY, 'xml:lang="en"')
    assert (syndication._fast_feed(body) is None) == bool(before)
    item = one(body)
    assert (item.key, item.html, item.author, item.language) == (
        "tag:press.example,2026:7", "<p>Text</p>", "Ann", "en",
    )  # fmt: skip
    assert item.updated == datetime(2026, 11, 29, 11, 0, tzinfo=UTC)
    assert item.published.time == datetime(2026, 11, 29, 10, 0, tzinfo=UTC)


def test_atom_with_a_base_and_xhtml() -> None:
    item = one(
        atom(
            "<entry><title type='html'>A &amp;lt;b&amp;gt; &lt;i&gt;c&lt;/i&gt;</title><link href='x'/>"
            "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><a href='y'>z</a></div>"
            "</content></entry>",
            'xml:base="https://other.example/a/"',
        )
    )
    assert item.title == "A <b> c"
    assert item.url == item.key == "https://other.example/a/x"
    assert item.html == '<a href="https://other.example/a/y">z</a>'


def test_rdf_with_dublin_core() -> None:
    item = one(
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
        b' xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="u"><title>T</title></channel>'
        b'<item rdf:about="https://press.example/1"><title>One</title><link>https://press.example/1</link>'
        b"<dc:date>2026-11-28</dc:date><dc:creator>Ann</dc:creator><dc:subject>Gas</dc:subject></item>"
        b"</rdf:RDF>"
    )
    assert item.published == KnownDate(date(2026, 11, 28), DateSource.STATED)
    assert (item.author, item.categories, item.key) == ("Ann", ("Gas",), "https://press.example/1")


def test_json_feed() -> None:
    item = one(
        b'{"version": "https://jsonfeed.org/version/1.1", "title": "Press", "language": "tk", "items": ['
        b'{"id": 7, "url": "/7", "title": "A <b>", "content_text": "One\\n\\nTwo < 3", "tags": ["Gas"],'
        b'"date_published": "2026-11-29T10:00:00+05:00", "authors": [{"name": "Ann"}, {"name": "Ben"}],'
        b'"image": "/a.png"}]}'
    )
    assert (item.key, item.title, item.author) == ("7", "A <b>", "Ann, Ben")
    assert item.html == "<p>One</p>\n<p>Two &lt; 3</p>"
    assert item.published.time == datetime(2026, 11, 29, 5, 0, tzinfo=UTC)
    assert (item.language, item.picture) == ("tk", Picture("https://press.example/a.png"))


@pytest.mark.parametrize(
    ("stated", "known"),
    [
        ("Sun, 29 Nov 2026 22:00:00 GMT", date(2026, 11, 30)),  # in the newsroom's zone
        ("Sun, 29 Nov 2026", date(2026, 11, 29)),
        ("2026-11-29", date(2026, 11, 29)),
        ("Thu, 03 Dec 2026 10:00:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("2026", None),
        ("2026-11", None),
        ("yesterday", None),
        ("", None),
        # feedparser reads these wrongly, or not at all
        ("2026/09/05", date(2026, 9, 5)),
        ("2026-11-28 22:30:00 UTC", date(2026, 11, 29)),
        ("28 ноября 2026", date(2026, 11, 28)),
        ("Saturday, November 28, 2026", date(2026, 11, 28)),
        ("28.11.2026", date(2026, 11, 28)),
        ("05/04/2026", None),
    ],
)
def test_only_stated_days(stated: str, known: date | None) -> None:
    item = one(
        rss(f"<item><title>A</title><pubDate>{stated}</pubDate></item>"),
        zone=ZoneInfo("Asia/Ashgabat"),
    )
    assert item.published.day == known
    assert (item.published.time is not None) == (known is not None and ":" in stated)


def test_an_hour_without_its_zone_gives_the_day_alone() -> None:
    item = one(rss("<item><title>A</title><pubDate>Sat, 28 Nov 2026 22:30:00</pubDate></item>"))
    assert item.published == KnownDate(date(2026, 11, 28), DateSource.STATED)


def test_a_prefix_that_nothing_declares() -> None:
    body = "<rss version=2.0><rss:channel><rss:item><rss:title>A</rss:title></rss:item></rss:channel></rss>"
    assert one(body.encode()).title == "A"


def test_the_moment_of_the_request_is_no_day() -> None:
    items = "".join(
        f"<item><title>{name}</title><guid>{name}</guid><pubDate>Mon, 30 Nov 2026 09:17:05 GMT</pubDate></item>"
        for name in "abc"
    )
    stamped = read(rss(items, "<lastBuildDate>Mon, 30 Nov 2026 09:17:05 GMT</lastBuildDate>"))
    assert [item.published for item in stamped.items] == [UNDATED] * 3
    assert all(item.published.day for item in read(rss(items)).items)
    entries = "".join(
        f"<entry><title>{name}</title><id>{name}</id><updated>2026-11-28T09:17:05Z</updated></entry>"
        for name in "ab"
    )
    assert [item.published for item in read(atom(entries)).items] == [UNDATED] * 2


@pytest.mark.parametrize(
    ("body", "complete"),
    [
        (f"<description>{SHORT}</description>", False),
        (f"<description>{LONG}</description>", True),
        (f"<description>{LONG} […]</description>", False),
        (f"<description>{LONG} &lt;a href='/7'&gt;Read more&lt;/a&gt;</description>", False),
        (f"<description>{SHORT}</description><content:encoded>{SHORT}</content:encoded>", False),
        (f"<description>{SHORT}</description><content:encoded>{LONG}</content:encoded>", True),
        (f"<content:encoded>{LONG[:500]}</content:encoded>", True),
        (f"<description>{SHORT}</description><yandex:full-text>{LONG}</yandex:full-text>", True),
    ],
)
def test_a_teaser_is_not_complete(body: str, complete: bool) -> None:
    assert one(rss(f"<item><title>A</title>{body}</item>")).complete is complete


def test_keys_are_of_one_item() -> None:
    def item(title: str, link: str, guid: str = "") -> str:
        mark = guid and f"<guid isPermaLink='false'>{guid}</guid>"
        return f"<item><title>{title}</title><link>{link}</link>{mark}</item>"

    def keys(*items: str) -> list[str]:
        return [one.key for one in read(rss("".join(items))).items]

    assert keys(item("A", "/a", "1"), item("B", "/b", "2")) == ["1", "2"]
    assert keys(item("A", "/a", "0"), item("B", "/b", "0")) == [
        "https://press.example/a", "https://press.example/b",
    ]  # fmt: skip
    assert keys(item("A", "/a#one"), item("B", "/a#two"))[1] == "https://press.example/a#two"
    same = keys(item("A", "/"), item("B", "/"))
    assert len({*same}) == 2
    assert all(key.startswith("words:") for key in same)


def test_encodings() -> None:
    text = rss("<item><title>Железная дорога и порт открыты для всех</title></item>").decode()
    title = "Железная дорога и порт открыты для всех"
    declared = text.replace("utf-8", "windows-1251")
    assert one(text.encode("cp1251")).title == title  # a false declaration
    assert one(declared.encode("cp1251")).title == title
    assert one(declared.encode()).title == title
    assert one(text.encode(), content_type="text/xml; charset=iso-8859-1").title == title
    bare = text.partition("?>")[2]
    assert one(bare.encode("koi8-r"), content_type="text/xml; charset=koi8-r").title == title


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Hello</body></html>", "a web page, not a feed"),
        (b"hello", "a text, not a feed"),
        (b"<rss>" + b"<b>" * 300_000, "too much markup"),
        (b"<rss>" + b"&a;" * 700_000, "too much markup"),
        (b"<rss " + b"\n" * 9_000 + b">", "too much markup"),
        (b"<rss " + b"/" * 400_000 + b">", "too much markup"),
        (b'{"a": 1}', "a text, not a feed"),
        (b'{"items": [', "cannot be read"),
        (b'{"items":' + b"[" * 100_000, "cannot be read"),
        (b'{"items": [' + b"{}," * 300_000, "too much markup"),
        (b"<rss>" + b"<item/>" * 30_000, "too much markup"),
    ],
)
def test_no_feed(body: bytes, words: str) -> None:
    with pytest.raises(DocumentError, match=words) as error:
        read(body)
    assert error.value.document == URL


def test_entities_are_neither_fetched_nor_expanded() -> None:
    many = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(12))
    for entity in ('<!ENTITY a12 SYSTEM "file:///etc/passwd">', f'<!ENTITY a0 "aaaaaaaaaa">{many}'):
        text = rss("<item><title>&a12;</title></item>").decode().partition("?>")[2]
        assert len(one(f"<!DOCTYPE rss [{entity}]>{text}".encode()).title) < 10


FRAGMENTS = st.sampled_from(
    [
        PLAIN,
        ENTRY,
        "<item>",
        "</item>",
        "<![CDATA[",
        "]]>",
        "<link>http://[</link>",
        "<title>",
        "&#x0;",
        "<entry>",
        "<pubDate>",
        "9" * 30,
        "<!DOCTYPE a [",
        "<guid>",
        "\ud7ff",
        "\x00",
        "xml:base='http://['",
    ]
)


@example([b'<rss version="2.0"><channel><item><link>http://[</link></item></channel></rss>'])
@example(
    [
        b'{"items": [{"id": 1e999, "authors": 5, "tags": 1, "title": "<b>\\ud800", "content_html": "\\ud800"}]}'
    ]
)
@given(
    st.lists(
        st.one_of(st.binary(), FRAGMENTS.map(str.encode), st.sampled_from([rss(""), atom("")]))
    )
)
def test_no_bytes_raise_another_error(parts: list[bytes]) -> None:
    body = b"".join(parts)
    for call in (lambda: read(body), lambda: read_opml(body)):
        with suppress(DocumentError):
            call()
    find_feeds(body, URL)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("b?utm_medium=x&a=%D0%B6&b#top", "https://press.example/news/b?a=%D0%B6&b"),
        ("//Other.example:443/ж", "https://other.example/%D0%B6"),
        ("https://user:secret@other.example/", "https://other.example/"),
        ("http://президент.рф/a b", "http://xn--d1abbgf6aiiy.xn--p1ai/a%20b"),
        ("javascript:alert(1)", None),
        ("mailto:a@b.example", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_canonical(address: str, expected: str | None) -> None:
    assert canonical(address, URL) == expected


def test_feeds_of_a_page() -> None:
    page = b"""<html><head><base href="/en/"><link rel="alternate" type="application/rss+xml"
        title="Comments" href="comments/feed/"><link rel="stylesheet" href="a.css">
        <link rel="alternate" type="application/atom+xml" title="News" href="atom.xml"></head>
        <body><a href="/rss">RSS</a> <a href="/about">About</a></body></html>"""
    assert find_feeds(page, URL) == [
        ("https://press.example/en/atom.xml", "News"),
        ("https://press.example/rss", "RSS"),
        ("https://press.example/en/comments/feed/", "Comments"),
    ]
    assert find_feeds(b"<p>Hello", URL)[0] == ("https://press.example/feed/", "")


def test_opml_both_ways() -> None:
    feeds = [
        ("Press & co", "https://press.example/feed", "News/Asia"),
        ("", "https://b.example/rss", ""),
    ]
    data = write_opml(feeds, "Sources")
    assert read_opml(data) == [feeds[0], ("https://b.example/rss", "https://b.example/rss", "")]
    nested = b"""<opml><body><outline text="News"><outline title="Asia"><outline type="rss" title="P"
        xmlurl="https://p.example/f"/><outline xmlUrl="file:///etc/passwd"/></outline></outline>"""
    listed = [("P", "https://p.example/f", "News/Asia"), ("", "file:///etc/passwd", "News/Asia")]
    assert read_opml(nested) == listed
    same = b"<opml><body><outline xmlUrl='FEED://p.example/f'/><outline type='rss' text='Q'/></body></opml>"
    assert read_opml(same) == [("", "http://p.example/f", ""), ("Q", "", "")]
    with pytest.raises(DocumentError, match="no OPML"):
        read_opml(b"hello")


def test_an_item_in_which_a_feed_was_cut_is_not_taken() -> None:
    whole = rss(f"<item><title>First</title><description>{LONG}</description></item><item/>")
    assert len(read(whole).items) == 2
    cut = whole.partition(b"<item/>")[0] + b"<item><guid>two</guid><title>Officers of po"
    assert [item.title for item in read(cut).items] == ["First"]


def test_one_bad_item_spoils_no_other() -> None:
    body = rb'{"items": [{"title": "\ud800 A", "tags": 5, "authors": "x", "content_html": "\udfff"}, 7, {"title": "B"}]}'
    assert [item.title for item in read(body).items] == ["\ufffd A", "B"]
