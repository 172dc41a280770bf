"""An article as feeds and pages show it: cut, cleaned and linked."""

from dataclasses import replace
from datetime import UTC, date, datetime
from html import escape
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.feeds.channels import channels
from digest.feeds.items import feed_view, item_of, items_of, safe_html
from digest.model import UNDATED, DateSource, KnownDate
from tests.factories import MADE_AT, make_article, make_match, make_settings, make_sibling

SETTINGS = make_settings()
OUR_PAGE = "https://news.example.org/feeds/articles/1.html"
LONG = "The sides noted the holding of the Session in Ashgabat. " * 20


@pytest.mark.parametrize(
    ("html", "safe"),
    [
        pytest.param("<p>a<script>alert(1)</script></p>", "<p>a</p>", id="no script"),
        pytest.param('<p onclick="x()" style="color:red">a</p>', "<p>a</p>", id="no handlers"),
        pytest.param('<p>a<img src="https://x.example/t.gif"></p>', "<p>a</p>", id="no pictures"),
        pytest.param('<a href="javascript:x()">a</a>', "<a>a</a>", id="no script address"),
        pytest.param('<a href="/about">a</a>', "<a>a</a>", id="no relative address"),
        pytest.param("<h1>a</h1><h2>b</h2>", "a<h2>b</h2>", id="the page has the only h1"),
        pytest.param("<p>a\x07\ufffeb&#x202e;</p>", "<p>ab</p>", id="no illegal characters"),
        pytest.param("<p>a<br>b", "<p>a<br>b</p>", id="elements are closed"),
    ],
)
def test_content_is_text_and_links_only(html: str, safe: str) -> None:
    """A source's HTML can neither run anything in a reader's program nor call home."""
    assert safe_html(html).replace(' rel="noopener noreferrer"', "") == safe


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_safe_html_of_safe_html_is_itself(html: str) -> None:
    """Cleaning is final for any input: control characters included."""
    once = safe_html(html)
    assert safe_html(once) == once


def test_the_summary_is_the_lead_cut_at_a_sentence() -> None:
    """A reader's list shows complete sentences."""
    summary = item_of(make_article(text=LONG.strip()), (), SETTINGS).summary
    assert len(summary) <= 300
    assert summary.endswith("Ashgabat.")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        pytest.param("They took part in the", "They took part in the…", id="cut by its source"),
        pytest.param("They took part,", "They took part…", id="cut at a comma"),
        pytest.param("They took part.", "They took part.", id="a whole sentence"),
    ],
)
def test_a_teaser_is_a_summary_only(text: str, summary: str) -> None:
    """Nobody takes the little that is known for the full article."""
    item = item_of(make_article(text=text, complete=False), (), SETTINGS)
    assert (item.summary, item.full) == (summary, False)
    assert item.body_html == f"<p>{summary}</p>"


def test_settings_can_keep_the_full_text_out_of_feeds() -> None:
    """content = "summary" is for a newsroom that wants its readers on its pages."""
    brief = make_settings(feeds={"content": "summary"})
    assert item_of(make_article(), (), SETTINGS).full
    assert not item_of(make_article(), (), brief).full


PARAGRAPH = "<p>" + "word " * 199 + "end</p>\n"


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        pytest.param(PARAGRAPH * 500, 49 * PARAGRAPH, id="paragraphs"),
        pytest.param("word " * 50_000, "word " * 9_999 + "word\n", id="one paragraph"),
        pytest.param("<ul>" + "<li>a</li>" * 9_000 + "</ul>", "<ul>" + "<li>a</li>" * 4_999 + "<li>a</li></ul>\n", id="a list"),
        pytest.param("x" * 49_990 + '<a href="https://example.org/a">b</a>', "x" * 49_990 + "\n", id="inside a tag"),
        pytest.param("&lt;" * 50_000, "&lt;" * 12_500 + "\n", id="no word"),
    ],
)  # fmt: skip
def test_a_long_text_is_cut_in_feeds_and_says_where_it_continues(html: str, kept: str) -> None:
    """In its own language; the page has all of it."""
    article = make_article(content_html=html, language="ru", url="https://source.example/1")
    body = items_of([article], {}, SETTINGS)[article.id].body_html
    link = f'<a href="{OUR_PAGE}">Продолжение текста — на странице статьи.</a>'
    assert body.replace(' rel="noopener noreferrer"', "") == f"{kept.rstrip()}\n<p>{link}</p>"
    assert len(item_of(article, (), SETTINGS).body_html) >= len(html.strip())


