"""The archives of each channel (RFC 5005 §4): what it ever held, as it was then, in parts that stay.

Every article that a channel holds is pinned when it is first published there, and waits. As soon as
there are as many as a feed has entries they become an archive. So what is in no archive is in the feed.
An archive shows only what was pinned, and changes only where an article in it is withdrawn.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from digest.config.settings import Settings
from digest.feeds.channels import ATOM, RSS, Channel, archive_name, channels
from digest.feeds.items import FeedView, feed_view, items_of
from digest.feeds.store import (
    NOWHERE,
    Pin,
    Progress,
    archived_articles,
    archives,
    close_archives,
    pins_now,
    pins_of,
    progress_of,
    save_pins,
    save_progress,
    waiting,
)
from digest.model import Match
from digest.newsroom import Newsroom
from digest.store.articles import changes_since, latest_ids
from digest.store.database import Database, created_at

_BATCH = 250
_NAME = re.compile(rf"archives/(.+)\.(\d+)\.({ATOM}|{RSS})")


def keep_archives(newsroom: Newsroom, now: datetime) -> None:
    """Pin what channels hold now and did not before, and close the archives that are full. Nothing is
    written if nothing has changed since the last time."""
    db, settings = newsroom.db, newsroom.settings
    kept = [channel for channel in channels(settings) if has_archives(channel)]
    slugs, size = {channel.slug for channel in kept}, settings.feeds.entries
    token = " ".join(sorted(slugs))
    before = progress_of(db, "")
    if before.token != token:  # other channels: look at everything again
        before = NOWHERE
    changed, newest = changes_since(db, before.change, before.moment, now)
    ids = sorted(changed)
    for start in range(0, len(ids) or 1, _BATCH):  # once at least: feeds may have become shorter
        pins, left = _to_pin(db, kept, ids[start : start + _BATCH], now)
        if pins or left or any(len(waiting(db, slug)) >= size for slug in slugs):
            with db.write():
                save_pins(db, pins, left)
                for slug in slugs:
                    close_archives(db, slug, size)
    if ids or before.change != newest:
        with db.write():
            save_progress(db, "", Progress(newest, now, token))


def has_archives(channel: Channel) -> bool:
    return not channel.corrections


def _to_pin(
    db: Database, kept: Collection[Channel], batch: Collection[int], now: datetime
) -> tuple[list[Pin], list[Pin]]:
    """Of these articles, what channels hold and is to be pinned, or again; and what left them."""
    known, as_now = pins_of(db, batch), pins_now(db, batch)
    held = {
        (channel.slug, i): replace(as_now[i], slug=channel.slug)
        for channel in kept
        for i in held_ids(db, channel, now, among=batch)
    }
    pins = [
        pin
        for key, pin in held.items()
        if (old := known.get(key)) is None or (old.number is None and old != pin)
    ]
    left = [pin for key, pin in known.items() if pin.number is None and key not in held]
    return pins, left


def held_ids(db: Database, channel: Channel, now: datetime, **wanted: Any) -> list[int]:
    """What the channel holds, newest first, narrowed as in latest_ids."""
    return latest_ids(
        db,
        theme=channel.theme,
        language=channel.language,
        story_once=channel.language is not None and not channel.corrections,
        until=now,
        **wanted,
    )


def archive_marks(newsroom: Newsroom, ids: Collection[int] | None) -> dict[str, str]:
    """The files of every archive, or of those with these articles; and for each a mark of what it is
    made from, beside the settings and this program."""
    kept = {channel.slug for channel in channels(newsroom.settings) if has_archives(channel)}
    return {
        archive_name(slug, number, form): mark
        for (slug, number), mark in archives(newsroom.db, ids).items()
        if slug in kept
        for form in (ATOM, RSS)
    }


def archive_files(newsroom: Newsroom, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of these archives, one at a time."""
    from digest.feeds.formats import atom_bytes, rss_bytes

    by_slug = {channel.slug: channel for channel in channels(newsroom.settings)}
    rendered = {ATOM: atom_bytes, RSS: rss_bytes}
    view: FeedView | None = None
    for name in names:
        if match := _NAME.fullmatch(name):
            slug, number, form = match[1], int(match[2]), match[3]
            if view is None or (view.channel.slug, view.number) != (slug, number):
                view = archive_view(newsroom.db, by_slug[slug], number, newsroom.settings)
            yield name, rendered[form](view, newsroom.settings)


def archive_view(db: Database, channel: Channel, number: int, settings: Settings) -> FeedView:
    """An archive of a channel, with nothing in it that came later but withdrawals."""
    articles = (
        replace(article, matches=tuple(Match(theme, 0, 0, "", "") for theme in themes))
        for article, themes in archived_articles(db, channel.slug, number)
    )
    items = items_of(articles, {}, settings)
    view = feed_view(channel, list(items.values()), created_at(db))
    return replace(view, number=number, previous=number - 1 or None)
