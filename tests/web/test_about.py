"""Pages about the site: every feed and its page, what was corrected, what is kept of readers."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import html

from digest.feeds.pages import drawn, icon
from digest.language.text import name_mark
from digest.language.wording import wording_for
from digest.newsroom import Newsroom, make_environment
from digest.store.articles import withdraw_article
from digest.store.database import text_from_moment
from digest.web.about import PLACES
from digest.web.joining import join_page
from digest.web.site import Asked, Page
from tests.conftest import INGESTED_AT
from tests.desks import Desk

NOW = INGESTED_AT + timedelta(days=2)
PUBLIC = (
    '# public_url = "https://news.example.org"',
    'public_url = "https://news.example.org/site"',
)


def ask(desk: Desk, path: str, language: str = "en") -> Any:
    """The page at this path below the language, as a tree."""
    newsroom = Newsroom(desk.settings, lambda: NOW)
    for place in PLACES:
        pattern = re.sub(r"\{(\w+)(?::\w+)?\}", r"(?P<\1>[^/]+)", place.path)
        if found := re.fullmatch(pattern, f"/{language}/{path}"):
            with newsroom.open(read_only=True) as room, room.db.snapshot():
                page: Page = place.make(Asked(room, language, found.groupdict(), {}, NOW))
            assert page.status == 200
            return html.fromstring(page.body.decode())
    raise AssertionError(path)


def texts(page: Any, path: str) -> list[str]:
    return [" ".join(one.text_content().split()) for one in page.xpath(path)]


@pytest.fixture
def public(filled: Desk) -> Desk:
    filled.edit_config(*PUBLIC)
    return filled


def site_paths(hrefs: list[str]) -> Iterator[tuple[str, str]]:
    for href in hrefs:
        language, _, path = href.removeprefix("/site/").partition("/")
        yield language, path


def test_every_feed_has_its_page_and_every_page_its_feed(public: Desk) -> None:
    """Walked both ways: from the list of feeds to pages, and from each of these back to a feed."""
    public.publish()
    page, files = ask(public, "feeds"), public.settings.feeds.path
    listed = {one for one in page.xpath("//main//a[@type]/@href") if "/feeds/" in one}
    written = {
        f"/feeds/{one.name}" for one in files.iterdir() if one.suffix in (".atom", ".rss", ".json")
    }
    assert {urlsplit(one).path for one in listed} - {"/feeds/feeds.opml"} == written
    for row in page.xpath("//main//ul[@class='follow']/li"):
        [(language, path)] = site_paths(row.xpath("a[not(@type)]/@href"))
        there = ask(public, path, language)
        links = there.xpath("//link[@rel='alternate']/@href | //main//a/@href")
        if row.xpath("a[not(@type)]/@hreflang"):  # no page shows all languages alike
            [feed] = row.xpath("a[@type='application/atom+xml']/@href")
            assert feed in {urlsplit(one).path for one in links}
        assert set(there.xpath("//link[@type='application/atom+xml']/@href")) <= written
    for path in ("about", "privacy", "feeds", "themes/other"):
        [back] = ask(public, path).xpath("//link[@type='application/atom+xml']/@href")
        assert back in written


def test_an_address_is_whole_and_selected_as_one(public: Desk) -> None:
    page = ask(public, "feeds", "ru")
    [one] = [one for one in texts(page, "//code[@class='copy']") if one.endswith("drugs.ru.atom")]
    assert one == f"{public.settings.feeds_url}/drugs.ru.atom"


def test_corrections_say_what_and_when(public: Desk) -> None:
    """The newest first, each with its article; nothing of what was withdrawn."""
    at = INGESTED_AT + timedelta(days=1)
    assert "Nothing was corrected" in ask(public, "corrections").text_content()
    with public.open() as db, db.write():
        ids = [
            row["id"]
            for row in db.rows("SELECT id FROM articles WHERE language = 'en' ORDER BY id")
        ]
        db.run(
            "UPDATE articles SET corrected_at = ?, corrected = 'title' WHERE id = ?",
            (text_from_moment(at), ids[0]),
        )
        withdraw_article(db, ids[1], at + timedelta(hours=1))
    page = ask(public, "corrections")
    assert texts(page, "//ol/li/div/p[1]") == [
        "This article was withdrawn on 19 November 2026.",
        "Changed on 19 November 2026: headline.",
    ]
    assert page.xpath("//ol//a/@href") == [f"/site/en/articles/{ids[n]}" for n in (1, 0)]
    assert page.xpath("//link[@type='application/atom+xml']/@href") == [
        "/feeds/corrections.en.atom"
    ]
    assert len(ask(public, "corrections", "ru").xpath("//ol/li/div[@lang='en']")) == 2


def test_the_page_about_us_names_sources_without_their_secrets(public: Desk) -> None:
    """A feed's address may hold a key: only its site is named."""
    public.edit_config(
        "[[themes]]",
        """[[sources]]
name = "wire"
title = "The Wire"
kind = "feed"
url = "https://wire.example/feed?key=secret"

[[themes]]""",
    )
    page = ask(public, "about")
    assert page.xpath("//aside//a/@href") == [
        "mailto:desk@news.example.org",
        "https://wire.example/",
    ]
    assert "The Wire: a summary, with a link to the source" in texts(page, "//aside//li")
    assert "secret" not in html.tostring(page).decode()
    assert len(page.xpath("//main//li/a[contains(@class, 'theme')]")) == 5


