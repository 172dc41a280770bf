"""Atom (RFC 4287) and RSS 2.0 with the RSS Board's profile, as bytes: same articles, same bytes."""

import re
from email.utils import format_datetime
from typing import Any

import feedgen.entry
import feedgen.feed
from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

from digest.config.settings import Settings
from digest.feeds.channels import ATOM, HTML, MEDIA_TYPES, RSS
from digest.feeds.items import FeedView, Item

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# feedgen's own one sets the locale of the whole process for each date, which is not thread-safe.
feedgen.feed.formatRFC2822 = format_datetime
feedgen.entry.formatRFC2822 = format_datetime


class Entry(FeedEntry):  # type: ignore[misc]  # feedgen ships no types
    """An entry that knows its language and keeps what its links say of themselves."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.xml_lang = language

    def atom_entry(self, extensions: bool = True) -> Any:
        """The <entry>, with xml:lang, whole links and RFC 3339 dates in Z."""
        element = super().atom_entry(extensions)
        element.set(XML_LANG, self.xml_lang)
        # feedgen 1.0.0 loses all but href (github.com/lkiesow/python-feedgen issue 135).
        for link, wanted in zip(element.findall("link"), self.link() or [], strict=True):
            for name in ("rel", "type", "hreflang"):
                if value := wanted.get(name):
                    link.set(name, value)
        _zulu(element)
        return element


class Feed(FeedGenerator):  # type: ignore[misc]  # feedgen ships no types
    """A feed that keeps the order in which its entries are added."""

    def append(self, entry: Entry) -> None:
        """Unlike `add_entry`, which puts each new entry first."""
        self.add_entry(entry, order="append")

    def _create_atom(self, extensions: bool = True) -> Any:
        feed, document = super()._create_atom(extensions)
        _zulu(feed)
        return feed, document


def _zulu(element: Any) -> None:
    for name in ("updated", "published"):
        if (date := element.find(name)) is not None:
            date.text = date.text.replace("+00:00", "Z")


GENERATOR = "newsroom-digest"
_TITLE = re.compile(rb"(?<=<title>)[^<]*(?=</title>)")


def atom_bytes(view: FeedView, settings: Settings) -> bytes:
    """The channel as an Atom feed."""
    feed = _feed(view, settings, ATOM)
    feed.language(view.channel.text_language)
    for item in view.items:
        entry = _entry(item)
        entry.author(name=item.author)
        for version in item.translations:
            entry.link(
                href=version.href, rel="alternate", type="text/html", hreflang=version.language
            )
        for version in item.related:
            entry.link(
                href=version.href, rel="related", type="text/html", hreflang=version.language
            )
        feed.append(entry)
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
        feed.append(entry)
        entry.dc.dc_creator(item.author)
        entry.dc.dc_language(item.article.language)
    # RSS Board profile, "Character Data": numeric references in titles, since some readers take
    # a title for HTML and others for text.
    return _TITLE.sub(_numeric, bytes(feed.rss_str(pretty=True)))


def _feed(view: FeedView, settings: Settings, own: str) -> "Feed":

    channel, site = view.channel, settings.site
    feed = Feed()
    feed.id(view.id)
    feed.title(channel.title)
    feed.subtitle(channel.about)
    feed.updated(view.updated)
    feed.author(name=site.author, email=site.contact)
    feed.generator(GENERATOR)
    # feedgen takes the last link for that of the RSS channel: the page stands last.
    feed.link(href=channel.url(settings, own), rel="self", type=MEDIA_TYPES[own])
    for form, media_type in MEDIA_TYPES.items():
        if form != own:
            feed.link(href=channel.url(settings, form), rel="alternate", type=media_type)
    return feed


def _entry(item: Item) -> "Entry":

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


def _numeric(title: re.Match[bytes]) -> bytes:
    return title.group().replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;")
