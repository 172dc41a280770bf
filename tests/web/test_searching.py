"""The search page and its feeds: what is found, in which order, what is marked, and what is never an error."""

import asyncio
import html
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from digest.config.settings import Settings
from digest.errors import NotFoundError
from digest.language.queries import excerpt, places_of, wanted_of
from digest.model import DateSource, KnownDate
from digest.sources.store import add_article, save_document, save_source
from digest.store.articles import withdraw_article
from digest.store.database import Database, open_database, text_from_moment
from digest.store.search import search
from digest.web.searching import PLACES, search_feed, search_page
from digest.web.site import Asked, Site
from tests.desks import MADE_AT, PAGES, opened
from tests.factories import make_entry, make_settings
from tests.store.test_articles import DOCUMENT

NOW = MADE_AT + timedelta(days=2)
ATOM = {"a": "http://www.w3.org/2005/Atom"}
COPY = (
    ("Customs officers trained", "Nine officers of <b>customs</b> & others.", "en", "2023-04-04"),
    ("A meeting in Ashgabat", "The officer spoke. The State Customs Service came.", "en", ""),
    ("Таможенная служба", "Таможенной службы в Ашхабаде не было.", "ru", "2022-11-21"),
    ("The office on drugs", "An office of customs opened in the port.", "en", "2024-12-31"),
)


def add(db: Database, *copy: tuple[str, str, str, str], first: int = 1) -> None:
    with db.write():
        source = save_source(db, "wire", "documents", "Wire copy", MADE_AT)
        document = save_document(db, source, DOCUMENT, MADE_AT)
        for line, (title, text, language, day) in enumerate(copy, first):
            known = KnownDate(date.fromisoformat(day), DateSource.STATED, "") if day else None
            entry = make_entry(
                line=line,
                title=title,
                text=text,
                lead=text,
                language=language,
                published=known or KnownDate(None, DateSource.UNKNOWN, ""),
            )
            moment = MADE_AT + timedelta(minutes=line)
            add_article(db, source, "wire", document, entry, archived=False, moment=moment)


@pytest.fixture
def filled(db: Database) -> Database:
    """Four articles, in two languages, from one source."""
    add(db, *COPY)
    return db


def desk(**overrides: Any) -> Settings:
    return make_settings(web={"public_url": "https://news.example.org"}, **overrides)


def asked(
    db: Database, *, language: str = "en", form: str = "", sources: Any = None, **query: str
) -> Asked:
    given = {name.rstrip("_"): value for name, value in query.items() if value}
    parts = {} if sources is None else {"sources": sources}
    newsroom = opened(db, desk(**parts), clock=NOW, templates=PAGES)
    return Asked(newsroom, language, {"language": language, "form": form}, given, NOW)


def page(db: Database, **query: Any) -> str:
    made = search_page(asked(db, **query))
    assert made.status == 200
    return made.body.decode()


def titles(text: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(r"<h2[^>]*><a [^>]*>(.*?)</a></h2>", text)]


def marked(text: str) -> list[str]:
    return re.findall(r"<mark>(.*?)</mark>", text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({"q": "customs officers"}, [1, 2], id="every word"),
        pytest.param({"q": "custom"}, [1, 2, 4], id="another form"),
        pytest.param({"q": '"customs officer"'}, [1], id="a phrase: in this order, in any form"),
        pytest.param({"q": "«таможенную службу»"}, [3], id="a Russian phrase"),
        pytest.param({"q": "office"}, [4], id="office is no form of officer"),
        pytest.param({"q": "customs", "from_": "2023"}, [1, 2, 4], id="undated: by its arrival"),
        pytest.param({"q": "customs", "to": "2023-04"}, [1], id="to the end of a month"),
        pytest.param({"q": "customs", "from_": "31.12.2024", "to": "2024"}, [4], id="one day"),
        pytest.param({"q": "ашхабад", "lang": "ru"}, [3], id="in a language"),
        pytest.param({"q": "customs", "lang": "ru"}, [], id="in another language"),
        pytest.param({"q": "customs", "theme": "other"}, [1, 2, 4], id="without a theme"),
        pytest.param({"q": "customs", "theme": "drugs"}, [], id="under a theme"),
        pytest.param({"q": "customs", "source": "wire"}, [1, 2, 4], id="from a source"),
    ],
)
def test_a_search_finds(filled: Database, query: dict[str, str], found: list[int]) -> None:
    """The words, the phrases and each filter; the count says the same."""
    text = page(filled, **query)
    assert sorted(titles(text)) == sorted(COPY[one - 1][0] for one in found)
    if found:
        many = "1\u00a0article" if len(found) == 1 else f"{len(found)}\u00a0articles"
        assert f"{many}, best first." in text


