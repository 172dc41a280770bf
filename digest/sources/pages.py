"""An article out of a web page, the links of a listing page, the addresses of a sitemap.

The text is trafilatura's. The rest comes from what the page itself states: its recipe, JSON-LD, microdata,
<meta>, or an element whose class or label says what it is. Of days that contradict each other none is taken.
The names by which pages say so are in pages.toml.
"""

import json
import logging
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from functools import cache
from html import unescape
from itertools import islice
from typing import Any, Literal, NamedTuple
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from digest.config.settings import Recipe
from digest.errors import DocumentError
from digest.language.days import mentions
from digest.language.text import decode, either, fold, foreign, word_lists
from digest.language.words import detect
from digest.model import UNDATED, DateSource, FoundItem, KnownDate, Picture
from digest.sources.answers import is_bomb

_LARGEST = 5 * 1024 * 1024
_MOST_ELEMENTS, _MOST_TEXT = 25_000, 1_000_000
"""A long page has 5,000, and 300,000 characters; trafilatura takes seconds for so many."""
_MOST_LINKS, _MOST_ADDRESSES, _MOST_OBJECTS, _MOST_CATEGORIES = 500, 50_000, 1_000, 20
_OLDEST = 1995
_SHORT, _STUB = 40, 600
"""Characters: less is no article; less, on a page that shows a wall, is what is outside of the wall."""
_DATE_WORDS, _LINE = 80, 60
"""Characters of an element with a date; of one with little but a date."""
_FRESH = timedelta(minutes=5)
"""A moment so near to now is that of the answer, where its name does not say that it is another."""
_ABOVE, _BELOW, _NEAR = 6, 300, 150
"""Elements above the heading, and characters below it, among which its date is; nearer if nothing says so."""

_LISTS = word_lists("sources/pages.toml")
_META = _LISTS["meta"]
_SIGNS = {name: re.compile(either(them), re.I) for name, them in _LISTS["patterns"].items()}
_BESIDE = re.compile(rf"(?:^|[\s_-])(?<!elementor-){either(_LISTS['patterns']['beside'])}", re.I)
_NO_COPY = (
    "has no text that reads as an article. If people see one, it needs JavaScript: look for a feed of the "
    "site, or name the element of its text in recipe.text"
)
_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w-]{3,30})", re.I)
_LATIN = re.compile("iso-?8859-?1|latin-?1|us-ascii|ascii", re.I)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060]")
_TAGS = re.compile(r"<[^<>]{1,500}>")
_EMAIL = re.compile(r"[(<\[]?(?:[^\s@<>()]+@|www\.)[^\s@<>()]+[)>\]]?")
_MOMENT = re.compile(
    r"(?<!\d)(?P<day>\d{4}(?P<sign>[-/.]?)\d\d(?P=sign)\d\d)(?!\d)(?:[\sT,]{1,3}"
    r"(?P<hour>\d\d?):?(?P<minute>\d\d):?(?P<second>\d\d)?(?:[.,]\d+)?\s?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?",
    re.I,
)
_IN_WORDS = re.compile(
    r"(?<!\d)(?P<day>\d\d?)(?:\.|er|º)?\s+(?:de\s+)?(?P<month>[^\W\d_]{3,12})\.?,?\s+(?:de\s+)?(?P<year>\d{4})(?!\d)"
    r"|(?P<month_2>[^\W\d_]{3,12})\.?\s+(?P<day_2>\d\d?)(?:st|nd|rd|th|\.)?,?(?:\s[\d:]{5,8}\s[A-Z]{3,4})?\s+(?P<year_2>\d{4})(?!\d)"
    r"|(?<!\d)(?P<year_3>\d{4})\s?[年년]\s?(?P<month_3>\d\d?)\s?[月월]\s?(?P<day_3>\d\d?)\s?[日일]"
)
_FILED = re.compile(r"/(\d{4})/(\d\d?)/(\d\d?)/[^/]*[^\W\d]")
_NAME = re.compile(r"[^\W\d_][^/@\d]{2,79}")
_MAIL_DATE = re.compile(r"(?:[A-Z][a-z]{2}, )?\d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d", re.A)
_PART = re.compile(r"\s*\|\s*|\s+[-–—•·:»«/]+\s+|:\s+")