def test_a_text_of_the_usual_length_is_in_feeds_as_it_is() -> None:
    """To the byte, up to the limit."""
    article = make_article(content_html="<p>" + "x" * 49_993 + "</p>")
    assert items_of([article], {}, SETTINGS)[article.id].body_html == article.content_html


@pytest.mark.parametrize(
    ("time", "published"),
    [
        pytest.param(None, datetime(2023, 4, 4, 7, tzinfo=UTC), id="noon of a day without a time"),
        pytest.param(
            datetime(2023, 4, 4, 9, 30, 1, 999, tzinfo=UTC),
            datetime(2023, 4, 4, 9, 30, 1, tzinfo=UTC),
            id="an instant",
        ),
    ],
)
def test_published_is_the_date_that_the_source_states(
    time: datetime | None, published: datetime
) -> None:
    """No date is invented for the undated."""
    known = KnownDate(date(2023, 4, 4), DateSource.STATED, "", time)
    assert item_of(make_article(published=known), (), SETTINGS).published == published
    assert item_of(make_article(published=UNDATED), (), SETTINGS).published is None


@pytest.mark.parametrize(
    ("language", "correction", "line"),
    [
        ("en", "the load was 12 kg", "Correction: the load was 12 kg."),
        ("en", "The load was <12 kg>.", "Correction: The load was <12 kg>."),
        ("en", "", "Corrected."),
        ("en", "CORRECTION: the load was 12 kg", "CORRECTION: the load was 12 kg."),
        ("ru", "груз весил 12 кг", "Исправление: груз весил 12 кг."),
    ],
)
def test_a_corrected_article_says_what_was_corrected(
    language: str, correction: str, line: str
) -> None:
    """In the article's language, in the summary and in the text; not once it is withdrawn."""
    article = make_article(language=language, correction=correction)
    item = item_of(article, (), SETTINGS)
    assert item.summary == f"{line} The parties met in Ashgabat."
    assert item.body_html.startswith(f"<p><em>{escape(line)}</em></p>\n<p>The parties")
    gone = replace(article, withdrawn_at=datetime(2026, 11, 20, tzinfo=UTC))
    assert line not in item_of(gone, (), SETTINGS).summary


@pytest.mark.parametrize(
    ("parts", "correction", "line"),
    [
        (("title", "text"), None, "Changed on 21 November 2026: headline, text."),
        (("text", "correction"), "the load was 12 kg", "Corrected on 21 November 2026: the load was 12 kg."),
        (("text", "correction"), "", "Corrected on 21 November 2026: text."),
        (("correction",), "", "Corrected on 21 November 2026."),
        (("text",), "the load was 12 kg", "Correction: the load was 12 kg. Changed on 21 November 2026: text."),
        ((), None, ""),
    ],
)  # fmt: skip
def test_a_correction_has_its_day_and_parts(
    parts: tuple[str, ...], correction: str | None, line: str
) -> None:
    """By the newsroom's calendar, where it was already the 21st."""
    at = datetime(2026, 11, 20, 20, tzinfo=UTC)
    article = make_article(corrected_at=at, corrected=parts, correction=correction)
    item = item_of(article, (), SETTINGS)
    said = item.summary.replace("\N{NO-BREAK SPACE}", " ")
    assert said == f"{line} The parties met in Ashgabat.".strip()


@pytest.mark.parametrize(
    ("zone", "came", "published"),
    [
        pytest.param("Asia/Ashgabat", "2026-11-28T19:30", "2026-11-28T19:30", id="00:30 in Ashgabat"),
        pytest.param("Asia/Ashgabat", "2026-11-30T08:00", "2026-11-29T07:00", id="later in Ashgabat"),
        pytest.param("America/New_York", "2026-11-29T05:30", "2026-11-29T05:30", id="00:30 in New York"),
        pytest.param("America/New_York", "2026-11-30T02:00", "2026-11-29T17:00", id="an evening there"),
        pytest.param("UTC", "2026-11-29T12:00", "2026-11-29T12:00", id="UTC"),
    ],
)  # fmt: skip
def test_a_day_is_shown_as_that_day_where_the_newsroom_is(
    zone: str, came: str, published: str
) -> None:
    """Its noon, or the moment when it came: the same day by the newsroom's calendar, and never ahead."""
    seen = datetime.fromisoformat(f"{came}Z")
    stated = KnownDate(date(2026, 11, 29), DateSource.TEXT)
    article = make_article(published=stated, first_seen_at=seen)
    moment = item_of(article, (), make_settings(site={"time_zone": zone})).published
    assert moment == datetime.fromisoformat(f"{published}Z")
    assert moment.astimezone(ZoneInfo(zone)).date() == stated.day


