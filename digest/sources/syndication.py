"""The items of a feed: RSS, RDF, Atom and JSON Feed; the feeds that a page names; lists of feeds as OPML.

fastfeedparser reads what is certainly plain RSS 2.0 or Atom 1.0, because it is more than ten times as fast;
feedparser reads everything else, and what it says counts. Both give dicts with the same keys.
"""

import io
import json
import re
from calendar import timegm
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from html import escape, unescape
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from digest.errors import DocumentError
from digest.language.days import mentions
from digest.language.text import foreign
from digest.model import UNDATED, DateSource, FoundItem, KnownDate, Picture
from digest.sources.lines import without_cut, without_ellipsis
from digest.sources.markup import is_markup

_UTC = ZoneInfo("UTC")
_Values = Mapping[str, Any]
_T = TypeVar("_T")
_MEDIA_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")
_PLACES = ("feed/", "rss", "rss.xml", "feed.xml", "atom.xml", "index.xml", "feed.json")
_OLDEST = date(1971, 1, 1)
"""An earlier day is that of a clock that was never set."""
_STAMP = timedelta(seconds=2)
_NOW = timedelta(minutes=10)
_SHORT, _MIDDLE, _LONG = 15, 60, 150
"""Words from which a content beside a summary, a content alone, and a summary can be the whole text."""
_SAMPLE = 10_000
"""Characters of a text that are looked at: nh3 takes quadratic time where HTML is nested deeply."""
_MOST_ITEMS, _MOST_TAGS, _MOST_ENTITIES = 5_000, 200_000, 600_000
"""Beyond these a feed is no newsroom's; feedparser would take minutes and hundreds of MB."""
_LONGEST_ADDRESS, _LONGEST_TEXT = 2_000, 1_000_000
_SAFE = "/%:@!$&'()*+,;=~?[]"
_FULL_TEXTS = ("yandex_full-text", "turbo_content")

