"""The verb `publish`: bring the feeds and pages of a place up to date with the store, and tell the hub."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from digest.config.settings import Settings
from digest.feeds.archives import archive_files, archive_marks, held_ids, keep_archives
from digest.feeds.bucket import Bucket
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, OPML_NAME, RSS, Channel, channels
from digest.feeds.files import ARCHIVE_SECONDS, FEEDS, Folder, PublishReport, part_of
from digest.feeds.items import FeedView, feed_view, item_of, items_of, minutes_fresh
from digest.feeds.layout import Layout
from digest.feeds.pages import STYLE_NAME, article_name, article_of
from digest.feeds.store import (
    NOWHERE,
    Progress,
    announced,
    newest_archive,
    progress_of,
    said,
    save_announced,
    save_progress,
    save_said,
    waiting,
)
from digest.mail.notices import send_due
from digest.mail.outgoing import FIRST_DELAY, HUB, RATHER_TWICE, Kind, Notice, OutcomeKind
from digest.mail.store import make_room, put_off, queue
from digest.newsroom import EPOCH, Newsroom, fingerprint, program_hash
from digest.store.articles import article_marks, changes_since, each_article, siblings_of
from digest.store.database import created_at

if TYPE_CHECKING:
    from jinja2 import Environment


_BATCH = 500
_BITS = (1 << 64) - 1
MOST = 500
"""The most entries of a feed; the rest is in its archives."""
SPAN = timedelta(hours=48)
CORRECTED_FOR = timedelta(days=14)
"""How long a correction or withdrawal is in a feed that has newer entries enough."""
Shown = Sequence[tuple[Channel, Sequence[int]]]
SHOWN = {"site", "sources", "themes", "feeds", "web"}
"""The parts of config.toml that a page may show."""


def publish(
    newsroom: Newsroom,
    to: str | None = None,
    *,
    whole: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> PublishReport:
    """Bring the folder of feeds, or the bucket `to`, up to date with the store as of one moment.

    Rendered are the pages of the articles that changed since the place was last published, the archives
    that hold them, and the feeds that show them. All files are compared if `whole`, or where the
    settings, the templates or this program are others, or the place or the database is not the one of
    then. Only files of ours are ever removed. `progress` is called with how many more files are rendered.

    Raises:
        PublishError: the place cannot be written; files written until then are complete.
    """
    place = Folder(newsroom.settings.feeds.path) if to is None else Bucket(to)
    db, settings, environment = newsroom.db, newsroom.settings, newsroom.templates
    now = newsroom.now()

    def make(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """These files, one at a time, with all forms of a feed."""
        from digest.feeds.channels import opml_bytes
        from digest.feeds.pages import article_page_bytes, style_bytes

        progress(len(names))
        if STYLE_NAME in names:
            yield STYLE_NAME, style_bytes(environment, settings)
        ids = [i for name in names if (i := article_of(name)) is not None]
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            siblings = siblings_of(db, batch, now)
            for article in each_article(db, batch):
                item = item_of(article, siblings.get(article.id, ()), settings)
                yield article_name(article.id), article_page_bytes(environment, item, settings)
        yield from archive_files(newsroom, names)
        for view in views if part_of(names[0]) == FEEDS else ():
            yield from feed_files(view, settings, environment)
        if OPML_NAME in names:
            yield OPML_NAME, opml_bytes(channels(settings), settings, created_at(db))

    keep_archives(newsroom, now)
    before, layout, basis = progress_of(db, place.name), Layout(place), basis_of(newsroom)
    found = [before.token or "-", basis, place.stamp()]
    known = layout.head[:3] == found and before.moment <= now
    layout.some = known and not whole
    since = before if layout.some else NOWHERE
    with db.snapshot():
        shown, earlier = shown_ids(newsroom, now), said(db)
        feeds = {STYLE_NAME: basis, **_feed_marks(newsroom, shown, basis, now), OPML_NAME: basis}
        stale = {name.rpartition(".")[0] for name in layout.stale(FEEDS, feeds)}
        views = views_of(newsroom, [one for one in shown if one[0].slug in stale], now)
    # Before readers see it: what a feed has said once it never takes back.
    moments = [(view.channel.slug, view.updated) for view in views]
    if rose := [one for one in moments if earlier.get(one[0]) != one[1]]:
        with db.write():
            save_said(db, rose)
    # What is in a feed keeps its page, whatever has come between.
    with db.snapshot():
        changed, newest = changes_since(db, since.change, since.moment, now)
        named = groupby(map(article_name, sorted(changed)), part_of)
        for part, names in named:
            these = list(names)
            marks = article_marks(db, now, [i for one in these if (i := article_of(one))])
            pages = {article_name(i): page_mark(basis, mark) for i, mark in marks.items()}
            layout.lay(part, pages, make, among=these)
        archives = archive_marks(newsroom, changed if layout.some else None)
        for part, names in groupby(sorted(archives, key=part_of), part_of):
            files = {name: _hash(basis + archives[name]) for name in names}
            layout.lay(part, files, make, among=files, seconds=lambda _: ARCHIVE_SECONDS)
        fresh = {
            f"{one.channel.slug}.{form}": one.ttl * 60 for one in views for form in MEDIA_TYPES
        }
        layout.lay(FEEDS, feeds, make, seconds=lambda name: fresh.get(name, 300))
        report = layout.finish()
    # What came after the archives were kept is not in them yet: the next run looks at it again.
    after = Progress(min(newest, progress_of(db, "").change), now, before.token)
    if layout.changed or not known:
        after = replace(after, token=newsroom.random_bytes().hex())
        layout.sign(after.token, basis)
    if after.token != before.token or after.change != before.change:
        with db.write():
            save_progress(db, place.name, after, before.token)
    return report


def tell_hub(newsroom: Newsroom, *, stop: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Queue a WebSub ping to the hub of [feeds] for each feed in the folder that is not as it was last
    announced, and send what is due: how many pings the hub accepted, and how many it did not.

    The pings, and of what they tell, are stored in one write: a crash may repeat some, and loses none.
    The topic is the feed's own address; hubs read it as `hub.url` or as `hub.topic`.
    """
    db, settings, now = newsroom.db, newsroom.settings, newsroom.now()
    if (hub := settings.feeds.hub) is None:
        return {}
    told, pings, topics = announced(db), [], []
    files: dict[str, dict[str, str]] = {}
    for slug in (channel.slug for channel in channels(settings)):
        files[slug] = {}
        for name in (f"{slug}.{form}" for form in (ATOM, RSS, JSON)):
            topics.append(topic := f"{settings.feeds_url}/{name}")
            with suppress(OSError):  # `publish` says what is wrong
                files[slug][name] = hashlib.sha256(
                    (settings.feeds.path / name).read_bytes()
                ).hexdigest()
            if files[slug].get(name) != told.get(slug, {}).get(name):
                form = {"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}
                body = urlencode(form).encode()
                pings.append(Notice(Kind.PING, topic, HUB, hub, "", body, now, RATHER_TWICE))
    if pings:
        with db.write():
            make_room(db, pings, topics)
            queue(db, pings, now)
            save_announced(db, files)
    mark = newsroom.random_bytes()[:8].hex()
    outcomes = send_due(db, newsroom.ways, [Kind.PING], newsroom.now, mark, stop=stop)
    sent, now = outcomes[OutcomeKind.SENT], newsroom.now()
    if sent < outcomes.total():  # the other feeds wait as long as the first one that is refused
        with db.write():
            put_off(db, Kind.PING, now, now + FIRST_DELAY)
    return {"pinged": sent, "hub_refused": outcomes.total() - sent}


def basis_of(newsroom: Newsroom) -> str:
    """Changes with whatever else all files are made from: settings, program, templates, store."""
    shown = newsroom.settings.model_dump_json(include=SHOWN)
    rest = f"{program_hash()}{fingerprint(newsroom.templates)}{created_at(newsroom.db)}"
    return _hash(f"{shown}{rest}")


def page_mark(basis: str, mark: int) -> str:
    """The xor of two random numbers, which changes whenever either of them does."""
    return f"{int(basis, 16) ^ (mark & _BITS):016x}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _feed_marks(newsroom: Newsroom, shown: Shown, basis: str, now: datetime) -> dict[str, str]:
    """Every feed in its forms; for each a mark of what it is made from."""
    marks = article_marks(newsroom.db, now, {i for _, ids in shown for i in ids})
    hashes: dict[str, str] = {}
    for channel, ids in shown:
        archive = newest_archive(newsroom.db, channel.slug)
        mark = _hash(f"{basis} {archive} {[(i, marks.get(i)) for i in ids]}")
        hashes |= {f"{channel.slug}.{form}": mark for form in MEDIA_TYPES}
    return hashes


def feed_views(newsroom: Newsroom, now: datetime) -> list[FeedView]:
    """Every channel as it is in the store, without what is embargoed `now`. A channel of one language
    shows each story once, by the article that leads it there; the others show every article with its
    versions.
    """
    return views_of(newsroom, shown_ids(newsroom, now), now)


def views_of(newsroom: Newsroom, shown: Shown, now: datetime) -> list[FeedView]:
    """These channels with their articles."""
    db, settings = newsroom.db, newsroom.settings
    ids = {i for _, some in shown for i in some}
    items = items_of(each_article(db, ids), siblings_of(db, ids, now), settings)
    made_at, earlier = created_at(db), said(db)
    views = []
    for channel, some in shown:
        held = [items[i] for i in some]
        view = feed_view(channel, held, made_at, earlier.get(channel.slug))
        previous = newest_archive(db, channel.slug)
        ttl = minutes_fresh(held, settings.web.cache_seconds)
        views.append(replace(view, previous=previous, ttl=ttl))
    return views


def shown_ids(newsroom: Newsroom, now: datetime) -> Shown:
    """Every channel with the articles that its feed has, newest first."""
    return [(one, _shown(newsroom, one, now)) for one in channels(newsroom.settings)]


def _shown(newsroom: Newsroom, channel: Channel, now: datetime) -> list[int]:
    """What the feed of a channel has, newest first: what is in no archive, its newest articles, what was
    corrected or withdrawn in 14 days, and all of 48 hours; in this order, if it is more than 500."""
    db, entries = newsroom.db, newsroom.settings.feeds.entries
    held = partial(held_ids, db, channel, now)
    if channel.corrections:
        return held(since=EPOCH, corrected=True, named=True, limit=entries)
    newest, waits = held(limit=entries), held(among=waiting(db, channel.slug))
    corrected = held(since=now - CORRECTED_FOR, corrected=True, limit=MOST)
    recent = held(since=now - SPAN, limit=MOST)
    chosen = list(dict.fromkeys([*waits, *newest, *corrected, *recent]))[:MOST]
    return newest if len(chosen) == len(newest) else held(among=chosen)


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
