"""A channel as Atom (RFC 4287), RSS 2.0 with the RSS Board's profile, and JSON Feed 1.1, in bytes.

The same articles always give the same bytes.
"""

import json
import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import feedgen.entry
import feedgen.feed
from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

from digest.config.settings import Settings
from digest.feeds.channels import ATOM, HTML, JSON, MEDIA_TYPES, RSS
from digest.feeds.items import FeedView, Item, Version

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TITLE = re.compile(rb"(?<=<title>)[^<]*(?=</title>)")
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
            for name in ("rel", "type", "hreflang"):
                if value := wanted.get(name):
                    link.set(name, value)
        _dates_in_z(element)
        return element


class Feed(FeedGenerator):  # type: ignore[misc]  # feedgen ships no types
    """A feed with RFC 3339 dates in Z."""

    def _create_atom(self, extensions: bool = True) -> Any:
        feed, document = super()._create_atom(extensions)
        _dates_in_z(feed)
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
        entry = _entry(item)
        entry.author(name=item.author)
        for rel, versions in (("alternate", item.translations), ("related", item.related)):
            for one in versions:
                entry.link(href=one.href, rel=rel, type="text/html", hreflang=one.language)
        feed.add_entry(entry, order="append")
    return bytes(feed.atom_str(pretty=True))


def rss_bytes(view: FeedView, settings: Settings) -> bytes:
    """The channel as an RSS 2.0 feed."""
    feed = _feed(view, settings, RSS)
    feed.load_extension("dc", atom=False)
    feed.managingEditor(f"{settings.site.contact} ({settings.site.author})")
    if view.channel.language is not None:
        feed.language(view.channel.language)
    for item in view.items:
        entry = _entry(item)
        feed.add_entry(entry, order="append")
        entry.dc.dc_creator(item.author)
        entry.dc.dc_language(item.article.language)
    # RSS Board profile, "Character Data": numeric references in titles, since some readers take
    # a title for HTML and others for text.
    return _TITLE.sub(
        lambda title: title[0].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;"),
        bytes(feed.rss_str(pretty=True)),
    )


def _feed(view: FeedView, settings: Settings, own: str) -> Feed:
    channel, site = view.channel, settings.site
    feed = Feed()
    feed.id(view.id)
    feed.title(channel.title)
    feed.subtitle(channel.about)
    feed.updated(view.updated)
    feed.author(name=site.author, email=site.contact)
    feed.generator("newsroom-digest")
    # feedgen takes the last link for that of the RSS channel: the page comes last.
    feed.link(href=channel.url(settings, own), rel="self", type=MEDIA_TYPES[own])
    for form, media_type in MEDIA_TYPES.items():
        if form != own:
            feed.link(href=channel.url(settings, form), rel="alternate", type=media_type)
    return feed


def _entry(item: Item) -> Entry:
    article = item.article
    entry = Entry(article.language)
    entry.id(article.atom_id)
    entry.title(item.title)
    entry.updated(item.updated)
    if item.published is not None:
        entry.published(item.published)
    entry.link(href=item.url, rel="alternate", type=MEDIA_TYPES[HTML], hreflang=article.language)
    for category in item.categories:
        entry.category(term=category.term, scheme=category.scheme, label=category.label)
    if item.summary:
        entry.summary(item.summary)
    if item.full:
        entry.content(item.body_html, type="html")
    return entry


def json_bytes(view: FeedView, settings: Settings) -> bytes:
    """The channel as a JSON feed in UTF-8 (jsonfeed.org/version/1.1).

    The extension `_newsroom` of each item holds what JSON Feed cannot express: categories with
    their scheme, translations, and whether the text is complete.
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
        "items": [_json_item(item) for item in view.items],
    }
    return (json.dumps(feed, ensure_ascii=False, indent=1) + "\n").encode()


def _json_item(item: Item) -> dict[str, Any]:
    article = item.article
    # An item must have content_html or content_text; a teaser's only text is its summary.
    content = (
        {"content_html": item.body_html}
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
        "language": article.language,
        "_newsroom": {
            "complete": article.complete,
            "withdrawn": article.withdrawn_at is not None,
            "categories": [
                {"term": one.term, "scheme": one.scheme, "label": one.label}
                for one in item.categories
            ],
            "translations": [_json_version(version) for version in item.translations],
            "related": [_json_version(version) for version in item.related],
        },
    }


def _json_version(version: Version) -> dict[str, str]:
    return {"url": version.href, "language": version.language}


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
