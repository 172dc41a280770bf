"""A channel as Atom (RFC 4287), RSS 2.0 with the RSS Board's profile, and JSON Feed 1.1, in bytes.

The same articles always give the same bytes.
"""

import json
import mimetypes
import re
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from html import escape, unescape
from typing import Any
from urllib.parse import urlsplit

import feedgen.entry
import feedgen.feed
from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseExtension
from feedgen.feed import FeedGenerator

from digest.config.settings import Settings
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, RSS, archive_name
from digest.feeds.items import FeedView, Item, Version

ATOM_SPACE = "http://www.w3.org/2005/Atom"
FEED_HISTORY = "http://purl.org/syndication/history/1.0"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TAG = re.compile(r"<[A-Za-z/!?]")
# feedgen's own function sets the locale of the whole process for each date: not thread-safe.
feedgen.feed.formatRFC2822 = format_datetime
feedgen.entry.formatRFC2822 = format_datetime


class Entry(FeedEntry):  # type: ignore[misc]  # feedgen ships no types
    """An entry with its language and with every attribute of its links."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.xml_lang = language

    def atom_entry(self, extensions: bool = True) -> Any:
        """The <entry>, with xml:lang, complete links and RFC 3339 dates in Z."""
        element = super().atom_entry(extensions)
        element.set(XML_LANG, self.xml_lang)
        # feedgen 1.0.0 drops all but href (github.com/lkiesow/python-feedgen issue 135).
        for link, wanted in zip(element.findall("link"), self.link() or [], strict=True):
            for name in ("rel", "type", "hreflang", "title"):
                if (value := wanted.get(name)) and "</" not in value:
                    link.set(name, value)
        for text in (element.find("title"), element.find("summary")):
            if text is not None and "</" in text.text:  # validators warn of it in plain text
                text.set("type", "html")
                text.text = escape(text.text, quote=False)
        _dates_in_z(element)
        return element


class History(BaseExtension):  # type: ignore[misc]  # feedgen ships no types
    """What a feed says of its archives (RFC 5005 §4 and appendix B), and Atom of what is withdrawn
    (RFC 6721)."""

    def __init__(self) -> None:
        self.is_archive = False
        self.links: list[dict[str, str]] = []
        self.withdrawn: list[tuple[str, datetime]] = []

    def extend_ns(self) -> dict[str, str]:
        spaces = {"fh": FEED_HISTORY} if self.is_archive else {}
        return spaces | ({"at": TOMBSTONES} if self.withdrawn else {})

    def extend_atom(self, feed: Any) -> None:
        if self.is_archive:
            feed.append(feed.makeelement(f"{{{FEED_HISTORY}}}archive"))
        for atom_id, when in self.withdrawn:
            values = {"ref": atom_id, "when": _rfc3339(when)}
            feed.append(feed.makeelement(f"{{{TOMBSTONES}}}deleted-entry", values))

    def extend_rss(self, rss: Any) -> None:
        [channel] = rss
        if self.is_archive:
            channel.append(rss.makeelement(f"{{{FEED_HISTORY}}}archive"))
        for link in self.links:
            channel.append(rss.makeelement(f"{{{ATOM_SPACE}}}link", link))


class Feed(FeedGenerator):  # type: ignore[misc]  # feedgen ships no types
    """A feed with RFC 3339 dates in Z."""

    def _create_atom(self, extensions: bool = True) -> Any:
        feed, document = super()._create_atom(extensions)
        _dates_in_z(feed)
        # Last, since a validator takes the first archive, which leads to no other, for an incomplete one.
        feed.extend(feed.findall(f"{{{FEED_HISTORY}}}archive"))
        return feed, document


def _dates_in_z(element: Any) -> None:
    for name in ("updated", "published"):
        if (date := element.find(name)) is not None:
            date.text = date.text.replace("+00:00", "Z")


def atom_bytes(view: FeedView, settings: Settings) -> bytes:
    """The channel as an Atom feed."""
    feed = _feed(view, settings, ATOM)
    feed.language(view.channel.text_language)
    for item in view.items:
        entry = _entry(item, settings)
        if (picture := settings.picture(item.article)) is not None:
            kind = mimetypes.guess_type(urlsplit(picture.url).path)[0] or "image/jpeg"
            entry.link(href=picture.url, rel="enclosure", type=kind)
        entry.author(name=settings.site.author if "<" in item.author else item.author)
        for rel, versions in (("alternate", item.translations), ("related", item.related)):
            for one in versions:
                link = {
                    "href": one.href,
                    "hreflang": one.language,
                    "title": f"{one.title} · {one.source}",
                }
                entry.link(**link, rel=rel, type="text/html")
        feed.add_entry(entry, order="append")
    return _numeric(feed.atom_str(pretty=True))


def rss_bytes(view: FeedView, settings: Settings) -> bytes:
    """The channel as an RSS 2.0 feed."""
    feed = _feed(view, settings, RSS)
    feed.load_extension("dc", atom=False)
    if view.number is None:
        feed.ttl(view.ttl)
    feed.managingEditor(f"{settings.site.contact} ({settings.site.author})")
    if view.channel.language is not None:
        feed.language(view.channel.language)
    for item in view.items:
        # RSS readers take a description for HTML; a title only some of them. So it is HTML only where
        # it would read otherwise as such.
        title, summary = item.title, escape(item.summary, quote=False)
        if _TAG.search(title) or unescape(title) != title:
            title = escape(title, quote=False)
        entry = _entry(replace(item, title=title, summary=summary), settings)
        feed.add_entry(entry, order="append")
        entry.dc.dc_creator(item.author)
        if (picture := settings.picture(item.article)) is not None:
            entry.load_extension("media", atom=False)
            size = {"width": picture.width, "height": picture.height}
            known = {name: str(value) for name, value in size.items() if value}
            entry.media.content({"url": picture.url, "medium": "image", **known})
        if item.article.language:
            entry.dc.dc_language(item.article.language)
    return _numeric(feed.rss_str(pretty=True))


def _numeric(document: bytes) -> bytes:
    """The XML with & and < as numeric references (RSS Board profile, "Character Data"), and "?" for what
    could not be read: validators warn of other forms."""
    for old, new in ((b"&amp;", b"&#x26;"), (b"&lt;", b"&#x3C;"), ("\ufffd".encode(), b"?")):
        document = document.replace(old, new)
    return document


def _feed(view: FeedView, settings: Settings, own: str) -> Feed:
    channel, site = view.channel, settings.site
    feed = Feed()
    feed.id(view.id)
    feed.title(channel.title)
    feed.subtitle(channel.about)
    feed.updated(view.updated)
    feed.author(name=site.author, email=site.contact)
    feed.generator("newsroom-digest")
    feed.register_extension("history", History)
    page = {"href": channel.url(settings, HTML), "rel": "alternate", "type": MEDIA_TYPES[HTML]}
    around = {"self": channel.url(settings, own)}
    if view.number is not None:
        around = {"self": _archive_url(view, view.number, settings, own), "current": around["self"]}
    if view.previous is not None:
        around["prev-archive"] = _archive_url(view, view.previous, settings, own)
    links = [{"href": url, "rel": rel, "type": MEDIA_TYPES[own]} for rel, url in around.items()]
    if settings.feeds.hub is not None and view.number is None:
        links.append({"href": settings.feeds.hub, "rel": "hub"})
    feed.history.is_archive = view.number is not None
    if own == RSS:
        feed.history.links = links[1:]
        feed.link([links[0], page])  # feedgen takes the last one for the channel's
        return feed
    # Just before the entry that says so: a tombstone yields to an entry that is newer than it
    # (RFC 6721 §3).
    withdrawn = [item for item in view.items if item.article.withdrawn_at is not None]
    feed.history.withdrawn = [
        (item.article.atom_id, item.updated - timedelta.resolution) for item in withdrawn
    ]
    if view.number is None:
        others = (form for form in MEDIA_TYPES if form not in (own, HTML))
        links += [
            {"href": channel.url(settings, form), "rel": "alternate", "type": MEDIA_TYPES[form]}
            for form in others
        ]
    feed.link([page, *links])
    return feed


def _archive_url(view: FeedView, number: int, settings: Settings, form: str) -> str:
    return f"{settings.feeds_url}/{archive_name(view.channel.slug, number, form)}"


def _entry(item: Item, settings: Settings) -> Entry:
    article = item.article
    source = settings.sources_by_name.get(article.source)
    entry = Entry(article.language)
    entry.id(article.atom_id)
    entry.title(item.title)
    entry.updated(item.updated)
    if item.published is not None:
        entry.published(item.published)
    entry.link(href=item.url, rel="alternate", type=MEDIA_TYPES[HTML], hreflang=article.language)
    for category in item.categories:
        entry.category(term=category.term, scheme=category.scheme, label=category.label)
    if source is not None and source.is_online and source.url is not None:
        entry.source(url=source.url, title=settings.source_title(source.name))
    if item.summary:
        entry.summary(item.summary)
    if item.full:
        entry.content(item.body_html + item.also_html, type="html")
    return entry


def json_bytes(view: FeedView, settings: Settings) -> bytes:
    """The channel as a JSON feed in UTF-8 (jsonfeed.org/version/1.1).

    The extension `_newsroom` of each item holds what JSON Feed cannot express: categories with
    their scheme, translations, whether the text is complete, its urgency and what was corrected.
    """
    channel, site = view.channel, settings.site
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.url(settings, HTML),
        "feed_url": channel.url(settings, JSON),
        "description": channel.about,
        "language": channel.text_language,
        "authors": [{"name": site.author, "url": f"mailto:{site.contact}"}],
        **({"hubs": [{"type": "WebSub", "url": hub}]} if (hub := settings.feeds.hub) else {}),
        "items": [_json_item(item, settings) for item in view.items],
    }
    return (json.dumps(feed, ensure_ascii=False) + "\n").encode()


def _json_item(item: Item, settings: Settings) -> dict[str, Any]:
    article = item.article
    picture = settings.picture(item.article)
    # An item must have content_html or content_text; a teaser's only text is its summary.
    content = (
        {"content_html": item.body_html + item.also_html}
        if item.full
        else {"content_text": item.summary or item.title}
    )
    published = {} if item.published is None else {"date_published": _rfc3339(item.published)}
    return {
        "id": article.atom_id,
        "url": item.url,
        "title": item.title,
        "summary": item.summary,
        **content,
        **published,
        "date_modified": _rfc3339(item.updated),
        "authors": [{"name": item.author}],
        "tags": [category.label for category in item.categories],
        **({"language": article.language} if article.language else {}),
        **({"image": picture.url} if picture else {}),
        "_newsroom": {
            "complete": article.complete,
            "withdrawn": article.withdrawn_at is not None,
            "urgency": article.urgency,
            "update": article.update,
            "correction": article.correction if article.withdrawn_at is None else None,
            "corrected": _json_corrected(item),
            "categories": [
                {"term": one.term, "scheme": one.scheme, "label": one.label}
                for one in item.categories
            ],
            "translations": [_json_version(version) for version in item.translations],
            "related": [_json_version(version) for version in item.related],
        },
    }


def _json_corrected(item: Item) -> dict[str, Any] | None:
    if not item.correction or item.article.corrected_at is None:
        return None
    at, parts = _rfc3339(item.article.corrected_at), list(item.article.corrected)
    return {"at": at, "parts": parts, "text": item.correction}


def _json_version(version: Version) -> dict[str, str]:
    return {
        "url": version.href,
        "language": version.language,
        "title": version.title,
        "source": version.source,
    }


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
