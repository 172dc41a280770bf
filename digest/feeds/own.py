"""A reader's own feed: what the public feeds of their themes and languages hold, at an address of its own
that can be revoked."""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

from digest.config.settings import Settings
from digest.feeds.archives import held_ids
from digest.feeds.channels import ATOM, HTML, JSON, OPML_NAME, RSS, Channel, opml_bytes
from digest.feeds.items import feed_view, items_of, minutes_fresh
from digest.language.wording import wording_for
from digest.mail.tokens import MINE, Purpose, token_for
from digest.model import Choice
from digest.newsroom import Newsroom
from digest.store.articles import each_article, siblings_of
from digest.store.database import created_at


@dataclass(frozen=True, slots=True)
class OwnChannel(Channel):
    """A channel at `place`, the address of a reader's own folder; its page is the front page."""

    place: str = ""

    def url(self, settings: Settings, ending: str) -> str:
        return (
            f"{settings.feeds_url}/all.{HTML}" if ending == HTML else f"{self.place}feed.{ending}"
        )


NAMES = {f"feed.{form}": form for form in (ATOM, RSS, JSON)} | {OPML_NAME: OPML_NAME}
"""The files of an own feed, by name: its form."""


def own_place(newsroom: Newsroom, recipient_id: int, number: int) -> str:
    """The address of the folder of a recipient's own feed with this number."""
    token = token_for(newsroom.token_key, number, recipient_id, Purpose.FEED)
    return f"{newsroom.settings.web.public_url or ''}{MINE}{token}/"


def own_file(
    newsroom: Newsroom, choice: Choice, place: str, name: str, now: datetime
) -> tuple[bytes, int]:
    """A file of an own feed, and for how many seconds it is good. It has nothing of the reader but the
    choice."""
    from digest.feeds.formats import atom_bytes, json_bytes, rss_bytes

    db, settings = newsroom.db, newsroom.settings
    feeds = settings.feeds.model_copy(update={"hub": None})  # a hub knows only public feeds
    settings = settings.model_copy(update={"feeds": feeds})
    wording = wording_for(choice.language, settings.site.languages)
    title = wording.choosing["feed_title"].format(site=settings.site.title)
    language = choice.languages[0] if len(choice.languages) == 1 else None
    channel = OwnChannel(None, language, place, title, title, wording, place=place)
    if name == OPML_NAME:
        return opml_bytes([channel], settings, created_at(db)), 3600
    most = settings.feeds.entries
    pairs = product(choice.themes or (None,), choice.languages)
    parts = [replace(channel, theme=theme, language=one) for theme, one in pairs]
    found = {i for part in parts for i in held_ids(db, part, now, limit=most)}
    ids = held_ids(db, replace(channel, language=None), now, among=found, limit=most)
    items = items_of(each_article(db, ids), siblings_of(db, ids, now), settings)
    view = feed_view(channel, [items[i] for i in ids], created_at(db))
    view = replace(view, ttl=minutes_fresh(view.items, settings.web.cache_seconds))
    make = {ATOM: atom_bytes, RSS: rss_bytes, JSON: json_bytes}[NAMES[name]]
    return make(view, settings), view.ttl * 60