_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml\s[^<>]*>\s*)?(?:<\?xml-stylesheet\s[^<>]*>\s*)*"
    rb"(?:<rss\s[^<>]*\bversion=[\"']2\.0[\"'][^<>]*>|(?P<atom><feed\s[^<>]*"
    rb"\bxmlns=[\"']http://www\.w3\.org/2005/Atom[\"'][^<>]*>))"
)
_ENCODING = re.compile(rb"(<\?xml\s[^<>]{0,200}?)\s+encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_ODD = re.compile(
    rb"<!DOCTYPE|<!--|xml:base|xhtml|<(link|description|id|title)>\s*</\1|<(?:content|title)[^<>]*\s(?:src|mode)="
    rb"|<title[^<>]*\stype=|<(?:content|summary)(?![^<>:]*\stype=[\"']html[\"']|:)|<category\s[^<>]*\slabel="
    rb"|&(?!(?:amp|lt|gt|quot|apos|#\d{1,6}|#x[0-9a-fA-F]{1,5});)"
)
"""What the two parsers read differently, outside of CDATA."""
_CDATA = re.compile(rb"<!\[CDATA\[.*?\]\]>", re.DOTALL)
_LONG_TAG = re.compile(rb"<(?:[^<>\s]*+\s){1000}|<[^<>]{300000}")
"""feedparser takes quadratic time for its attributes, and 150 bytes for each sign."""
_NAMES = re.compile(rb"<([A-Za-z][\w:.-]*)")
_EACH, _ONCE, _MORE = (
    [frozenset(name.encode() for name in names.split()) for names in listed]
    for listed in (
        ("title link description pubDate", "title id link published updated"),
        ("guid dc:creator content:encoded", "author name uri summary content"),
        (
            "category media:content media:thumbnail enclosure comments slash:comments wfw:commentRss",
            "category",
        ),
    )
)
"""The parts of an item of RSS and of Atom that both parsers read alike: always there, once, or often."""
_RSS_DATE = re.compile(
    rb"<pubDate>\s*(?:\w{3}, )?\d\d? [A-Z][a-z]{2} (?:19|20)\d\d \d\d:\d\d:\d\d (?:GMT|[+-]\d{4})\s*</pubDate>"
)
_ATOM_DATE = re.compile(
    rb"<(published|updated)>(?:19|20)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)</\1>"
)
_HOUR = re.compile(r"\d:\d\d|\dT\d")
_NO_DAY = re.compile(r"\s*\d{4}(?:-\d\d)?\s*")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[/.年]\s*(\d\d?)\s*[/.月]\s*(\d\d?)日?")
"""feedparser takes its year alone, and the month of today."""
_BLOCK = re.compile(r"</?(?:p|div|li|h\d|br|tr|td|blockquote)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_RELATIVE = re.compile(
    r"(<[a-z][^<>]{0,300}?\s(?:href|src|poster)\s*=\s*)([\"'])(?![a-zA-Z][\w+.-]*:|#)([^\"'<>]{0,2000})\2",
    re.IGNORECASE,
)
_MAIL = re.compile(r"(?:mailto:)?[\w.+%'-]{1,64}@[\w.-]{1,253}")
_SIGNATURE = re.compile(r"\s*The post .{1,300} (?:appeared first|first appeared) on .{1,200}$")
_FEED = re.compile(r"/(?:rss|feed|atom)/?(?:\?|$)|[./](?:rss|atom|rdf)(?:\.xml)?$", re.IGNORECASE)
_COMMENTS = re.compile("comment|коммент", re.IGNORECASE)
_LANGUAGES = {"eng": "en", "rus": "ru", "tuk": "tk", "tur": "tr", "english": "en", "russian": "ru"}
_DAYS = (b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun")
_DAY = rb"(?i:mon|tues|wednes|thurs|fri|satur|sun)day"


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as it was read: clean texts, its page `link`, and its items in its own order.

    `ttl`, `skip_hours` (0 to 23) and `skip_days` (0 is Monday) say when it asks not to be asked; GMT.
    """

    title: str
    language: str | None
    link: str | None
    items: tuple[FoundItem, ...]
    ttl: timedelta | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()


def read_feed(
    body: bytes,
    *,
    url: str,
    now: datetime,
    content_type: str = "",
    language: str | None = None,
    zone: ZoneInfo = _UTC,
) -> Feed:
    """The feed in `body`, which came from `url` with the header `content_type`.

    `now` and `zone` decide which days are stated: none is after tomorrow, none is the moment of the
    request. `language` overrides what the feed says of its own.

    Raises:
        DocumentError: it is no feed. An empty feed is one.
    """
    if not body.strip():
        raise DocumentError(url, "The answer is empty. Open the address in a browser")
    try:
        is_json = body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        if is_json:
            is_bomb = body.count(b"{") + body.count(b"[") > _MOST_TAGS
        else:
            plain = _CDATA.sub(b"", body)
            is_bomb = (
                plain.count(b"<") > _MOST_TAGS
                or plain.count(b"&") > _MOST_ENTITIES
                or plain.count(b"<item") + plain.count(b"<entry") > 4 * _MOST_ITEMS
                or _LONG_TAG.search(plain) is not None
            )
        if is_bomb:
            raise DocumentError(url, "This has too much markup for a feed. It is not read")
        if is_json:
            head, entries = _json_feed(body)
        else:
            body, headers = _readable(body, content_type)
            head, entries = _fast_feed(body) or _any_feed(body, headers)
        if head is None:
            is_page = re.search(rb"<(?:html|body|!doctype html)\b", body[:5_000], re.IGNORECASE)
            what = "a web page" if is_page else "a text"
            raise DocumentError(url, f"This is {what}, not a feed")
        own = _language(head.get("language"))
        items = [_item(entry, url, now, zone, language, own) for entry in entries[:_MOST_ITEMS]]
        ttl = str(head.get("ttl") or "").strip()
        return Feed(
            title=_title(head),
            language=language or own,
            link=canonical(str(head.get("link") or ""), url),
            items=tuple(_told_apart(_unstamped(items, _moment(head, "updated"), now))),
            ttl=timedelta(minutes=int(ttl)) if re.fullmatch("[1-9][0-9]{0,5}", ttl) else None,
            skip_hours=frozenset(
                int(hour) % 24 for hour in _skipped(body, b"skipHours", rb"\d\d?")
            ),
            skip_days=frozenset(_DAYS.index(day) for day in _skipped(body, b"skipDays", _DAY)),
        )
    except DocumentError:
        raise
    except Exception as e:  # whatever a parser trips over, it is the feed's fault
        raise DocumentError(url, f"This feed cannot be read ({type(e).__name__})") from e


def canonical(url: str, base: str) -> str | None:
    """The absolute address without tracking parameters and fragment; None if it is not http or https.

    `base` is the address that a relative one starts from. What is kept stays as it is written, in ASCII.
    """
    address = _absolute(url, base)
    return address.partition("#")[0] if address else None


def find_feeds(html: bytes, url: str) -> list[tuple[str, str]]:
    """The feeds that a page names, each as its address and title, best first: those in its head, then
    links, last those of comments. Where it names none, the usual places, without a title.
    """
    import lxml.html
    from lxml.etree import LxmlError

    try:
        page = lxml.html.document_fromstring(foreign(html, lines=True, limit=None))
    except (LxmlError, ValueError, AssertionError):
        return [(urljoin(url, place), "") for place in _PLACES]
    base = next((urljoin(url, str(one)) for one in page.xpath("//base/@href")[:1]), url)
    found: dict[str, str] = {}
    for node in page.iter("link", "a"):
        kind = str(node.get("type") or "").partition(";")[0].strip().lower()
        address = _absolute(str(node.get("href") or ""), base)
        if node.tag == "a":
            is_feed = kind in _MEDIA_TYPES or _FEED.search(address or "") is not None
        else:
            is_feed = kind in _MEDIA_TYPES and "alternate" in str(node.get("rel") or "").lower()
        if address and is_feed:
            title = foreign(str(node.get("title") or node.text_content() or ""), limit=200)
            found.setdefault(address, title)
    if not found:
        return [(urljoin(url, "/" + place), "") for place in _PLACES]
    return sorted(found.items(), key=lambda one: _COMMENTS.search(" ".join(one)) is not None)


def read_opml(data: bytes) -> list[tuple[str, str, str]]:
    """The feeds of a list, each as title, address and folder ("" for none, "/" between nested ones).

    An address that is not one of http or https is as it is written, "" if there is none. What comes
    twice in the list comes twice.

    Raises:
        DocumentError: it is no OPML.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError):
        root = None
    is_whole = root is not None and data.rstrip().lower().endswith(b">")
    if root is None or str(root.tag).lower() != "opml" or not is_whole:
        raise DocumentError("OPML", "This is no OPML file. Export the feeds of your reader again.")
    feeds: list[tuple[str, str, str]] = []
    for node in root.iter("{*}outline"):
        values = {str(name).lower(): foreign(str(value)) for name, value in node.attrib.items()}
        if "xmlurl" not in values and values.get("type") != "rss":
            continue
        named = re.sub("^(?i:feed):(?://)?(?!//)", "http://", values.get("xmlurl", ""))
        named = re.sub("^http://(?=https?:)", "", named)
        above = [one.get("text") or one.get("title") for one in node.iterancestors("{*}outline")]
        folder = "/".join(foreign(str(name), limit=100) for name in reversed(above) if name)
        title = values.get("title") or values.get("text") or ""
        feeds.append((title, canonical(named, "") or named, folder))
    return feeds