class Fact(NamedTuple):
    """What a page states, and where: "recipe", "JSON-LD", the name of a <meta>, an element."""

    value: Any
    where: str


_UNKNOWN = Fact(None, "unknown")


class Sitemap(NamedTuple):
    """`kind` is "sitemap", "news" or "index"; an index has the addresses of other sitemaps.

    The moment of an address is, in a news sitemap, that of publication, else that of the last change, which
    tells only the order.
    """

    kind: Literal["sitemap", "news", "index"]
    entries: list[tuple[str, datetime | None]]


def read_page(
    body: bytes, *, url: str, content_type: str, recipe: Recipe, now: datetime, zone: ZoneInfo
) -> FoundItem:
    """The article of a page. A time without an offset is one of `zone`; a day is as the page writes it.

    Raises:
        DocumentError: no HTML, too large, without text, behind a wall, or a selector that is none.
    """
    return item_of(
        explain(body, url=url, content_type=content_type, recipe=recipe, now=now, zone=zone)
    )


def item_of(facts: Mapping[str, Fact]) -> FoundItem:
    """The item that the facts of a page make."""
    fields = {name: fact.value for name, fact in facts.items()}
    return FoundItem(key=fields["url"], complete=True, **fields)


def explain(
    body: bytes, *, url: str, content_type: str, recipe: Recipe, now: datetime, zone: ZoneInfo
) -> dict[str, Fact]:
    """The fields that a page gives to a FoundItem, by name: the value, and where the page states it.

    Raises:
        DocumentError: as `read_page`.
    """
    page = _Page(_open(body, url, content_type), url, recipe)
    facts = {
        "title": page.title(),
        "author": page.author(),
        "published": page.published(now, zone),
        "url": page.link(),
        "language": page.language(),
        "picture": page.picture(),
        "categories": page.categories(),
        "html": page.text(),
    }
    if not facts["title"].value:
        raise DocumentError(url, "has no title; name its element in recipe.title")
    spoken = detect(_line(facts["html"].value, limit=20_000))
    if spoken and spoken != facts["language"].value:
        facts["language"] = _UNKNOWN  # a template's, not that of the copy
    return facts


def forget() -> None:
    """Give back what trafilatura keeps of the pages that it has read."""
    if _trafilatura.cache_info().currsize:
        _trafilatura().meta.reset_caches()


@cache
def _trafilatura() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that it has no library for proxies of a kind that is not used
        import trafilatura
        import trafilatura.meta
    return trafilatura


def links_of(
    body: bytes, *, url: str, recipe: Recipe, follow: str | None
) -> tuple[list[str], str | None]:
    """The addresses of the articles of a listing page, in its order, and that of its next page.

    `recipe.links` selects the links, or what contains them; `follow` is a pattern of addresses or of their
    paths, in which * is anything ("/news/*"). Without both, links of four words and more outside of menus
    count. All are on the site of `url`, without tracking parameters.

    Raises:
        DocumentError: no HTML, too large, or a selector that is none.
    """
    tree = _open(body, url, "")
    base = _joined(url, next(iter(tree.xpath("//base/@href")), "")) or url
    chosen = _select(tree, recipe.links, url, "links") if recipe.links else [tree]
    found: dict[str, None] = {}
    for link in (one for part in chosen for one in _links(part)):
        address = _address(link.get("href"), base, url)
        if not address or address == _address(url, url, url):
            continue
        if follow:
            split = urlsplit(address)
            path = split._replace(scheme="", netloc="").geturl()
            wanted = fnmatchcase(address, follow) or fnmatchcase(path, follow)
        else:
            in_menu = next(link.iterancestors("nav", "footer", "aside"), None) is not None
            many = len(_line(link.text_content()).split()) >= 4
            wanted = recipe.links is not None or (many and not in_menu)
        if wanted:
            found[address] = None
    further = _select(tree, recipe.next, url, "next") if recipe.next else []
    further = further or tree.xpath("//*[self::a or self::link][@rel='next'][@href]")
    after = (_address(link.get("href"), base, url) for part in further for link in _links(part))
    return [*found][:_MOST_LINKS], next(filter(None, after), None)