@pytest.mark.parametrize("known", [None, datetime(2026, 11, 16, 18, tzinfo=UTC)])
def test_no_entry_is_dated_after_we_first_saw_it(known: datetime | None) -> None:
    """Copy of today that comes before noon, and copy whose hour has not come: dated when it came."""
    came = datetime(2026, 11, 15, 19, 30, tzinfo=UTC)  # half past midnight in Ashgabat
    stated = KnownDate(date(2026, 11, 16), DateSource.TEXT, "", known)
    article = make_article(published=stated, first_seen_at=came)
    assert item_of(article, (), SETTINGS).published == came


def test_a_withdrawn_article_says_so_and_no_more_in_its_language() -> None:
    """The text of the killed story is gone from every form; its entry moves up as updated."""
    killed = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    article = make_article(
        withdrawn_at=killed, text="Wrong.", url="https://wire.example/1", byline="A. Writer"
    )
    item = item_of(article, (), SETTINGS)
    assert item.title == "Withdrawn: Meeting 1 at the Foreign Ministry"
    # In Ashgabat it is already the next day.
    assert item.summary == "This article was withdrawn on 21\u00a0November\u00a02026."
    assert "Wrong" not in item.body_html + item.summary
    assert (item.updated, item.full, item.author) == (killed, False, "Ashgabat Desk")
    assert item.url == OUR_PAGE
    russian = item_of(make_article(language="ru", withdrawn_at=killed), (), SETTINGS)
    assert russian.title.startswith("Отозвано: ")
    assert russian.summary == "Эта статья отозвана 21\u00a0ноября\u00a02026."


def test_each_other_language_is_a_translation_once() -> None:
    """RFC 4287 §4.1.1: no two alternates with the same type and hreflang; the rest are related."""
    siblings = [
        make_sibling(id=2),
        make_sibling(id=3, url="https://wire.example/3"),
        make_sibling(id=4, language="en"),
    ]
    item = item_of(make_article(), siblings, SETTINGS)
    assert [(one.language, one.href) for one in item.translations] == [
        ("ru", "https://news.example.org/feeds/articles/2.html")
    ]
    assert [one.href for one in item.related] == [
        "https://wire.example/3",
        "https://news.example.org/feeds/articles/4.html",
    ]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://wire.example/1", "https://wire.example/1", id="its own address"),
        pytest.param(None, OUR_PAGE, id="none"),
        pytest.param("javascript:alert(1)", OUR_PAGE, id="not a web page"),
    ],
)
def test_an_article_is_read_at_its_source_or_on_our_page(url: str | None, shown: str) -> None:
    """Every entry has an address that opens."""
    assert item_of(make_article(url=url), (), SETTINGS).url == shown


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        pytest.param(" A\n\tB ", "A B", id="one line"),
        pytest.param("п.\u00a09", "п.\u00a09", id="no-break spaces stay"),
        pytest.param(" ", "The parties met in Ashgabat.", id="nothing left: the lead"),
    ],
)
def test_a_title_is_one_line_of_plain_text(title: str, shown: str) -> None:
    """One bad title cannot break a list, nor a whole feed."""
    assert item_of(make_article(title=title), (), SETTINGS).title == shown


def test_a_theme_that_is_no_longer_configured_is_no_category() -> None:
    """A category leads to a feed; this theme no longer has one."""
    article = make_article(matches=(make_match("gone"), make_match("youth")))
    assert [one.term for one in item_of(article, (), SETTINGS).categories] == ["youth"]


def test_a_feed_was_updated_when_its_newest_article_was() -> None:
    """RFC 4287 §4.2.15: from the data, never now; an empty feed has the age of the store."""
    everything = channels(SETTINGS)[0]
    newer = datetime(2026, 11, 20, 5, 0, 0, 123, tzinfo=UTC)
    items = [
        item_of(make_article(id=1), (), SETTINGS),
        item_of(make_article(id=2, updated_at=newer), (), SETTINGS),
    ]
    assert feed_view(everything, items, MADE_AT).updated == newer
    assert feed_view(everything, [], MADE_AT).updated == MADE_AT
