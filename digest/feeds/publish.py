"""The verb `publish`: the feeds and pages as the store has them, and no file that did not change."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.config.settings import Settings
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, OPML_NAME, RSS, channels
from digest.feeds.files import lay_out
from digest.feeds.items import FeedView, Item, feed_view, items_of
from digest.feeds.pages import STYLE_NAME, article_name, article_of
from digest.newsroom import Newsroom, fingerprint
from digest.store.articles import article_marks, articles_by_id, latest_articles, siblings_of
from digest.store.database import created_at

if TYPE_CHECKING:
    from jinja2 import Environment


_BATCH = 500
_BITS = (1 << 64) - 1
SHOWN = {"site", "sources", "themes", "feeds", "web"}
"""The parts of config.toml that a page may show something of."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Names within the folder of feeds: those written, those removed; how many stayed as they were.

    `appeared` are the articles that the folder shows for the first time; none where it is all new.
    """

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    appeared: tuple[int, ...] = ()


def publish(newsroom: Newsroom) -> PublishReport:
    """Bring the folder of feeds up to the store, all of it read as of one moment.

    The page of an article is made anew where something that it shows has changed, or the settings,
    the templates or this program, or where a hand touched the file. Only files of ours that belong
    there no longer are removed.

    Raises:
        PublishError: the folder cannot be written; files written until then are whole.
    """
    db, settings = newsroom.db, newsroom.settings
    with db.snapshot():
        views = feed_views(newsroom)
        files = {f"{view.channel.slug}.{form}": "" for view in views for form in MEDIA_TYPES}
        laid = lay_out(
            settings.feeds.path,
            {STYLE_NAME: "", **_pages(newsroom), **files, OPML_NAME: ""},
            lambda names: _files(newsroom, views, names),
        )
    numbers = (article_of(name) for name in laid.appeared)
    return PublishReport(
        laid.written, laid.unchanged, laid.removed, tuple(i for i in numbers if i is not None)
    )


def _pages(newsroom: Newsroom) -> dict[str, str]:
    """Every article's page, and a mark of all that it is made from."""
    db, settings, environment = newsroom.db, newsroom.settings, newsroom.templates
    rest = settings.model_dump_json(include=SHOWN) + fingerprint(environment)
    basis = int.from_bytes(hashlib.sha256(rest.encode()).digest()[:8])
    # Of two numbers drawn at random, so the one may hide the other without hiding a change.
    return {
        article_name(i): f"{basis ^ (mark & _BITS):016x}" for i, mark in article_marks(db).items()
    }


def feed_views(newsroom: Newsroom) -> list[FeedView]:
    """Every channel as the store has it. That of one language shows a story once, as it is led there;
    the others show every article with its versions.
    """
    db, settings = newsroom.db, newsroom.settings
    listed = channels(settings)
    articles = [
        latest_articles(
            db,
            theme=one.theme,
            language=one.language,
            limit=settings.feeds.entries,
            story_once=one.language is not None,
        )
        for one in listed
    ]
    shown = {article.id: article for some in articles for article in some}
    items = items_of(list(shown.values()), siblings_of(db, shown.keys()), settings)
    made_at = created_at(db)
    return [
        feed_view(channel, [items[article.id] for article in some], made_at)
        for channel, some in zip(listed, articles, strict=True)
    ]


def _files(
    newsroom: Newsroom, views: Sequence[FeedView], names: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """The style, these pages, and the feeds that lead to them: one file made at a time."""
    db, settings, environment = newsroom.db, newsroom.settings, newsroom.templates
    from digest.feeds.channels import opml_bytes
    from digest.feeds.pages import article_page_bytes, style_bytes

    yield STYLE_NAME, style_bytes(environment, settings)
    ids = [i for name in names if (i := article_of(name)) is not None]
    for item in _items(newsroom, ids):
        yield article_name(item.article.id), article_page_bytes(environment, item, settings)
    for view in views:
        yield from feed_files(view, settings, environment)
    listed = [view.channel for view in views]
    yield OPML_NAME, opml_bytes(listed, settings, created_at(db))


def feed_files(
    view: FeedView, settings: Settings, environment: "Environment"
) -> Iterator[tuple[str, bytes]]:
    """One channel in each of its forms: file names and bytes."""
    from digest.feeds.atom_rss import atom_bytes, rss_bytes
    from digest.feeds.jsonfeed import json_bytes
    from digest.feeds.pages import feed_page_bytes

    slug = view.channel.slug
    yield f"{slug}.{HTML}", feed_page_bytes(environment, view, settings)
    yield f"{slug}.{ATOM}", atom_bytes(view, settings)
    yield f"{slug}.{RSS}", rss_bytes(view, settings)
    yield f"{slug}.{JSON}", json_bytes(view, settings)


def _items(newsroom: Newsroom, ids: Sequence[int]) -> Iterator[Item]:
    db, settings = newsroom.db, newsroom.settings
    for start in range(0, len(ids), _BATCH):
        articles = articles_by_id(db, ids[start : start + _BATCH])
        siblings = siblings_of(db, [article.id for article in articles])
        yield from items_of(articles, siblings, settings).values()