def read_sitemap(body: bytes) -> Sitemap:
    """The addresses of a sitemap, packed by gzip or not, at most 50,000.

    Raises:
        DocumentError: no sitemap, or too large.
    """
    from lxml import etree

    try:
        if body.startswith(b"\x1f\x8b"):
            body = zlib.decompressobj(31).decompress(body, _LARGEST + 1)
        if len(body) > _LARGEST:
            raise DocumentError("sitemap", "is larger than 5 MiB; name one of its parts")
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, remove_comments=True, recover=True
        )
        root = etree.fromstring(body.strip(), parser)
        kind = etree.QName(root).localname
    except (etree.XMLSyntaxError, ValueError, zlib.error):
        kind = ""
    if kind not in ("urlset", "sitemapindex"):
        raise DocumentError("sitemap", "is no sitemap; name the address of one, or of a feed")
    entries: list[tuple[str, datetime | None]] = []
    news = False
    for node in root.iterchildren("{*}url", "{*}sitemap"):
        published = node.findtext("{*}news/{*}publication_date")
        news = news or published is not None
        known = _known(published or node.findtext("{*}lastmod") or "", None, ZoneInfo("UTC"), "")
        midnight = datetime.combine(known.day, time(), UTC) if known.day else None
        if (address := _line(node.findtext("{*}loc") or "")).startswith(("http://", "https://")):
            entries.append((address, known.time or midnight))
    named: Literal["sitemap", "news"] = "news" if news else "sitemap"
    return Sitemap("index" if kind == "sitemapindex" else named, entries[:_MOST_ADDRESSES])


