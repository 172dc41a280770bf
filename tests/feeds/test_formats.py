"""Atom by RFC 4287, RSS by RSS 2.0 and the RSS Board's profile, JSON Feed by version 1.1."""

import io
import json
import locale
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from html import escape, unescape
from typing import Any

import feedparser
import pytest
from feedgen.entry import FeedEntry
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html

from digest.feeds.formats import atom_bytes, json_bytes, rss_bytes
from digest.feeds.items import FeedView
from digest.language.text import foreign
from digest.model import UNDATED
from tests.factories import make_article, make_match, make_settings, make_sibling
from tests.feeds.views import make_view

SETTINGS = make_settings()
NS = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
}
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
TITLE = "Customs & drugs: 3 < 5, “наркоторговцы” и ёлка"
ARTICLES = (
    make_article(
        id=1, title=TITLE, byline="nCa Report", matches=(make_match(), make_match("youth"))
    ),
    make_article(
        id=2,
        language="ru",
        title="Встреча",
        updated_at=datetime(2026, 11, 20, 7, 8, 9, 654321, tzinfo=UTC),
    ),
    make_article(id=3, complete=False, text="Officers took part in the"),
    make_article(id=4, published=UNDATED, withdrawn_at=datetime(2026, 11, 19, tzinfo=UTC)),
)
SIBLINGS = {1: [make_sibling(id=2), make_sibling(id=9)], 2: [make_sibling(id=1, language="en")]}


@pytest.fixture(scope="module")
def view() -> FeedView:
    return make_view(ARTICLES, SIBLINGS)


@pytest.fixture(scope="module")
def atom(view: FeedView) -> Any:
    return etree.fromstring(atom_bytes(view, SETTINGS))


@pytest.fixture(scope="module")
def rss(view: FeedView) -> Any:
    return etree.fromstring(rss_bytes(view, SETTINGS)).find("channel")


@pytest.fixture(scope="module")
def feed(view: FeedView) -> Any:
    return json.loads(json_bytes(view, SETTINGS))


@pytest.mark.parametrize("build", [atom_bytes, rss_bytes])
@pytest.mark.parametrize("articles", [ARTICLES, ()], ids=["four", "empty"])
def test_feedparser_finds_no_fault(build: Any, articles: Any) -> None:
    """A strict reader accepts the feed, with every title as it was written."""
    parsed = feedparser.parse(io.BytesIO(build(make_view(articles), SETTINGS)))
    assert not parsed.bozo
    assert parsed.version == ("atom10" if build is atom_bytes else "rss20")
    assert [entry.id for entry in parsed.entries] == [article.atom_id for article in articles]
    if articles:
        assert parsed.entries[0].title.replace("&lt;", "<").replace("&amp;", "&") == TITLE


@pytest.mark.parametrize("build", [atom_bytes, rss_bytes, json_bytes])
def test_the_same_articles_give_the_same_bytes(build: Any, view: FeedView) -> None:
    """An unchanged feed keeps its ETag, whenever it is built."""
    assert build(view, SETTINGS) == build(make_view(ARTICLES, SIBLINGS), SETTINGS)


def test_atom_has_the_required_elements_once(atom: Any) -> None:
    """RFC 4287 §4.1.1 and §4.1.2: exactly one id, title and updated; an author."""
    for element in (atom, *atom.findall("a:entry", NS)):
        for name in ("id", "title", "updated", "author"):
            assert len(element.findall(f"a:{name}", NS)) == 1, name
            assert "".join(element.find(f"a:{name}", NS).itertext()).strip()


def test_atom_ids_are_iris_and_permanent(atom: Any) -> None:
    """RFC 4287 §4.2.6: compared character by character, so always the article's own."""
    ids = [element.text for element in atom.iterfind(".//a:id", NS)]
    assert ids[1:] == [article.atom_id for article in ARTICLES]
    assert len(set(ids)) == len(ids)
    assert all(identity.startswith("urn:uuid:") for identity in ids)


def test_atom_updated_is_that_of_the_newest_entry(atom: Any) -> None:
    """RFC 4287 §4.2.15 and §3.3: a significant change, in upper-case T and Z, to the fraction."""
    entries = [element.text for element in atom.iterfind("a:entry/a:updated", NS)]
    assert entries == [
        "2026-11-16T06:30:00Z",
        "2026-11-20T07:08:09.654321Z",
        "2026-11-16T06:30:00Z",
        "2026-11-19T00:00:00Z",
    ]
    assert atom.findtext("a:updated", namespaces=NS) == max(entries)