def write_opml(feeds: Iterable[tuple[str, str, str]], title: str) -> bytes:
    """OPML 2.0 with the feeds as `read_opml` gives them, in one folder for each name."""
    from lxml import etree

    opml = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(opml, "head"), "title").text = title
    body = etree.SubElement(opml, "body")
    folders = {"": body}
    for name, address, folder in feeds:
        if folder not in folders:
            folders[folder] = etree.SubElement(body, "outline", text=folder)
        values = {"type": "rss", "text": name or address, "xmlUrl": address}
        etree.SubElement(folders[folder], "outline", values)
    return bytes(etree.tostring(opml, encoding="UTF-8", xml_declaration=True, pretty_print=True))


def _readable(body: bytes, content_type: str) -> tuple[bytes, dict[str, str]]:
    """The body, and the header by which feedparser decodes it.

    What is UTF-8 is UTF-8, whatever a server or the first line says. What is not, and has no other
    encoding declared, is in the one in which it reads as words.
    """
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", content_type, re.IGNORECASE)
    declared = _ENCODING.search(body[:1_000])
    names = {
        charset[1].lower() if charset else "",
        declared[2].decode().lower() if declared else "",
    }
    if not body.isascii() and b"\x00" not in body[:200]:
        with suppress(UnicodeDecodeError):
            body.decode()
            return (_ENCODING.sub(rb"\1", body, count=1) if declared else body), {}
        if names <= {"", "utf-8", "us-ascii"}:
            body = foreign(body, lines=True, limit=None).encode()
            return _ENCODING.sub(rb"\1", body, count=1), {}
    return body, {"content-type": f"application/xml; charset={charset[1]}"} if charset else {}


