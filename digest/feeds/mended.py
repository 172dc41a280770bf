"""feedgen with its faults mended, as far as our feeds meet them. Importing it loads lxml."""

from email.utils import format_datetime
from typing import Any

import feedgen.entry
import feedgen.feed
from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

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