def test_atom_names_the_language_of_the_feed_and_of_each_entry(atom: Any) -> None:
    """RFC 4287 §2: a Russian entry in a mixed feed is read out in Russian."""
    assert atom.get(LANG) == "en"
    assert [entry.get(LANG) for entry in atom.findall("a:entry", NS)] == ["en", "ru", "en", "en"]


def test_atom_has_no_two_alternates_of_one_kind(atom: Any) -> None:
    """RFC 4287 §4.1.1 and §4.1.2: one link for each type and hreflang."""
    for element in (atom, *atom.findall("a:entry", NS)):
        kinds = Counter(
            (link.get("type"), link.get("hreflang"))
            for link in element.findall("a:link[@rel='alternate']", NS)
        )
        assert max(kinds.values()) == 1


def test_atom_links_lead_to_itself_and_to_its_other_forms(atom: Any) -> None:
    """RFC 4287 §4.1.1: a feed should link to itself; people find the page."""
    links = {
        (link.get("rel"), link.get("type")): link.get("href") for link in atom.findall("a:link", NS)
    }
    at = "https://news.example.org/feeds/all"
    assert links == {
        ("self", "application/atom+xml"): f"{at}.atom",
        ("alternate", "application/rss+xml"): f"{at}.rss",
        ("alternate", "application/feed+json"): f"{at}.json",
        ("alternate", "text/html"): f"{at}.html",
    }


def test_atom_links_translations_as_alternates_with_their_language(atom: Any) -> None:
    """RFC 4287 §4.2.7: a reader offers the version in the other language."""
    entry = atom.find("a:entry", NS)
    page = "https://news.example.org/feeds/articles/{}.html"
    links = [
        (link.get("rel"), link.get("type"), link.get("hreflang"), link.get("href"))
        for link in entry.findall("a:link", NS)
    ]
    assert links == [
        ("alternate", "text/html", "en", page.format(1)),
        ("alternate", "text/html", "ru", page.format(2)),
        ("related", "text/html", "ru", page.format(9)),
    ]


def test_the_other_articles_of_a_story_have_title_and_outlet(
    atom: Any, rss: Any, feed: Any
) -> None:
    """A reader sees what is behind a link: in its title, and in a list below the text."""
    named = "Встреча в Министерстве иностранных дел · Wire copy"
    links = atom.findall("a:entry/a:link[@title]", NS)
    assert {link.get("title") for link in links} == {named}
    for html in (
        atom.findtext("a:entry/a:content", namespaces=NS),
        rss.findtext("item/{http://purl.org/rss/1.0/modules/content/}encoded"),
        feed["items"][0]["content_html"],
    ):
        listed = lxml_html.fromstring(html.partition("<p>Also told:</p>")[2])
        assert [one.text_content() for one in listed.iterfind(".//li")] == [named, named]
        assert [a.get("hreflang") for a in listed.iterfind(".//a")] == ["ru", "ru"]


def test_atom_categories_have_a_scheme_and_a_label(atom: Any) -> None:
    """RFC 4287 §4.2.2: term, scheme, and a name in the entry's own language."""
    scheme = "https://news.example.org/feeds/themes"
    first, second = atom.findall("a:entry", NS)[:2]
    assert [dict(one.attrib) for one in first.findall("a:category", NS)] == [
        {"term": "drugs", "scheme": scheme, "label": "Drugs"},
        {"term": "youth", "scheme": scheme, "label": "Youth"},
    ]
    assert second.find("a:category", NS).get("label") == "Наркотики"


def test_atom_content_is_escaped_once(atom: Any) -> None:
    """RFC 4287 §3.1: the text of type=html is HTML, not HTML escaped again."""
    content = atom.find("a:entry/a:content", NS)
    assert content.get("type") == "html"
    assert content.text.startswith("<p>The parties met in Ashgabat.</p>")


def test_atom_entry_without_content_has_a_summary_and_an_alternate(atom: Any) -> None:
    """RFC 4287 §4.1.2: a teaser and a withdrawn article lead to where they are read."""
    for entry in atom.findall("a:entry", NS)[2:]:
        assert entry.find("a:content", NS) is None
        assert entry.find("a:link[@rel='alternate']", NS) is not None
        assert entry.findtext("a:summary", namespaces=NS)


