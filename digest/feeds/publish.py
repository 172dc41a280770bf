"""The verb `publish`: bring the feeds and pages up to date with the store."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from digest.config.settings import Settings
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, OPML_NAME, RSS, channels
from digest.feeds.files import PublishReport, lay_out
from digest.feeds.items import FeedView, feed_view, items_of
from digest.feeds.pages import STYLE_NAME, article_name, article_of
from digest.newsroom import Newsroom, fingerprint, program_hash
from digest.store.articles import article_marks, articles_by_id, latest_articles, siblings_of
from digest.store.database import created_at

if TYPE_CHECKING:
    from jinja2 import Environment


_BATCH = 500
_BITS = (1 << 64) - 1
SHOWN = {"site", "sources", "themes", "feeds", "web"}
"""The parts of config.toml that a page may show."""


def publish(newsroom: Newsroom) -> PublishReport:
    """Bring the folder of feeds up to date with the store, read as of one moment.

    An article's page is rendered again if anything it shows has changed, or the settings, the
    templates, this program or the file itself. Only files of ours are ever removed.

    Raises:
        PublishError: the folder cannot be written; files written until then are complete.
    """
    db, settings, environment = newsroom.db, newsroom.settings, newsroom.templates

    def make(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The style, these pages, and the feeds that link to them, one file at a time."""
        from digest.feeds.channels import opml_bytes
        from digest.feeds.pages import article_page_bytes, style_bytes

        yield STYLE_NAME, style_bytes(environment, settings)
        ids = [i for name in names if (i := article_of(name)) is not None]
        for start in range(0, len(ids), _BATCH):
            articles = articles_by_id(db, ids[start : start + _BATCH])
            siblings = siblings_of(db, [article.id for article in articles])
            for i, item in items_of(articles, siblings, settings).items():
                yield article_name(i), article_page_bytes(environment, item, settings)
        for view in views:
            yield from feed_files(view, settings, environment)
        listed = [view.channel for view in views]
        yield OPML_NAME, opml_bytes(listed, settings, created_at(db))

    with db.snapshot():
        views = feed_views(newsroom)
        rest = settings.model_dump_json(include=SHOWN) + program_hash() + fingerprint(environment)
        basis = int.from_bytes(hashlib.sha256(rest.encode()).digest()[:8])
        # The xor of two random numbers changes whenever either of them does.
        pages = {
            article_name(i): f"{basis ^ (mark & _BITS):016x}"
            for i, mark in article_marks(db).items()
        }
        files = {f"{view.channel.slug}.{form}": "" for view in views for form in MEDIA_TYPES}
        wanted = {STYLE_NAME: "", **pages, **files, OPML_NAME: ""}
        return lay_out(settings.feeds.path, wanted, make)


def feed_views(newsroom: Newsroom) -> list[FeedView]:
    """Every channel as it is in the store. A channel of one language shows each story once, by the
    article that leads it there; the others show every article with its versions.
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


def feed_files(
    view: FeedView, settings: Settings, environment: "Environment"
) -> Iterator[tuple[str, bytes]]:
    """One channel in each of its forms: file names and bytes."""
    from digest.feeds.formats import atom_bytes, json_bytes, rss_bytes
    from digest.feeds.pages import feed_page_bytes

    slug = view.channel.slug
    yield f"{slug}.{HTML}", feed_page_bytes(environment, view, settings)
    yield f"{slug}.{ATOM}", atom_bytes(view, settings)
    yield f"{slug}.{RSS}", rss_bytes(view, settings)
    yield f"{slug}.{JSON}", json_bytes(view, settings)