def test_privacy_says_what_the_settings_do(public: Desk) -> None:
    public.configure(bounce_days="7", keep_backups="3")
    text = ask(public, "privacy").text_content()
    assert "are kept for 7 days" in text
    assert "until the last of 3 is replaced" in text
    assert "for two days at most" in text
    public.configure(join="false")
    assert "for two days at most" not in ask(public, "privacy").text_content()
    assert "хранятся 7 дней" in ask(public, "privacy", "ru").text_content()


def test_the_frame_counts_the_week_and_leads_to_the_other_language(public: Desk) -> None:
    """How many stories each theme had in seven days; of a theme without any nothing is said."""
    with public.open() as db, db.write():
        db.run(
            """UPDATE articles SET archived = 1
                WHERE id IN (SELECT article_id FROM matches WHERE theme = 'youth')"""
        )
    page = ask(public, "about")
    counts = [int(one) for one in page.xpath("//nav[@class='themes']//b/text()")]
    assert counts == [8, 8, 3, 9]
    assert page.xpath("//header//a[@hreflang='ru']/@href") == ["/site/ru/about"]
    alternates = page.xpath("//link[@rel='alternate'][@hreflang]")
    assert [one.get("hreflang") for one in alternates] == ["en", "ru", "x-default"]
    assert alternates[1].get("href") == "https://news.example.org/site/ru/about"
    assert page.xpath("//footer//a[@aria-current]/@href") == ["/site/en/about"]


def test_the_mark_is_drawn_from_the_name() -> None:
    """A bar a letter; j has a dot above and a stroke below its line."""
    mark = drawn(name_mark("Ajta"))
    assert (mark.width, mark.path.count("M")) == (12, 5)
    assert mark.path.startswith("M0 0h3v10h-3zM4 4h2v10h-2zM4 1h2v2h-2z")
    assert "<" not in icon("Ashgabat Desk")
    assert " " not in icon("Ashgabat Desk")


@pytest.mark.parametrize(
    ("site", "home", "foot"),
    [
        pytest.param("true", "/site/ru/", "Личные данные", id="with the site"),
        pytest.param("false", "https://news.example.org/feeds/ru.html", "Atom", id="feeds only"),
    ],
)
def test_forms_stand_in_the_frame_of_what_is_served(
    public: Desk, site: str, home: str, foot: str
) -> None:
    """Without the site nothing leads to its pages."""
    public.configure(site=site)
    words = wording_for("ru")
    page = html.fromstring(join_page(make_environment(), public.settings, words, "join", NOW))
    assert page.xpath("//p[@class='name']/a/@href") == [home]
    assert foot in texts(page, "//footer/a")
    assert bool(page.xpath("//form[@role='search']")) is (site == "true")