def _fast_feed(body: bytes) -> tuple[_Values | None, list[_Values]] | None:
    """The feed by fastfeedparser, None if the answer could be another one than feedparser's."""
    root = _ROOT.match(body)
    if root is None or re.search(rb"(?i)encoding=(?!.utf-8)", root[0]):
        return None
    first, *others = body.split(b"<![CDATA[")
    if any(b"]]>" not in part for part in others):
        return None
    plain = b"CDATA".join([first, *(part.partition(b"]]>")[2] for part in others)])
    is_atom = root["atom"] is not None
    tag = b"entry" if is_atom else b"item"
    head_part, _, inside = plain.partition(b"<" + tag + b">")
    counts = Counter(_NAMES.findall(inside))
    items = counts.pop(tag, 0) + 1
    dates = (_ATOM_DATE if is_atom else _RSS_DATE).findall(inside)
    # Where one is missing, fastfeedparser makes it of another. Days that are all one may be made up.
    if not inside or _ODD.search(plain) or b"xml:" in inside or (b"<link " in inside) != is_atom:
        return None
    if any(counts.pop(name, 0) != items for name in _EACH[is_atom]) or counts[b"summary"] not in (
        0,
        items,
    ):
        return None
    if len(dates) != items * (1 + is_atom) or (items > 1 and len({*dates}) == 1):
        return None
    once, more = _ONCE[is_atom], _MORE[is_atom]
    if any(name not in more and (name not in once or counts[name] > items) for name in counts):
        return None
    from xml.parsers.expat import ExpatError, ParserCreate

    from fastfeedparser import parse

    try:
        ParserCreate(namespace_separator=" ").Parse(body, True)  # no DOCTYPE: nothing expands
        read = parse(body)
    except (ExpatError, ValueError):
        return None
    head = dict(read["feed"])
    if not is_atom:
        for name in ("language", "ttl"):
            value = re.search(rf"<{name}>\s*([\w-]{{1,20}})\s*</{name}>".encode(), head_part)
            head[name] = value[1].decode() if value else None
    entries = read["entries"]
    for entry in entries:
        description = entry.get("description") or ""
        if is_atom and not counts[b"summary"]:
            description = next((one["value"] for one in entry.get("content", ())), "")
        content = [
            one
            for one in entry.get("content", ())
            if is_atom or one["value"].strip() != description
        ]
        if is_atom and re.search("[<&]", entry.get("title", "")):
            return None
        entry |= {"content": content, "summary": description, "exact": is_atom}
    return head, entries