def test_the_author_is_the_byline_else_the_newsroom(atom: Any, rss: Any, feed: Any) -> None:
    """The writer in all forms; RSS's own author would need an address."""
    expected = ["nCa Report", "Ashgabat Desk", "Ashgabat Desk", "Ashgabat Desk"]
    assert [one.text for one in atom.iterfind("a:entry/a:author/a:name", NS)] == expected
    assert [one.text for one in rss.iterfind("item/dc:creator", NS)] == expected
    assert rss.find("item/author") is None
    assert [item["authors"] for item in feed["items"]] == [[{"name": name}] for name in expected]


def test_an_undated_article_has_no_date_of_its_own(atom: Any, rss: Any, feed: Any) -> None:
    """Dates are RFC 3339, or RFC 822 with the four-digit years of RFC 1123; none is invented."""
    day = "2023-04-04T07:00:00Z"
    published = [e.findtext("a:published", None, NS) for e in atom.findall("a:entry", NS)]
    assert published == [day, day, day, None]
    assert [item.get("date_published") for item in feed["items"]] == [day, day, day, None]
    assert feed["items"][3]["date_modified"] == "2026-11-19T00:00:00Z"
    day = "Tue, 04 Apr 2023 07:00:00 +0000"
    assert [item.findtext("pubDate") for item in rss.findall("item")] == [day, day, day, None]
    assert rss.findtext("lastBuildDate") == "Fri, 20 Nov 2026 07:08:09 +0000"


def test_rss_channel_has_title_link_and_description(rss: Any) -> None:
    """RSS 2.0, required elements; RSS Board profile, atom:link: rel=self with the type of RSS."""
    assert rss.findtext("title") == "Ashgabat Desk"
    assert rss.findtext("link") == "https://news.example.org/feeds/all.html"
    assert rss.findtext("description")
    assert rss.findtext("ttl") == "60"
    assert dict(rss.find("a:link", NS).attrib) == {
        "href": "https://news.example.org/feeds/all.rss",
        "rel": "self",
        "type": "application/rss+xml",
    }


def test_rss_guid_is_the_permanent_id_and_not_an_address(rss: Any) -> None:
    """RSS Board profile, guid: isPermaLink="false" unless it opens."""
    guids = rss.findall("item/guid")
    assert [guid.text for guid in guids] == [article.atom_id for article in ARTICLES]
    assert {guid.get("isPermaLink") for guid in guids} == {"false"}


def test_rss_carries_the_summary_and_the_full_text(rss: Any) -> None:
    """RSS Board profile: description is the summary where content:encoded is the text."""
    first, teaser = rss.findall("item")[0], rss.findall("item")[2]
    assert first.findtext("description") == "The parties met in Ashgabat."
    assert "<p>They agreed on a plan.</p>" in first.findtext("content:encoded", namespaces=NS)
    assert teaser.findtext("description") == "Officers took part in the…"
    assert teaser.find("content:encoded", NS) is None


def test_rss_titles_are_plain_text_in_numeric_references(view: FeedView) -> None:
    """RSS Board profile, character data: & and < as numbers, which every reader shows correctly."""
    assert "<title>Customs &#x26; drugs: 3 &#x3C; 5, “нарко".encode() in rss_bytes(view, SETTINGS)


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("AT&T: 5 < 6, a&b;c", "AT&T: 5 < 6, a&b;c"),
        ("The firm <Alfa> & partners", "The firm &lt;Alfa&gt; &amp; partners"),
        ("p<q and q>r", "p&lt;q and q&gt;r"),
        ("What &lt; means", "What &amp;lt; means"),
        ("&copy 2026", "&amp;copy 2026"),
        ("A bold </b>", "A bold &lt;/b&gt;"),
    ],
)
def test_an_rss_title_is_html_where_it_would_read_otherwise_as_html(
    title: str, written: str
) -> None:
    """newsboat shows a title of RSS as text, Liferea as HTML: most titles are the same as both, and what
    is not is HTML, so that no word is lost and nothing is live."""
    rss = etree.fromstring(rss_bytes(make_view([make_article(title=title)]), SETTINGS))
    assert rss.findtext("channel/item/title") == written
    assert lxml_html.fromstring(f"<p>{written}</p>").text_content() == title