def test_the_best_come_first_and_only_words_are_marked(filled: Database) -> None:
    """A word in the title weighs more. Markup of the copy stays text, and no mark is within it."""
    text = page(filled, q="customs officers")
    assert titles(text)[0] == COPY[0][0]
    assert marked(text) == ["officers", "customs", "officer", "Customs"]
    assert "&lt;b&gt;<mark>customs</mark>&lt;/b&gt; &amp; others" in text
    russian = page(filled, q="таможенная служба")
    assert marked(russian) == ["Таможенной службы"]
    assert f'<h2 lang="ru"><a href="/en/articles/3">{COPY[2][0]}' in russian


def test_nothing_hidden_is_found(filled: Database) -> None:
    """What is withdrawn or embargoed is in no page and no feed."""
    with filled.write():
        withdraw_article(filled, 1, NOW)
        later = text_from_moment(NOW + timedelta(hours=1))
        filled.run("UPDATE articles SET opens_at = ? WHERE id = 2", (later,))
    assert titles(page(filled, q="customs")) == [COPY[3][0]]
    feed = search_feed(asked(filled, form="atom", q="customs")).body.decode()
    assert [one[0] in feed for one in COPY] == [False, False, False, True]


def test_only_what_a_source_lets_be_shown_is_quoted(filled: Database) -> None:
    """A search may find an article by words that readers do not see; they are not quoted then."""
    sources = [{"name": "wire", "title": "Wire", "path": "/newsroom/wire", "publish": "link"}]
    text = page(filled, sources=sources, q="State Customs Service")
    assert titles(text) == [COPY[1][0]]
    assert "came" not in text
    assert marked(text) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param({"from_": "yesterday"}, "“yesterday” is not a day.", id="a word"),
        pytest.param({"to": "2023-02-30"}, "“2023-02-30” is not a day.", id="no such day"),
        pytest.param({"from_": "0000"}, "“0000” is not a day.", id="no such year"),
        pytest.param({"from_": "2024", "to": "2023"}, "The first day is after", id="backwards"),
        pytest.param({"theme": "<i>"}, "such filter here: “&lt;i&gt;”", id="no such theme"),
    ],
)
def test_a_fault_is_said_once_and_nothing_typed_is_lost(
    filled: Database, query: dict[str, str], said: str
) -> None:
    """The words and both days are still in the form; a feed of such a search does not exist."""
    text = page(filled, q='customs "x"', **query)
    assert text.count('role="alert"') == 1
    assert said in text
    assert 'value="customs &#34;x&#34;"' in text
    for value in set(query.values()) - {"<i>"}:
        assert f'value="{value}"' in text
    with pytest.raises(NotFoundError):
        search_feed(asked(filled, form="atom", q="customs", **query))


def test_an_empty_search_says_how(filled: Database) -> None:
    """It has no feed. What a theme is called in the other language is offered."""
    text = page(filled, q=" … ")
    assert "in any form" in text
    assert "search.atom" not in text
    assert 'name="robots" content="noindex"' in text
    offered = page(filled, q="drugs")
    assert "Искать по-русски: Наркотики" in offered
    assert "Искать" not in page(filled, q="customs")


def test_pages(filled: Database) -> None:
    """20 a page, with links that keep the filters; a page that is none is the first or the last one."""
    add(filled, *((f"Sugar {n}", "Sugar.", "en", "") for n in range(25)), first=10)
    first = page(filled, q="sugar", lang="en")
    assert len(titles(first)) == 20
    assert titles(first)[0] == "Sugar 24"  # of equals the newest
    assert "page 1 of 2" in first
    assert 'href="/en/search?q=sugar&amp;lang=en&amp;page=2" rel="next"' in first
    assert len(titles(page(filled, q="sugar", page="2"))) == 5
    for number in ("9", "0", "-1", "x", "9" * 30):
        assert titles(page(filled, q="sugar", page=number))


def test_a_search_looks_at_the_newest(filled: Database) -> None:
    """Only so many are ranked, and it is known when there are more."""
    bounded = search(filled, wanted_of("customs"), best_first=True, among=2)
    assert (set(bounded.ids), bounded.bounded) == ({2, 4}, True)
    assert not search(filled, wanted_of("customs"), among=3).bounded
    filtered = search(filled, wanted_of("customs"), to=date.fromisoformat(COPY[0][3]), among=1)
    assert filtered.ids == (1,)


