"""JSON Feed by the text of version 1.1."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from digest.feeds.jsonfeed import json_bytes
from digest.model import UNDATED
from tests.factories import make_article, make_settings, make_sibling
from tests.feeds.views import make_view

SETTINGS = make_settings()
ARTICLES = (
    make_article(id=1, title="A & B < C «ё»", byline="nCa Report"),
    make_article(id=2, language="ru", complete=False, text="Officers took part in the"),
    make_article(id=3, published=UNDATED, withdrawn_at=datetime(2026, 11, 19, tzinfo=UTC)),
)


@pytest.fixture(scope="module")
def feed() -> dict[str, Any]:
    view = make_view(ARTICLES, {1: [make_sibling(id=2)]})
    loaded: dict[str, Any] = json.loads(json_bytes(view, SETTINGS))
    return loaded


def test_the_top_level_names_the_version_and_both_addresses(feed: dict[str, Any]) -> None:
    """JSON Feed 1.1, top-level: version is exact, title and items are required."""
    items = feed.pop("items")
    assert len(items) == 3
    assert feed == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Ashgabat Desk",
        "home_page_url": "https://news.example.org/feeds/all.html",
        "feed_url": "https://news.example.org/feeds/all.json",
        "description": "News from Ashgabat Desk",
        "language": "en",
        "authors": [{"name": "Ashgabat Desk", "url": "mailto:desk@news.example.org"}],
    }
    feed["items"] = items


def test_each_item_has_a_string_id_and_one_kind_of_content(feed: dict[str, Any]) -> None:
    """JSON Feed 1.1, items: id is required and a string; content_html or content_text."""
    for item, article in zip(feed["items"], ARTICLES, strict=True):
        assert item["id"] == article.atom_id
        assert ("content_html" in item) != ("content_text" in item)
        assert item["language"] == article.language
        assert isinstance(item["authors"], list)
        assert "author" not in item


def test_a_whole_article_is_html_and_a_teaser_is_text(feed: dict[str, Any]) -> None:
    """Of a teaser the summary is all there is, and the item says so."""
    whole, teaser, withdrawn = feed["items"]
    assert whole["content_html"].startswith("<p>The parties")
    assert whole["title"] == "A & B < C «ё»"
    assert whole["authors"] == [{"name": "nCa Report"}]
    assert teaser["content_text"] == teaser["summary"] == "Officers took part in the…"
    assert [item["_newsroom"]["complete"] for item in feed["items"]] == [True, False, True]
    assert withdrawn["content_text"].startswith("This article was withdrawn")


def test_dates_are_rfc_3339_and_only_what_is_known(feed: dict[str, Any]) -> None:
    """JSON Feed 1.1, date_published and date_modified."""
    assert [item.get("date_published") for item in feed["items"]] == [
        "2023-04-04T00:00:00Z",
        "2023-04-04T00:00:00Z",
        None,
    ]
    assert feed["items"][2]["date_modified"] == "2026-11-19T00:00:00Z"


def test_tags_are_names_and_the_extension_keeps_their_keys(feed: dict[str, Any]) -> None:
    """A program finds the theme's key, a person its name in the article's language."""
    item = feed["items"][1]
    assert item["tags"] == ["Наркотики"]
    assert item["_newsroom"]["categories"] == [
        {"term": "drugs", "scheme": "https://news.example.org/feeds/themes", "label": "Наркотики"}
    ]
    assert feed["items"][0]["_newsroom"]["translations"] == [
        {"url": "https://news.example.org/feeds/articles/2.html", "language": "ru"}
    ]


def test_the_same_articles_give_the_same_readable_bytes() -> None:
    """Two builds are equal, and Cyrillic stands as Cyrillic."""
    view = make_view(ARTICLES)
    assert json_bytes(view, SETTINGS) == json_bytes(make_view(ARTICLES), SETTINGS)
    assert "Наркотики".encode() in json_bytes(view, SETTINGS)