def test_atom_says_that_text_is_html_only_where_validators_would_warn() -> None:
    """RFC 4287 §3.1.1: text stays text, which every reader shows as it is."""
    plain, marked = "The firm <Alfa> & 5 < 6", "The firm </b> said"
    view = make_view(
        [make_article(id=n, title=one, lead=one) for n, one in ((1, plain), (2, marked))]
    )
    entries = etree.fromstring(atom_bytes(view, SETTINGS)).findall("a:entry", NS)
    for name in ("title", "summary"):
        first, second = (entry.find(f"a:{name}", NS) for entry in entries)
        assert (first.get("type", "text"), first.text) == ("text", plain)
        assert (second.get("type"), second.text) == ("html", "The firm &lt;/b&gt; said")


def shown(value: str, detail: Any) -> str:
    """What a reader shows that honours the type of a text."""
    return unescape(value) if detail.type == "text/html" else value


@pytest.mark.parametrize(
    ("title", "lead"),
    [
        (
            "Court hears <Alfa> & partners: 5 < 6",
            "The firm <Alfa> paid, 5 < 6 <img src=http://t.test/p.gif> &amp; said so.",
        ),
        (
            "Seizures fall while p<0.05 and <redacted> names are kept",
            "Purity fell where p<q and q>r. <img src=http://192.0.2.1/pixel.gif onerror=alert(1)> "
            "Drugs were seized.",
        ),
    ],
)
def test_what_looks_like_a_tag_stays_text_in_every_feed(title: str, lead: str) -> None:
    """For the reader: the copy as it was written; for everyone: nothing of it is live."""
    view = make_view([make_article(title=title, lead=lead, content_html=f"<p>{escape(lead)}</p>")])
    for build in (atom_bytes, rss_bytes):
        [entry] = feedparser.parse(build(view, SETTINGS)).entries
        assert shown(entry.title, entry.title_detail) == title
        assert entry.content[0].value == f"<p>{escape(lead)}</p>"
        assert shown(entry.summary, entry.summary_detail) == lead
    [item] = json.loads(json_bytes(view, SETTINGS))["items"]
    assert (item["title"], item["content_html"]) == (title, f"<p>{escape(lead)}</p>")


def test_rss_names_its_language_only_if_it_has_one(rss: Any) -> None:
    """A mixed feed is in no single language; each item says its own."""
    assert rss.find("language") is None
    assert [one.text for one in rss.iterfind("item/dc:language", NS)] == ["en", "ru", "en", "en"]
    russian = etree.fromstring(rss_bytes(make_view(ARTICLES, slug="ru"), SETTINGS))
    assert russian.findtext("channel/language") == "ru"


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), min_size=1, max_size=40).map(foreign))
@example("</")
@example("\ufffd")
def test_no_title_can_break_a_feed(title: str) -> None:
    """What passes the border is valid in XML 1.0, and unchanged but for U+FFFD, which becomes "?"."""
    view = make_view([make_article(title=title, lead=title, content_html=title, byline=title)])
    element = etree.fromstring(atom_bytes(view, SETTINGS)).find("a:entry/a:title", NS)
    read = unescape(element.text) if element.get("type") == "html" else element.text
    title = view.items[0].title.replace("\ufffd", "?")
    assert read == title
    item = etree.fromstring(rss_bytes(view, SETTINGS)).find("channel/item")
    assert title in {item.findtext("title"), unescape(item.findtext("title"))}


def test_building_a_feed_leaves_the_process_locale_alone(view: FeedView) -> None:
    """feedgen would set it for each date, in the middle of other threads' work."""
    import feedgen.entry
    import feedgen.util

    before = locale.setlocale(locale.LC_ALL)
    rss_bytes(view, SETTINGS)
    assert locale.setlocale(locale.LC_ALL) == before
    assert feedgen.entry.formatRFC2822 is not feedgen.util.formatRFC2822


def test_feedgen_still_loses_link_attributes() -> None:
    """When this fails, feedgen is fixed: remove the loop from Entry in digest/feeds/formats.py."""
    entry = FeedEntry()
    entry.id("urn:x")
    entry.title("x")
    entry.link(href="https://x.example/", rel="alternate", type="text/html", hreflang="ru")
    assert dict(entry.atom_entry().find("link").attrib) == {"href": "https://x.example/"}