def test_each_search_has_a_feed(filled: Database) -> None:
    """Newest first, at an address and with an id of its own, the same however the search was typed."""
    text = html.unescape(page(filled, q=" Customs  OFFICERS ", lang="en"))
    href = "/en/search.atom?q=customs+officers&lang=en"
    assert f'<link rel="alternate" type="application/atom+xml" href="{href}"' in text
    ids = set()
    for typed in ("customs officers", "CUSTOMS  officers"):
        feed = etree.fromstring(search_feed(asked(filled, form="atom", q=typed, lang="en")).body)
        ids.add(feed.findtext("a:id", namespaces=ATOM))
        own = feed.xpath("a:link[@rel='self']/@href", namespaces=ATOM)
        assert own == [f"https://news.example.org{href}"]
        entries = feed.xpath("a:entry/a:title/text()", namespaces=ATOM)
        assert entries == [COPY[1][0], COPY[0][0]]
    other = etree.fromstring(search_feed(asked(filled, form="atom", q="customs")).body)
    assert len(ids | {other.findtext("a:id", namespaces=ATOM)}) == 2
    for form, start in (("rss", b"<?xml"), ("json", b"{")):
        assert search_feed(asked(filled, form=form, q="customs")).body.startswith(start)
    for form in ("html", "xml", ""):
        with pytest.raises(NotFoundError):
            search_feed(asked(filled, form=form, q="customs"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("hostile") / "digest.db"
    with open_database(path, now=MADE_AT) as db:
        add(db, *COPY)
        yield db


@settings(max_examples=60, deadline=None)
@given(
    query=st.text(max_size=40)
    | st.text(alphabet='"*^(){}:+-«»“” ANDORNEAR\x00😀таможcustom', max_size=300)
)
def test_no_query_is_an_error(hostile: Database, query: str) -> None:
    """Neither search syntax nor anything else breaks the page."""
    page(hostile, q=query)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("word " * 10_000, id="a word 10,000 times"),
        pytest.param(" ".join(f"word{n}" for n in range(10_000)), id="10,000 words"),
        pytest.param('"' + "a b " * 5_000 + '"', id="a phrase of 10,000 words"),
        pytest.param("x" * 300, id="one long word"),
        pytest.param("the of and in на и в", id="only small words"),
        pytest.param('NEAR("a" "b", 5) OR title:x* -y ^z', id="search syntax"),
        pytest.param('"' * 299, id="only quotation marks"),
        pytest.param("1 414 O’Brien's co-operation №5", id="signs inside words"),
    ],
)
def test_hostile_queries_find_nothing_and_break_nothing(hostile: Database, query: str) -> None:
    """However long or odd."""
    assert search(hostile, wanted_of(query), best_first=True).ids == ()
    assert page(hostile, q=query)


def test_a_phrase_that_repeats_a_word_counts_as_words() -> None:
    """To look for each place of "the the the" would take seconds in a large store."""
    assert wanted_of('"the of the"') == wanted_of("the of")
    assert wanted_of('"the officer"') != wanted_of("the officer")


@given(text=st.text(max_size=200), query=st.text(max_size=20))
def test_an_excerpt_is_of_the_text(text: str, query: str) -> None:
    """Its pieces are in the text one after the other, and every place is within it."""
    wanted = wanted_of(query)
    pieces = excerpt(text, "en", wanted)
    shown, given = "".join(piece for piece, _ in pieces).strip("…"), text
    shown, given = (" ".join(one.replace("·", " ").split()) for one in (shown, given))
    assert shown in given
    assert all(0 <= start < end <= len(text) for start, end, _ in places_of(text, "en", wanted))


def test_a_long_text_is_cut_around_the_words() -> None:
    """With signs for what is left out on both sides."""
    text = f"{'Before it all. ' * 40}\n\nThe officers of customs came. {'After it all. ' * 40}"
    pieces = excerpt(text, "en", wanted_of("customs officer"))
    assert [piece for piece, found in pieces if found] == ["officers", "customs"]
    whole = "".join(piece for piece, _ in pieces)
    assert whole.startswith("…")
    assert whole.endswith("…")
    assert len(whole) < 260
    assert "all. · The officers" in whole


def test_the_site_answers_searches(filled: Database) -> None:
    """By way of the site: only fields that count, and conditional requests."""
    settings = desk(store={"path": filled.path})
    newsroom = opened(None, settings, clock=NOW, templates=PAGES)
    served = Site(newsroom, PLACES, limit=1_000_000, seconds=lambda: 0.0)

    async def ask(path: str, query: bytes) -> bytes:
        kept = await served.find(path, query)
        assert kept is not None
        (status, headers), body = kept.choose([], whole=True)
        (again, _), _ = kept.choose([(b"if-none-match", dict(headers)[b"etag"])], whole=True)
        assert (status, again) == (200, 304)
        return body

    async def both() -> tuple[bytes, bytes]:
        text = await ask("/en/search", b"q=customs+officers&utm_source=x")
        return text, await ask("/ru/search.atom", b"q=customs")

    text, feed = asyncio.run(both())
    assert len(titles(text.decode())) == 2
    assert feed.startswith(b"<?xml")