class _Page:
    """A parsed page, and what it states."""

    def __init__(self, tree: Any, url: str, recipe: Recipe) -> None:
        self.tree, self.url, self.recipe = tree, url, recipe
        self.meta: dict[str, str] = {}
        for one in tree.iter("meta"):
            name = (one.get("property") or one.get("name") or one.get("itemprop") or "").lower()
            words = _line(one.get("content") or "")
            if name in _META["section"]:
                words = ", ".join(filter(None, (self.meta.pop(name, ""), words)))
            if words:
                self.meta.setdefault(name, words)
        self.tab = _line(next(iter(tree.xpath("//title/text()")), ""))
        self.head = self._heading()
        self.heading = _line(self.head.text_content()) if self.head is not None else ""
        self.above = {*self.head.iterancestors()} if self.head is not None else set[Any]()
        self.cards = sum(one not in self.above for one in tree.iter("article"))
        self.article = self._article(_articles(tree))
        title, tab = fold(self.heading), fold(self.tab)
        before, _, after = tab.partition(title) if title and title in tab else ("x", "", "")
        self.agreed = not re.search(r"\w\s*$", before) and not re.match(r"\s*\w", after)
        names = [self.meta.get("og:site_name", ""), _words(self.article.get("publisher"))]
        names += [before, after] if self.agreed else []
        self.sites = {fold(one).strip(" |–—-•·:»«/") for one in names} - {"", title}

    def _heading(self) -> Any:
        """The element with the title: one that the head names too, else the first <h1> of the copy."""
        stated = (*(one.value for one in self._named("title")[:1]), self.tab)
        names = [fold(one) for one in stated if len(one) > 8]
        found = [(fold(_text_of(one)), one) for one in self.tree.iter("h1", "h2", "h3")]
        named = [
            (words, one)
            for words, one in found
            if len(words) > 8 and any(words in name or name in words for name in names)
            if not _SIGNS["logo"].search(_marks(one)) and not one.xpath(".//a[@rel='home']")
        ]
        if named:
            return max(named, key=lambda one: (one[0] in names, len(one[0])))[1]
        heads = self.tree.xpath("(.//article | .//main)//h1") or [*self.tree.iter("h1")]
        return next((one for one in heads if _line(one.text_content())), None)

    def _article(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        """The article among those of the JSON-LD: of several that of this address, else of this title."""
        paths = {_path(self.url), _path(self.link().value)}
        titles = fold(f"{self.tab} {self.heading}")
        for one in found if len(found) > 1 else ():
            named = [one.get(key) for key in ("url", "@id", "mainEntityOfPage")]
            links = [value.get("@id") if isinstance(value, dict) else value for value in named]
            if any(isinstance(link, str) and _path(link) in paths for link in links):
                return one
        of_title = (one for one in found if fold(_words(one.get("headline")) or "-") in titles)
        return found[0] if len(found) == 1 else next(of_title, {})

    def _named(self, kind: str) -> list[Fact]:
        return [Fact(self.meta[name], name) for name in _META[kind] if name in self.meta]

    def _chosen(self, key: str) -> list[Fact]:
        selector = getattr(self.recipe, key)
        found = _select(self.tree, selector, self.url, key) if selector else []
        return [Fact(_stated(one) if key == "date" else _text_of(one), "recipe") for one in found]

    def title(self) -> Fact:
        """Without the name of the site, and whole where the JSON-LD cuts it."""
        headline = Fact(_words(self.article.get("headline")), "JSON-LD")
        heading = Fact(self.heading, "heading")
        is_both = fold(self.heading) == fold(self.meta.get("og:title", ""))
        stated = [*self._chosen("title")[:1], *([heading] if is_both else []), headline]
        stated += [heading] if self.agreed else []
        stated += [*self._named("title"), heading, Fact(self.tab, "<title>")]
        stated = [one for one in stated if one.value] or [_UNKNOWN]
        named = [one for one in stated if one.value and fold(one.value) not in self.sites]
        first, others = (named or stated)[0], {fold(one.value) for one in named[1:]}
        start = (first.value or "").rstrip(" .…")
        if first.where == "recipe" or not start:
            return first
        if len(start) > 20 and start != first.value and self.heading.startswith(start):
            return heading
        for cut in _PART.finditer(first.value):
            sides = first.value[: cut.start()], first.value[cut.end() :]
            for kept, left in (sides, sides[::-1]):
                if kept and (fold(kept) in others or fold(left) in self.sites):
                    return Fact(kept, first.where)
        return first

    def author(self) -> Fact:
        """The people who wrote it: no address, no account of the system, not the site itself."""
        stated = [*self._chosen("author"), Fact(_words(self.article.get("author")), "JSON-LD")]
        stated += self._named("author")
        for one in [*self.tree.iter()]:
            named = one not in self.above and _SIGNS["author"].search(_marks(one))
            if named and not self._is_beside(one):
                inner = one.xpath(".//*[@itemprop='name' or @property='name']")
                inner = (
                    inner or one.xpath(".//a[@rel='author' or contains(@href, '/author')]") or [one]
                )
                stated.append(Fact(_text_of(inner[0]), f"<{one.tag}>"))
        for words, where in stated:
            names = [
                _SIGNS["by"].sub("", _EMAIL.sub("", v).strip(), 1)
                for v in re.split(r",\s|\s[|•·/]\s", words)
            ]
            names = [v.strip(" ,;:|•–—-") for v in names]
            if names and fold(names[0]) in self.sites:
                continue  # the site and its town
            names = [v for v in names if _NAME.fullmatch(v) and not _SIGNS["nobody"].fullmatch(v)]
            names = [v for v in names if v[0].isupper() or len(v.split()) < 4]
            if kept := [v for v in dict.fromkeys(names) if fold(v) not in self.sites]:
                return Fact(", ".join(kept[:5]), where)
        return _UNKNOWN

    def published(self, now: datetime, zone: ZoneInfo) -> Fact:
        """The day that the page itself names as that of its publication; UNDATED if none, or after now."""
        surest, usual, near = self._shown()
        linked = Fact(self.article.get("datePublished"), "JSON-LD")
        groups = [[one] for one in (*self._chosen("date"), linked)] + [surest]
        groups += [[one] for one in self._named("date")] + [usual, near]
        groups += [[one] for one in self._named("unsure")]
        if filed := _FILED.search(self.link().value):
            year, *rest = filed.groups()
            groups.append([Fact(f"{year}-{'-'.join(f'{int(one):02}' for one in rest)}", "address")])
        for group in groups:
            known = [
                Fact(day, where)
                for words, where in group
                for until in [now - _FRESH if where in _META["unsure"] else now]
                if (day := _known(words, until, zone, where)) != UNDATED
            ]
            if len({one.value.day for one in known}) == 1:
                return next((one for one in known if one.value.time), known[0])
        return Fact(UNDATED, "unknown")

    def _shown(self) -> tuple[list[Fact], ...]:
        """Dates of elements: those whose markup says that they are of the publication, those whose class or
        label does, and those beside the heading.
        """
        surest, usual, near = list[Fact](), list[Fact](), list[Fact]()
        order = [*self.tree.iter()]
        place = order.index(self.head) if self.head is not None else -1
        below = 0 if self.head is not None else _BELOW
        of_event = _SIGNS["event"].search(
            f"{_path(self.url)} {self.tree.xpath('string(//body/@class)')}"
        )
        for i, one in enumerate(order):
            marks, label = _marks(one), ""
            if i > place and one.tag not in ("script", "style"):
                below += len((one.text or "").strip()) + len((one.tail or "").strip())
            sure = "datepublished" in marks or one.get("pubdate") is not None
            says = bool(
                _SIGNS["label"].match((one.text or "").strip()) and len(one.text_content()) < _LINE
            )
            named = says or _SIGNS["published"].search(marks) is not None
            above = place - _ABOVE <= i < place and any(
                v.tag != "body" and v in self.above for v in islice(one.iterancestors(), 2)
            )
            beside = above or (i >= place and below < _BELOW)
            alone = (
                beside
                and below < _NEAR
                and not of_event
                and re.search(r"\d", own := _line(one.tail or "") if i == place else _own(one))
                and len(own) < _LINE
            )
            if named and "updated" in marks.split():  # hAtom wants that of the day of an entry
                marks = " ".join(v for v in marks.split() if v != "updated")
            if not sure and (
                named or one.tag in ("time", "abbr") or alone or _SIGNS["near"].search(marks)
            ):
                label = _label(one) + ("" if "publi" in marks else marks)
            elif not sure:
                continue
            words = own if alone and i == place else _stated(one)
            if (
                len(words) > _DATE_WORDS
                or _SIGNS["not_published"].search(label)
                or self._is_beside(one)
            ):
                continue
            fact = Fact(words, f"<{one.tag}>")
            if sure:
                surest.append(fact)
            elif named:
                usual.append(fact)
            if beside:
                near.append(fact)
        return surest, usual, near

    def _is_beside(self, node: Any) -> bool:
        """Whether it is in a block without the heading that is a menu, or for comments or other news."""
        for one in (node, *node.iterancestors()):
            if one in self.above:
                return False
            named = f"{one.get('class') or ''} {one.get('id') or ''}"[:500]
            if one.tag == "nav" or (one.tag == "article" and self.cards > 1):
                return True
            if one.tag in ("aside", "footer") and not re.search("entry|post|article|meta", named):
                return True
            if one.tag not in ("body", "html", "main", "article") and _BESIDE.search(named):
                return True
        return False

    def link(self) -> Fact:
        """Its canonical address, unless that is of another site or the home page."""
        canonical = next(iter(self.tree.xpath("//link[@rel='canonical']/@href")), "")
        for words, where in ((canonical, "canonical"), (self.meta.get("og:url", ""), "og:url")):
            link = _address(words, self.url, self.url) if words else None
            if link and (_path(link) or not _path(self.url)):
                return Fact(link, where)
        return Fact(_address(self.url, self.url, self.url) or self.url, "address")

    def language(self) -> Fact:
        """Two small letters."""
        root = next(iter(self.tree.xpath("/html/@lang | /html/@xml:lang")), "")
        for words, where in ((root, "<html lang>"), (self.meta.get("og:locale", ""), "og:locale")):
            if code := re.match(r"[a-zA-Z]{2}(?![a-zA-Z])", words):
                return Fact(code[0].lower(), where)
        return _UNKNOWN

    def picture(self) -> Fact:
        image = self.article.get("image")
        image = image[0] if isinstance(image, list) and image else image
        image = image if isinstance(image, dict) else {"url": image}
        keys = {"url": "", "width": ":width", "height": ":height", "caption": ":alt"}
        own = {key: self.meta.get(f"og:image{name}") for key, name in keys.items()}
        for where, one in (("og:image", own), ("JSON-LD", image)):
            link = _joined(self.url, _words(one.get("url") or one.get("contentUrl")))
            if link.startswith(("http://", "https://")) and not _SIGNS["no_picture"].search(link):
                sizes = (_words(one.get(key)).removesuffix("px") for key in ("width", "height"))
                width, height = (
                    int(v) if re.fullmatch(r"\d{1,5}", v, re.A) else None for v in sizes
                )
                credit = _words(image.get("creditText") or image.get("author"))
                return Fact(Picture(link, width, height, _words(one.get("caption")), credit), where)
        return _UNKNOWN

    def categories(self) -> Fact:
        named = [one.value for one in self._named("section")]
        named += [_words(self.article.get("articleSection"))]
        parts = [part.strip() for one in named for part in one.split(",")]
        kept = {fold(part): part for part in parts if 1 < len(part) < 60}
        return Fact(tuple(kept.values())[:_MOST_CATEGORIES], "metadata")

    def text(self) -> Fact:
        """The copy as HTML that is not yet sanitised."""
        from lxml import etree

        trafilatura = _trafilatura()

        where = "page"
        if self.recipe.text:
            parts, where = _select(self.tree, self.recipe.text, self.url, "text"), "recipe"
            if not parts:
                raise DocumentError(self.url, f"recipe.text ({self.recipe.text}) finds nothing")
            html = "\n".join(etree.tostring(v, encoding="unicode", method="html") for v in parts)
        else:
            logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
            try:
                found = trafilatura.extract(
                    self.tree,
                    url=self.url,
                    output_format="html",
                    include_comments=False,
                    include_formatting=True,
                    include_links=True,
                )
            except Exception as e:  # whatever the library raises, the page is at fault
                raise DocumentError(self.url, "cannot be read; name its text in recipe.text") from e
            html = re.sub(r"^.*?<body>|</body>.*$", "", found or "", flags=re.DOTALL)
        words = _line(html)
        paid = _words(self.article.get("isAccessibleForFree")).lower() == "false"
        texts = self.tree.xpath("//text()[not(parent::script or parent::style)]")
        seen = " ".join(" ".join(texts).split())[:2000]
        shown = words if len(words) >= _SHORT else seen
        if len(words) < _STUB and (paid or _SIGNS["wall"].search(shown)):
            reason = "asks for a login, a subscription, consent or proof that a person reads it"
            raise DocumentError(self.url, f"{reason}; ask the site for a feed with the text")
        if len(words) < _SHORT:
            raise DocumentError(self.url, _NO_COPY)
        return Fact(html, where)


def _open(body: bytes, url: str, content_type: str) -> Any:
    from lxml import etree, html

    if len(body) > _LARGEST:
        raise DocumentError(url, "is larger than 5 MiB, which no article is")
    head = re.search(r"<meta[^>]{0,200}charset[^>]{0,50}", body[:8000].decode("latin-1"), re.I)
    declared = _CHARSET.search(content_type) or (head and _CHARSET.search(head[0]))
    named = declared[1] if declared else None
    try:
        text, _ = decode(url, body, "windows-1252" if named and _LATIN.fullmatch(named) else named)
    except DocumentError:
        # Pages of others have some broken characters, in a comment perhaps; more would spoil the copy.
        text = foreign(body.decode("utf-8", "replace"), lines=True, limit=None)
        if text.count("\ufffd") > len(text) / 500 or "<" not in text or b"\x00" in body:
            raise
    text = re.sub(r"^\s*<\?xml[^<>]{0,200}\?>", "", _INVISIBLE.sub("", text))
    if is_bomb(text):
        raise DocumentError(url, "has too many tags, or a tag of too many attributes, to be copy")
    parser = html.HTMLParser(remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(text, parser=parser)
    except (ValueError, etree.LxmlError) as e:
        raise DocumentError(url, "is no page: it has no HTML") from e
    if any(error.type_name == "ERR_RESOURCE_LIMIT" for error in parser.error_log):
        raise DocumentError(url, "has tags nested too deeply to be copy")
    level, count, work = [tree], 0, 0
    for depth in range(1, 300):
        count, work = count + len(level), work + depth * len(level)
        level = [child for one in level for child in one]
    if count > _MOST_ELEMENTS or work > 20 * _MOST_ELEMENTS:
        raise DocumentError(url, f"has more than {_MOST_ELEMENTS:,} tags or too many in each other")
    texts = tree.xpath("//text()[not(parent::script or parent::style)]")
    if sum(map(len, texts)) > _MOST_TEXT:
        raise DocumentError(url, f"has more than {_MOST_TEXT:,} characters, which no article has")
    return tree


def _articles(tree: Any) -> list[dict[str, Any]]:
    """The articles of the JSON-LD, those of a @graph too, but not those of a list of other articles."""
    scripts = (one for one in tree.iter("script") if "ld+json" in (one.get("type") or "").lower())
    todo = [_json((one.text or "")[:_MOST_TEXT]) for one in scripts]
    people: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    for _ in range(_MOST_OBJECTS):
        one = todo.pop(0) if todo else None
        if isinstance(one, list):
            todo = one[:_MOST_OBJECTS] + todo
        elif isinstance(one, dict):
            kind = one.get("@type")
            kinds = {
                v.rpartition("/")[2]
                for v in (kind if isinstance(kind, list) else [kind])
                if isinstance(v, str)
            }
            if kinds.intersection(_LISTS["types"]["article"]):
                found.append(one)
            elif one.get("name") and isinstance(one.get("@id"), str):
                people[one["@id"]] = one
            todo += [one[key] for key in ("@graph", "mainEntity", "mainEntityOfPage") if key in one]
    for one in found:
        for key in ("author", "publisher"):
            link = one[key].get("@id") if isinstance(one.get(key), dict) else None
            if isinstance(link, str) and link in people:
                one[key] = people[link]
    return found


def _json(text: str) -> Any:
    """The value of JSON with the usual faults: line ends in texts, a comma or words too many, or of what
    is worse the title and day, if there is only one of each.
    """
    text = text[min((i for i in (text.find("{"), text.find("[")) if i >= 0), default=0) :]
    for one in (text, re.sub(r",\s*(?=[}\]])", "", text)):
        try:
            return json.JSONDecoder(strict=False).raw_decode(one)[0]
        except (ValueError, RecursionError):
            continue
    fields = {
        key: re.findall(rf'"{key}"\s{{0,9}}:\s{{0,9}}"((?:[^"\\\n]|\\.){{1,500}})"', text)
        for key in ("@type", "headline", "datePublished")
    }
    fields["@type"] = [one for one in fields["@type"] if one in _LISTS["types"]["article"]]
    return {key: found[0] for key, found in fields.items() if len(found) == 1}


def _words(value: Any) -> str:
    """The words of a JSON-LD value: a text, what has a name, or several of them."""
    if isinstance(value, list):
        return ", ".join(filter(None, (_words(v) for v in value[:10] if not isinstance(v, list))))
    if isinstance(value, dict):
        value = value.get("name") or value.get("@value")
        value = value[0] if isinstance(value, list) and value else value
    if isinstance(value, bool | int):
        return f"{value}" if abs(value) < 1e9 else ""
    return _line(value) if isinstance(value, str) else ""


def _line(text: str, limit: int = 1_000) -> str:
    """Clean text on one line, without tags and entities."""
    return " ".join(foreign(unescape(_TAGS.sub(" ", text)), limit=limit).split())


def _text_of(node: Any) -> str:
    return _line(node.text_content())


def _marks(node: Any) -> str:
    """What its attributes call an element, in small letters."""
    named = (node.get(key) or "" for key in ("class", "id", "itemprop", "property", "rel"))
    return " ".join(named)[:500].lower()


def _stated(node: Any) -> str:
    """The date of an element, in the form for machines if there is one."""
    inner = [one for one in node.iter("time") if one.get("datetime")][:1]
    values = [
        one.get(key) or "" for one in (node, *inner) for key in ("content", "datetime", "title")
    ]
    words = _line(next((one for one in values if re.search(r"\d{4}", one)), node.text_content()))
    return words if len(words) <= _DATE_WORDS else _own(node)


def _own(node: Any) -> str:
    """The words of an element without those of the elements in it."""
    return _line(" ".join([node.text or "", *(child.tail or "" for child in node)]))


def _label(node: Any) -> str:
    """The words of an element and the few before it in its parent."""
    before, parent = node.getprevious(), node.getparent()
    words = (parent.text or "") if before is None and parent is not None else ""
    if before is not None:
        words = before.tail if (before.tail or "").strip() else before.text_content()
    return f"{words if len(words) < 40 else ''} {node.text_content()[:_DATE_WORDS]}"


@cache
def _months() -> dict[str, int]:
    """The numbers of the months by their names in many languages, but for names of two months."""
    from babel.dates import get_month_names

    found: dict[str, set[int]] = {}
    for language in _LISTS["months"]["languages"]:
        for width in ("wide", "abbreviated"):
            for number, name in get_month_names(width, "format", language).items():
                found.setdefault(fold(name).rstrip("."), set()).add(int(number))
    return {name: min(numbers) for name, numbers in found.items() if len(numbers) == 1}


def _named_days(words: str) -> set[date]:
    """The days that words name with their year, in any of many languages."""
    named = {one.date for one in mentions(words, dateline="/" not in words) if one.date}
    for found in _IN_WORDS.finditer(words):
        year, month, day = (
            next(filter(None, found.group(name, f"{name}_2", f"{name}_3")))
            for name in ("year", "month", "day")
        )
        if number := int(month) if month.isdigit() else _months().get(fold(month)):
            named.add(date(int(year), number, int(day)))
    return named


def _known(words: Any, now: datetime | None, zone: ZoneInfo, where: str) -> KnownDate:
    """The date that words state, with an hour if they have one; UNDATED if it is after `now` or unclear."""
    words = words[0] if isinstance(words, list) and words else words
    words = words.strip()[: 2 * _DATE_WORDS] if isinstance(words, str) else ""
    day: date | None = None
    moment: datetime | None = None
    try:
        if re.fullmatch(r"\d{10}(?:\d{3})?", words, re.A):
            moment = datetime.fromtimestamp(int(words[:10]), UTC)
        elif _MAIL_DATE.match(words):
            moment = parsedate_to_datetime(words)
        elif found := _MOMENT.search(words):
            day = date.fromisoformat(re.sub("[/.]", "-", found["day"]))
            hour, minute, second, offset = found.group("hour", "minute", "second", "zone")
            if hour and (clock := f"{hour:0>2}:{minute}:{second or '00'}") != "00:00:00":
                offset = re.sub("UTC|GMT", "Z", (offset or "").upper())
                moment = datetime.fromisoformat(f"{day}T{clock}{offset}")
            if _named_days(words[found.end() :]) - {day}:
                return UNDATED
        else:
            named = _named_days(words)
            day = named.pop() if len(named) == 1 else None
        if moment is not None:
            day, is_local = day or moment.date(), moment.tzinfo is None
            moment = (moment.replace(tzinfo=zone) if is_local else moment).astimezone(UTC)
            if is_local and now is not None and moment > now:
                moment = None
    except (ValueError, OverflowError, OSError, TypeError):
        return UNDATED
    if day is None or not _OLDEST <= day.year <= 2200:
        return UNDATED
    if now is not None and (moment > now if moment else day > now.astimezone(zone).date()):
        return UNDATED
    return KnownDate(day, DateSource.STATED, f"{where}: [{words}]", moment)


def _select(tree: Any, selector: str, url: str, key: str) -> list[Any]:
    from cssselect import SelectorError
    from lxml import etree
    from lxml.cssselect import CSSSelector

    try:
        return [*CSSSelector(selector, translator="html")(tree)]
    except (SelectorError, etree.XPathError, ValueError) as e:
        raise DocumentError(url, f"recipe.{key} is no CSS selector: {selector}") from e


def _links(node: Any) -> Iterator[Any]:
    """The links in an element; without one, the link around it."""
    found = [one for one in node.iter("a", "link") if one.get("href")]
    yield from found or [one for one in node.iterancestors("a") if one.get("href")][:1]


def _joined(base: str, link: str) -> str:
    """The address of a link; "" if it has none, or one that is broken."""
    try:
        return urlsplit(urljoin(base, link.strip())).geturl() if link.strip() else ""
    except ValueError:
        return ""


def _path(link: str) -> str:
    """The path of an address, to compare; "" for a home page."""
    return urlsplit(_joined("", link)).path.strip("/")


def _address(link: str, base: str, url: str) -> str | None:
    """A web address on the site of `url`, and no less safe, without tracking parameters; else None."""
    from courlan import clean_url

    split, own = urlsplit(_joined(base, link)), urlsplit(url)
    theirs, ours = ((one.hostname or "").removeprefix("www.") for one in (split, own))
    near = theirs == ours or theirs.endswith(f".{ours}") or ours.endswith(f".{theirs}")
    if not theirs or not near or split.scheme not in ("https", own.scheme):
        return None
    return clean_url(split._replace(fragment="").geturl())