def _any_feed(body: bytes, headers: dict[str, str]) -> tuple[_Values | None, list[_Values]]:
    """The feed by feedparser; without a head if it is none."""
    import feedparser
    from fastfeedparser import parse

    read = feedparser.parse(
        io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    # Its own lookup gives one field for another that is missing.
    version = dict.get(read, "version") or ""
    exact = {"exact": version.startswith("atom")}
    entries: Any = [dict(entry) | exact for entry in read["entries"]]
    if version and not entries:  # lxml finds items whose names have a prefix that nothing declares
        with suppress(ValueError):
            entries = parse(body)["entries"]
    elif re.search(
        rb"<media:(?:description|credit)", body
    ):  # taken for the item's, or for any picture's
        with suppress(ValueError):
            media = [
                one for entry in parse(body)["entries"] for one in entry.get("media_content", ())
            ]
            told = {one["url"]: one for one in media if "url" in one}
            captions = {one["description"] for one in media if "description" in one}
            for entry in entries:
                for one in entry.get("media_content", ()):
                    one.update(told.get(one.get("url"), {}))
                texts = [one for one in entry.get("content", ()) if one["value"] not in captions]
                if texts and entry.get("summary") in captions:
                    entry["summary"] = ""
                entry["content"] = texts
    begun = max(body.rfind(b"<item"), body.rfind(b"<entry"))
    if begun >= 0 and not re.search(rb"(?i)</(?:item|entry|rss|feed|rdf)\b", body[begun:]):
        del entries[-1:]  # the feed was cut in it; it comes whole another time
    return dict(read["feed"]) if version or entries else None, entries


def _json_feed(body: bytes) -> tuple[_Values | None, list[_Values]]:
    """A JSON Feed with feedparser's keys; without a head if it is other JSON."""
    read = json.loads(foreign(body, lines=True, limit=None), strict=False)
    if not isinstance(read, dict) or not isinstance(read.get("items"), list):
        return None, []
    entries: list[_Values] = []
    for item in _only(dict, read["items"][:_MOST_ITEMS]):
        texts: dict[str, Any] = {
            name: str(value) for name, value in item.items() if isinstance(value, str | int | float)
        }
        picture = texts.get("image") or texts.get("banner_image") or ""
        entries.append(
            texts
            | {
                "link": texts.get("url") or texts.get("external_url"),
                "title_detail": {"type": "text/plain"},
                "exact": True,
                "content": [
                    {"value": texts[key], "type": kind}
                    for key, kind in (("content_html", "text/html"), ("content_text", "text/plain"))
                    if texts.get(key)
                ],
                "summary_detail": {"type": "text/plain"},
                "published": texts.get("date_published"),
                "updated": texts.get("date_modified"),
                "authors": _only(dict, item.get("authors") or [item.get("author")]),
                "tags": [{"term": tag} for tag in _only(str, item.get("tags"))],
                "media_content": [{"url": picture, "medium": "image"}],
                "enclosures": _only(dict, item.get("attachments")),
            }
        )
    return read | {"link": read.get("home_page_url")}, entries


def _only(kind: type[_T], values: object) -> list[_T]:
    """The values of one kind, where there is a list of them."""
    return [one for one in values if isinstance(one, kind)] if isinstance(values, list) else []


def _item(
    entry: _Values,
    url: str,
    now: datetime,
    zone: ZoneInfo,
    language: str | None,
    feed_language: str | None,
) -> FoundItem:
    """An entry as an item; its key is still that of its words."""
    detail = entry.get("title_detail") or {}
    title = _title(entry)
    html, text, complete, base = _body(entry, url)
    guid = foreign(str(entry.get("id") or ""), limit=_LONGEST_ADDRESS) or None
    link = str(entry.get("link") or "").strip()
    if link == guid and not re.match("(?i)https?://|/", link):
        link = ""  # a number that feedparser takes for a relative address
    words = blake2b(f"{title}\n{text}".encode(), digest_size=16).hexdigest()
    named = [str(one["name"]) for one in entry.get("authors") or () if one.get("name")]
    author = ", ".join(named) if named[1:] else str(entry.get("author") or "".join(named))
    author = _text(_MAIL.sub("", author[:_SAMPLE]))
    terms = (str(tag.get("label") or tag.get("term") or "") for tag in entry.get("tags") or ())
    terms = (foreign(_text(term), limit=100) for term in terms)
    own_language = _language(entry.get("language") or detail.get("language"))
    dated = "published" if entry.get("published") else "updated"
    return FoundItem(
        key=f"words:{words}",
        title=title,
        html=html,
        complete=complete,
        url=_absolute(link, _joined(url, detail.get("base"))),
        guid=guid,
        author=foreign(author, limit=200).strip(" ()<>[],;:-\"'") or None,
        published=_known(_moment(entry, dated), str(entry.get(dated) or ""), now, zone),
        updated=_moment(entry, "updated"),
        language=language or own_language or feed_language,
        categories=tuple(dict.fromkeys(filter(None, terms)))[:50],
        picture=_picture(entry, base),
    )


def _title(values: _Values) -> str:
    """Plain text without markup; entities are decoded twice, unless the format says it has none."""
    text = str(values.get("title") or "")[:_SAMPLE]
    kind = (values.get("title_detail") or {}).get("type", "")
    if "html" in kind or is_markup(text):
        text = _text(text)
    if kind != "text/plain" or not values.get("exact"):
        text = _ENTITY.sub(lambda found: unescape(found[0]), text)
    return foreign(text)


def _text(html: str) -> str:
    """The words of a line that may be HTML; its scripts and styles are none."""
    html = foreign(html, limit=_SAMPLE)
    if "<" in html:
        import nh3

        html = nh3.clean(_BLOCK.sub(r" \g<0>", html), tags=set())
    return " ".join(unescape(html).split())


def _gist(html: str) -> str:
    """The words of a body, good enough to count and compare them; quick, however deep it is nested."""
    return " ".join(unescape(_TAG.sub(" ", html)).split())


def _body(entry: _Values, url: str) -> tuple[str, str, bool, str]:
    """The best body as HTML, its beginning as text, whether it is the whole text, and its base."""
    summary, detail = str(entry.get("summary") or ""), entry.get("summary_detail") or {}
    contents = entry.get("content") or []
    contents = [one for one in contents if re.search("html|plain", one.get("type") or "html")]
    contents += [{"value": entry[name]} for name in _FULL_TEXTS if entry.get(name)]
    best: _Values = max(contents, key=lambda one: len(one["value"]), default={})
    full = str(best.get("value") or "")
    if not full or len(full) < len(summary):
        full, best, contents = summary, detail, []
    full = foreign(full[:_LONGEST_TEXT], lines=True, limit=None)
    text, gist = _gist(full[:_SAMPLE]), _gist(summary[:_SAMPLE])
    end = _SIGNATURE.sub("", text if len(full) <= _SAMPLE else _gist(full[-_SAMPLE:]))
    is_cut = without_cut(end) is not None or without_ellipsis(end) is not None
    least = (_SHORT if text != gist else _MIDDLE) if contents else _LONG
    is_whole = not is_cut and text.count(" ") >= least
    if "plain" in (best.get("type") or ""):
        full = "\n".join(
            f"<p>{escape(part.strip())}</p>" for part in re.split(r"\n\s*\n", full) if part.strip()
        )
    base = _joined(url, best.get("base"))
    full = _RELATIVE.sub(
        lambda found: f"{found[1]}{found[2]}{escape(_joined(base, unescape(found[3])))}{found[2]}",
        full,
    )
    return full, text, is_whole, base


def _picture(entry: _Values, base: str) -> Picture | None:
    """The widest of the item's media, else an enclosure, else a thumbnail."""
    media = [
        one
        for one in entry.get("media_content") or ()
        if one.get("medium") == "image"
        or str(one.get("type") or "").startswith("image/")
        or re.search(r"(?i)\.(?:jpe?g|png|webp|avif)(?:\?|$)", str(one.get("url") or ""))
    ]
    media.sort(key=lambda one: -(_pixels(one.get("width")) or 0))
    attached = [one for one in entry.get("links") or () if one.get("rel") == "enclosure"]
    media += [
        one
        for one in [*attached, *(entry.get("enclosures") or ())]
        if str(one.get("type") or one.get("mime_type") or "").startswith("image/")
    ]
    credits = [one.get("content") for one in entry.get("media_credit") or () if not media]
    for one in [*media, *(entry.get("media_thumbnail") or ())]:
        if address := _absolute(str(one.get("url") or one.get("href") or ""), base):
            return Picture(
                address,
                _pixels(one.get("width")),
                _pixels(one.get("height")),
                foreign(_text(unescape(str(one.get("description") or ""))), limit=300),
                foreign(_text(str(one.get("credit") or next(iter(credits), ""))), limit=200),
            )
    return None


def _pixels(size: object) -> int | None:
    found = re.fullmatch(r"\s*([1-9][0-9]{0,4})(?:px)?\s*", str(size))
    return int(found[1]) if found else None


def _moment(values: _Values, key: str) -> datetime | None:
    """The instant that a field states, None if it states none."""
    stated = str(values.get(key) or "").strip()
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(re.sub(r"\s*(?:UTC|GMT)$", "Z", stated))
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    with suppress(ValueError, OverflowError):
        if (parsed := values.get(f"{key}_parsed")) and not _YEAR_FIRST.match(stated):
            return datetime.fromtimestamp(timegm(parsed), UTC)
    return None


def _known(moment: datetime | None, stated: str, now: datetime, zone: ZoneInfo) -> KnownDate:
    """The day that `stated` states, unless it is in the future or names no day."""
    stated = _YEAR_FIRST.sub(r"\1-\2-\3", stated[:100])
    if moment is None and len(found := mentions(stated)) == 1 and (day := found[0].date):
        stated, moment = "", datetime(day.year, day.month, day.day, tzinfo=UTC)  # without its zone
    if moment is None or moment.date() < _OLDEST or _NO_DAY.fullmatch(stated):
        return UNDATED
    if moment > now + timedelta(days=1):
        return UNDATED
    if _HOUR.search(stated) is None:
        return KnownDate(moment.date(), DateSource.STATED)
    return KnownDate(moment.astimezone(zone).date(), DateSource.STATED, time=moment)


def _unstamped(items: list[FoundItem], built: datetime | None, now: datetime) -> list[FoundItem]:
    """The items, without their days if these are only the moment at which the feed was made."""
    times = [one.published.time for one in items if one.published.time is not None]
    if len(times) < 2 or max(times) - min(times) > _STAMP:
        return items
    first = times[0]
    is_made = (built and abs(built - first) <= _STAMP) or abs(now - first) <= _NOW
    if not (is_made or all(one.updated == one.published.time for one in items)):
        return items
    is_day = first.minute == first.second == 0  # as dates without an hour are written
    return items if is_day else [replace(one, published=UNDATED) for one in items]


def _told_apart(items: list[FoundItem]) -> Iterator[FoundItem]:
    """The items with keys: the guid, unless items at several addresses have it; else the address,
    unless several items have it. A fragment counts where nothing else tells two addresses apart.
    """
    guids = Counter(guid for guid, _ in {(one.guid, one.url) for one in items})
    pages = Counter(url.partition("#")[0] for url in {one.url or "" for one in items})
    shared = Counter(url for url, _ in {(one.url, one.key) for one in items})
    for one in items:
        url = one.url and one.url.partition("#")[0]
        if url is not None and pages[url] > 1:
            url = one.url
        guid = one.guid if guids[one.guid] == 1 else None
        address = url if shared[one.url] == 1 else None
        yield replace(one, key=guid or address or one.key, guid=guid, url=url)


def _absolute(url: str, base: str) -> str | None:
    """As `canonical`, with the fragment."""
    try:
        parts = urlsplit(_joined(base, url.strip()))
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or not 0 < len(url) <= _LONGEST_ADDRESS:
        return None
    host = f"[{host}]" if ":" in host else host
    if port is not None and (parts.scheme, port) not in (("http", 80), ("https", 443)):
        host = f"{host}:{port}"
    query = "&".join(one for one in parts.query.split("&") if not _is_tracker(one.split("=")[0]))
    rest = (quote(part, safe=_SAFE) for part in (parts.path, query, parts.fragment))
    return urlunsplit((parts.scheme, host, *rest))


@lru_cache(1_000)
def _is_tracker(name: str) -> bool:
    from courlan import clean_url

    bare = "https://example.org/a"
    return name != "" and clean_url(f"{bare}?{quote(name, safe='%')}=1") == bare


def _joined(base: str, url: object) -> str:
    """The address absolute, "" where it is none."""
    address = str(url or "")
    if address.startswith(("http://", "https://")) or not address:
        return address or base
    with suppress(ValueError):
        return urljoin(base, address)
    return ""


def _language(code: object) -> str | None:
    """The two letters of a language code."""
    found = re.match(r"\s*([a-zA-Z]{2,8})\b", str(code or "").replace("_", "-"))
    name = found[1].lower() if found else ""
    return _LANGUAGES.get(name, name if len(name) == 2 else None)


def _skipped(body: bytes, name: bytes, value: bytes) -> list[bytes]:
    """The values in the first element of that name."""
    inside = body.partition(b"<" + name + b">")[2][:2_000].partition(b"</" + name)[0]
    return [day[:3].lower() for day in re.findall(rb">\s*(" + value + rb")\s*<", inside)]
