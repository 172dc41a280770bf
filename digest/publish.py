"""The verb `publish`: the feeds and pages as the store has them, and no file that did not change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.config.settings import Settings
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, RSS, channels
from digest.feeds.files import lay_out
from digest.feeds.items import FeedView, Item, feed_view, items_of
from digest.feeds.opml import OPML_NAME
from digest.feeds.pages import STYLE_NAME, article_name
from digest.store.articles import all_article_ids, articles_by_id, latest_articles, siblings_of
from digest.store.database import Database, created_at

if TYPE_CHECKING:
    from jinja2 import Environment

_BATCH = 500


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Names within the folder of feeds: those written, those removed; how many stayed as they were."""

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]


def publish(db: Database, settings: Settings, environment: "Environment") -> PublishReport:
    """Bring the folder of feeds up to the store, all of it read as of one moment.

    Only files of ours that belong there no longer are removed.

    Raises:
        PublishError: the folder cannot be written; files written until then are whole.
    """
    with db.snapshot():
        ids = all_article_ids(db)
        views = feed_views(db, settings)
        names = [
            *(f"{view.channel.slug}.{form}" for view in views for form in MEDIA_TYPES),
            OPML_NAME,
            STYLE_NAME,
            *(article_name(i) for i in ids),
        ]
        laid = lay_out(settings.feeds.path, names, _files(db, settings, environment, views, ids))
    return PublishReport(laid.written, laid.unchanged, laid.removed)


def feed_views(db: Database, settings: Settings) -> list[FeedView]:
    """Every channel as the store has it. That of one language shows a story once, as it is led there;
    the others show every article with its versions.
    """
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
    db: Database,
    settings: Settings,
    environment: "Environment",
    views: Sequence[FeedView],
    ids: Sequence[int],
) -> Iterator[tuple[str, bytes]]:
    """Pages before the feeds that lead to them, one file made at a time."""
    from digest.feeds.opml import opml_bytes
    from digest.feeds.pages import article_page_bytes, style_bytes

    yield STYLE_NAME, style_bytes(environment, settings)
    for item in _all_items(db, settings, ids):
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


def _all_items(db: Database, settings: Settings, ids: Sequence[int]) -> Iterator[Item]:
    for start in range(0, len(ids), _BATCH):
        articles = articles_by_id(db, ids[start : start + _BATCH])
        siblings = siblings_of(db, [article.id for article in articles])
        yield from items_of(articles, siblings, settings).values()