def test_json_names_the_version_and_both_addresses(feed: Any) -> None:
    """JSON Feed 1.1, top-level: version is exact, title and items are required."""
    assert len(feed["items"]) == 4
    assert {key: value for key, value in feed.items() if key != "items"} == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Ashgabat Desk",
        "home_page_url": "https://news.example.org/feeds/all.html",
        "feed_url": "https://news.example.org/feeds/all.json",
        "description": "News from Ashgabat Desk",
        "language": "en",
        "authors": [{"name": "Ashgabat Desk", "url": "mailto:desk@news.example.org"}],
    }


@pytest.mark.parametrize("hub", [None, "https://hub.example.org/"])
def test_every_feed_names_the_hub_and_no_archive_does(hub: str | None, view: FeedView) -> None:
    """WebSub §4, JSON Feed 1.1: beside the feed's own address, which is the topic; an archive stays."""
    of = make_settings(feeds={"hub": hub})
    named = [] if hub is None else [hub]
    for build in (atom_bytes, rss_bytes):
        for number, wanted in ((None, named), (1, [])):
            document = etree.fromstring(build(replace(view, number=number), of))
            links = document.findall(".//a:link[@rel='hub']", NS)
            assert [link.get("href") for link in links] == wanted
            assert len(document.findall(".//a:link[@rel='self']", NS)) == 1
            assert document.findtext("channel/link") in (None, f"{of.feeds_url}/all.html")
    hubs = json.loads(json_bytes(view, of)).get("hubs", [])
    assert hubs == [{"type": "WebSub", "url": one} for one in named]


def test_json_items_have_a_string_id_and_one_kind_of_content(feed: Any) -> None:
    """JSON Feed 1.1, items: id is required and a string; content_html or content_text."""
    for item, article in zip(feed["items"], ARTICLES, strict=True):
        assert item["id"] == article.atom_id
        assert ("content_html" in item) != ("content_text" in item)
        assert item["language"] == article.language
        assert "author" not in item


def test_json_has_html_of_an_article_and_text_of_a_teaser(feed: Any) -> None:
    """The summary is all the text of a teaser, and the item says so."""
    full, _, teaser, withdrawn = feed["items"]
    assert full["content_html"].startswith("<p>The parties")
    assert full["title"] == TITLE
    assert teaser["content_text"] == teaser["summary"] == "Officers took part in the…"
    assert [item["_newsroom"]["complete"] for item in feed["items"]] == [True, True, False, True]
    assert withdrawn["content_text"].startswith("This article was withdrawn")


def test_json_says_what_was_corrected_and_when() -> None:
    """With the line that readers see; of a withdrawn article nothing that it said."""
    at = datetime(2026, 11, 20, 7, 8, 9, 654321, tzinfo=UTC)
    said = {"corrected_at": at, "corrected": ("text", "correction"), "correction": "it was 12 kg"}
    articles = [
        make_article(**said),
        make_article(id=2, withdrawn_at=at, **said),
        make_article(id=3),
    ]
    items = json.loads(json_bytes(make_view(articles), SETTINGS))["items"]
    assert [item["_newsroom"]["corrected"] for item in items] == [
        {
            "at": "2026-11-20T07:08:09.654321Z",
            "parts": ["text", "correction"],
            "text": "Corrected on 20\u00a0November\u00a02026: it was 12 kg.",
        },
        None,
        None,
    ]
    assert "12 kg" not in json.dumps(items[1])


def test_json_tags_are_names_and_the_extension_has_their_keys(view: FeedView, feed: Any) -> None:
    """A program finds the theme's key, a person its name in the article's language, as UTF-8."""
    first, russian = feed["items"][:2]
    assert russian["tags"] == ["Наркотики"]
    assert russian["_newsroom"]["categories"] == [
        {"term": "drugs", "scheme": "https://news.example.org/feeds/themes", "label": "Наркотики"}
    ]
    assert first["_newsroom"]["translations"] == [
        {
            "url": "https://news.example.org/feeds/articles/2.html",
            "language": "ru",
            "title": "Встреча в Министерстве иностранных дел",
            "source": "Wire copy",
        }
    ]
    assert "Наркотики".encode() in json_bytes(view, SETTINGS)
