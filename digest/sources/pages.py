"""An article out of a web page, the links of a listing page, the addresses of a sitemap.

The text is trafilatura's. Title, author, date and picture come from what the page itself states: its recipe,
JSON-LD, microdata, `<meta>`, or an element whose class or label says what it is. Of two days that contradict
each other none is taken. Words and names by which pages say so are in pages.toml.
"""

import json
import logging
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from html import unescape
from typing import Any, Literal, NamedTuple
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from digest.config.settings import Recipe
from digest.errors import DocumentError
from digest.language.days import mentions
from digest.language.text import decode, either, fold, foreign, word_lists
from digest.language.words import detect
from digest.model import UNDATED, DateSource, FoundItem, KnownDate, Picture

_LARGEST = 5 * 1024 * 1024
_MOST_ELEMENTS = 25_000
"""A large page has 5,000; trafilatura takes some seconds for so many."""
_MOST_LINKS, _MOST_ADDRESSES, _MOST_OBJECTS, _MOST_CATEGORIES = 500, 50_000, 1_000, 20
_OLDEST = 1995
_SHORT, _STUB = 40, 600
"""Characters: less is no article; less, on a page that shows a wall, is what is left outside of the wall."""
_DATE_WORDS = 120
_ABOVE, _BELOW = 30, 40
"""Elements around the heading within which its date is."""

_LISTS = word_lists("sources/pages.toml")
_META, _MARKS = _LISTS["meta"], {key: frozenset(one) for key, one in _LISTS["marks"].items()}
_TYPES = {key: frozenset(one) for key, one in _LISTS["types"].items()}
_BESIDE = re.compile(rf"(?:^|[\s_-])(?<!elementor-){either(_LISTS['patterns']['beside'])}", re.I)
_NOT_PUBLISHED = re.compile(either(_LISTS["patterns"]["not_published"]), re.I)
_BY = re.compile(either(_LISTS["patterns"]["by"]), re.I)
_NOBODY = re.compile(either(_LISTS["patterns"]["nobody"]), re.I)
_NO_PICTURE = re.compile(either(_LISTS["patterns"]["no_picture"]), re.I)
_WALLS = {key: re.compile(either(signs), re.I) for key, signs in _LISTS["walls"].items()}
_SAYS = {
    "missing": "is a page that says that there is nothing here; remove its address",
    "challenge": "is a page that asks whether a person reads it; ask the site for a feed, or for access",
    "login": "is for subscribers or members only; ask the publisher for a feed with the text",
    "consent": "shows only a question about cookies; name another address, such as a feed of the site",
    "script": "shows its text only with JavaScript; look for a feed of the site, or name recipe.text",
}
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s?=\s?[\"']?\s?([\w-]{3,30})", re.I)
_HEADER_CHARSET = re.compile(r"charset\s?=\s?[\"']?([\w-]{3,30})", re.I)
_LATIN = re.compile("iso-?8859-?1|latin-?1|us-ascii|ascii", re.I)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060]")
_TAGS, _EMAIL = re.compile(r"<[^<>]{1,500}>"), re.compile(r"[(<\[]?[^\s@<>()]+@[^\s@<>()]+[)>\]]?")
_MOMENT = re.compile(
    r"(?<!\d)(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)(?!\d)"
    r"(?:(?:\s|T|,|:)+(\d\d?):?(\d\d)(?::?(\d\d))?(?:[.,]\d+)?\s?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?",
    re.I,
)
_MAIL_DATE = re.compile(r"(?:[A-Z][a-z]{2}, )?\d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d", re.A)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?")
_PART = re.compile(r"\s*\|\s*|\s+[-–—•·:»«/]+\s+")
_TRAILING_COMMA = re.compile(r",\s*(?=[}\]])")
_LD_TYPE = re.compile(r'"@type"\s*:\s*\[?\s*"(\w+)"')
_LD_FIELD = r'"{}"\s*:\s*"((?:[^"\\\n]|\\.){{1,500}})"'


class Fact(NamedTuple):
    """What a page states, and where: "recipe", "JSON-LD", the name of a <meta>, an element."""

    value: Any
    where: str


class Sitemap(NamedTuple):
    """`kind` is "sitemap", "news" or "index"; an index has the addresses of other sitemaps.

    The moment of an address is, in a news sitemap, that of publication, else that of the last change, which
    only tells the order.
    """

    kind: Literal["sitemap", "news", "index"]
    entries: list[tuple[str, datetime | None]]


def read_page(
    body: bytes, *, url: str, content_type: str, recipe: Recipe, now: datetime, zone: ZoneInfo
) -> FoundItem:
    """The article of a page. A time without an offset is one of `zone`; the day is as the page writes it.

    Raises:
        DocumentError: no HTML, too large, without text, behind a wall, or a selector that is none.
    """
    return _read(body, url, content_type, recipe, now, zone)[0]


def explain(
    body: bytes, *, url: str, content_type: str, recipe: Recipe, now: datetime, zone: ZoneInfo
) -> list[tuple[str, str, str]]:
    """Each field of the article: its name, its value and where the page states it; "unknown" if nowhere.

    Raises:
        DocumentError: as `read_page`.
    """
    item, facts = _read(body, url, content_type, recipe, now, zone)
    shown = {
        "date": item.published.iso or "",
        "picture": item.picture.url if item.picture else "",
        "categories": ", ".join(item.categories),
        "text": _line(item.html),
    }
    return [
        (key, value, fact.where if value else "unknown")
        for key, fact in facts.items()
        for value in [shown.get(key, fact.value or "")]
    ]


def _read(
    body: bytes, url: str, content_type: str, recipe: Recipe, now: datetime, zone: ZoneInfo
) -> tuple[FoundItem, dict[str, Fact]]:
    page = _Page(_open(body, url, content_type), url)
    facts = {
        "title": page.title(recipe),
        "author": page.author(recipe),
        "date": page.date(recipe, now, zone),
        "link": page.link(),
        "language": page.language(),
        "picture": page.picture(),
        "categories": page.categories(),
    }
    facts["text"] = page.text(recipe)
    html, words = facts["text"].value, _line(facts["text"].value, limit=None)
    if facts["language"].value != (detect(words[:20_000]) or facts["language"].value):
        facts["language"] = Fact(None, "unknown")
    title = facts["title"].value
    if not title:
        raise DocumentError(url, "has no title; name its element in recipe.title")
    item = FoundItem(
        key=facts["link"].value,
        title=title,
        html=html,
        complete=True,
        url=facts["link"].value,
        author=facts["author"].value,
        published=facts["date"].value,
        language=facts["language"].value,
        categories=facts["categories"].value,
        picture=facts["picture"].value,
    )
    return item, facts


def links_of(
    body: bytes, *, url: str, recipe: Recipe, follow: str | None
) -> tuple[list[str], str | None]:
    """The addresses of the articles of a listing page, in its order, and that of its next page.

    `recipe.links` selects the links or what contains them; `follow` is a pattern of addresses or of their
    paths, in which * stands for anything ("/news/*"). With neither, links with a title's worth of words
    outside of menus count. All are on the site of `url`, without tracking parameters.

    Raises:
        DocumentError: no HTML, too large, or a selector that is none.
    """
    tree = _open(body, url, "")
    base = urljoin(url, next(iter(tree.xpath("//base/@href")), ""))
    chosen = _select(tree, recipe.links, url, "links") if recipe.links else [tree]
    found: dict[str, None] = {}
    for link in (one for part in chosen for one in _links(part)):
        address = _address(link.get("href"), base, url)
        if not address or address == _address(url, url, url):
            continue
        split = urlsplit(address)
        path = f"{split.path}?{split.query}" if split.query else split.path
        if follow and not (fnmatchcase(address, follow) or fnmatchcase(path, follow)):
            continue
        if not follow and not recipe.links:
            menu = next(link.iterancestors("nav", "footer", "aside"), None) is not None
            if menu or len(_line(link.text_content()).split()) < 4:
                continue
        found[address] = None
    further = _select(tree, recipe.next, url, "next") if recipe.next else []
    further = further or tree.xpath("//*[self::a or self::link][@rel='next'][@href]")
    after = [_address(link.get("href"), base, url) for part in further for link in _links(part)]
    return [*found][:_MOST_LINKS], next(filter(None, after), None)


def read_sitemap(body: bytes) -> Sitemap:
    """The addresses of a sitemap, packed by gzip or not, at most 50,000.

    Raises:
        DocumentError: no sitemap, or too large.
    """
    from lxml import etree

    if body.startswith(b"\x1f\x8b"):
        try:
            body = zlib.decompressobj(31).decompress(body, _LARGEST + 1)
        except zlib.error as e:
            raise DocumentError("sitemap", "is damaged: it cannot be unpacked") from e
    if len(body) > _LARGEST:
        raise DocumentError("sitemap", "is larger than 5 MiB; name one of its parts")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, recover=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body.strip(), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    kind = etree.QName(root).localname if root is not None else ""
    if root is None or kind not in ("urlset", "sitemapindex"):
        raise DocumentError("sitemap", "is no sitemap; name the address of one, or of a feed")
    entries: list[tuple[str, datetime | None]] = []
    news = False
    for node in root.iterchildren("{*}url", "{*}sitemap"):
        address = _line(node.findtext("{*}loc") or "")
        stated = node.findtext("{*}news/{*}publication_date")
        news = news or stated is not None
        moment = _known(stated or node.findtext("{*}lastmod") or "", None, ZoneInfo("UTC"), "")
        at_midnight = datetime.combine(moment.day, time(), UTC) if moment.day else None
        if address.startswith(("http://", "https://")):
            entries.append((address, moment.time or at_midnight))
    named: Literal["sitemap", "news"] = "news" if news else "sitemap"
    return Sitemap("index" if kind == "sitemapindex" else named, entries[:_MOST_ADDRESSES])


class _Page:
    """A parsed page, and what its head states."""

    def __init__(self, tree: Any, url: str) -> None:
        self.tree, self.url = tree, url
        self.meta: dict[str, list[str]] = {}
        for one in tree.iter("meta"):
            name = one.get("property") or one.get("name") or one.get("itemprop") or ""
            if (words := _line(one.get("content") or "")) and name:
                self.meta.setdefault(name.lower(), []).append(words)
        self.site = self._first("site").value or ""
        self.tab = _line(next(iter(tree.xpath("//head/title/text() | //title/text()")), ""))
        self.head = self._heading()
        self.above = {*self.head.iterancestors()} if self.head is not None else set[Any]()
        self.cards = sum(one not in self.above for one in tree.iter("article"))
        objects = [*_linked_data(tree)]
        self.article = self._article([one for one in objects if _is_a(one, "article")])
        self.pages = [one for one in objects if _is_a(one, "page")]

    def _first(self, kind: str) -> Fact:
        named = (Fact(self.meta[name][0], name) for name in _META[kind] if name in self.meta)
        return next(named, Fact("", "unknown"))

    def _heading(self) -> Any:
        """The element that shows the title: one that the head names too, else the first <h1> of the copy."""
        titles = [fold(one) for one in (self._first("title").value, self.tab) if one]
        for one in self.tree.iter("h1", "h2"):
            words = fold(_line(one.text_content()))
            if len(words) > 8 and any(words in title or title in words for title in titles):
                return one
        heads = self.tree.xpath("(//article | //main)//h1") or self.tree.xpath("//h1")
        return next((one for one in heads if _line(one.text_content())), None)

    def _article(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        """The article among those of the JSON-LD: of several that of this address, else of this title."""
        if len(found) <= 1:
            return found[0] if found else {}
        paths = {urlsplit(one).path for one in (self.url, self.link().value)}
        titles = fold(f"{self.tab}\n{self._head_words()}")
        for one in found:
            named = (one.get("url"), one.get("@id"), one.get("mainEntityOfPage"))
            links = [v.get("@id") if isinstance(v, dict) else v for v in named]
            if any(isinstance(v, str) and _path(v) in paths for v in links):
                return one
        return next(
            (v for v in found if (w := fold(_words(v.get("headline")))) and w in titles), {}
        )

    def _head_words(self) -> str:
        return _line(self.head.text_content()) if self.head is not None else ""

    def title(self, recipe: Recipe) -> Fact:
        head = Fact(self._head_words(), "<h1>")
        stated = [
            self._chosen(recipe.title, "title"),
            Fact(_words(self.article.get("headline") or self.article.get("name")), "JSON-LD"),
            self._first("title"),
            head,
            Fact(self.tab, "<title>"),
        ]
        site = {fold(self.site), fold(_words(self.article.get("publisher")))} - {""}
        host = re.sub(r"\W", "", re.sub(r"^www\.", "", urlsplit(self.url).hostname or ""))
        named = [one for one in stated if one.value and fold(one.value) not in site]
        if not named:
            return next((one for one in stated if one.value), Fact("", "unknown"))
        first, others = named[0], {fold(one.value) for one in named[1:]}
        if first.where == "recipe":
            return first
        start = first.value.rstrip(". …")
        if len(start) > 40 and len(head.value) > len(first.value) and head.value.startswith(start):
            return head
        title = first.value
        for cut in [*_PART.finditer(title)][::-1]:
            before, after = title[: cut.start()], title[cut.end() :]
            for kept, left in ((before, after), (after, before)):
                is_site = (
                    fold(left) in site or (len(v := re.sub(r"\W", "", fold(left))) > 3 and v in host)
                )
                if kept and (fold(kept) in others or is_site):
                    return Fact(kept, first.where)
        return first

    def author(self, recipe: Recipe) -> Fact:
        stated = [self._chosen(recipe.author, "author")]
        stated.append(Fact(_words(self.article.get("author")), "JSON-LD"))
        for one in self.tree.xpath("//*[@itemprop='author' or @property='author']"):
            if not self._is_beside(one):
                inner = one.xpath(".//*[@itemprop='name' or @property='name']") or [one]
                words = inner[0].get("content") or inner[0].text_content()
                stated.append(Fact(_line(words), "microdata"))
        stated += [Fact(v[0], name) for name in _META["author"] if (v := self.meta.get(name))]
        for one in self.tree.xpath("//a[@rel='author'] | //*[@class]"):
            marked = one.get("rel") == "author" or _MARKS["author"] & _marks(one)
            if marked and not self._is_beside(one):
                stated.append(Fact(_line(one.text_content()), f"<{one.tag}>"))
        sites = {fold(self.site), fold(_words(self.article.get("publisher"))), ""}
        for words, where in stated:
            names = []
            for name in words.split(", "):
                name = _EMAIL.sub("", _BY.sub("", name, 1) if _BY.match(name) else name).strip(
                    " ,;:|•–—-"
                )
                is_name = 2 < len(name) <= 80 and "//" not in name and not name[0].isdigit()
                if is_name and not _NOBODY.fullmatch(name) and fold(name) not in sites:
                    names.append(name)
            if names:
                return Fact(", ".join(dict.fromkeys(names[:5])), where)
        return Fact(None, "unknown")

    def date(self, recipe: Recipe, now: datetime, zone: ZoneInfo) -> Fact:
        for one in _select(self.tree, recipe.date, self.url, "date") if recipe.date else ():
            if (day := _known(_stated(one), now, zone, "recipe")) != UNDATED:
                return Fact(day, "recipe")
        stated = [Fact(self.article.get("datePublished"), "JSON-LD")]
        shown = [*self._shown()]
        stated += self._agreed([one for one in shown if one[0] == 0], now, zone, "microdata")
        stated += [Fact(v[0], name) for name in _META["date"] if (v := self.meta.get(name))]
        stated += [Fact(one.get("datePublished"), "JSON-LD, WebPage") for one in self.pages[:1]]
        for rank in (1, 2):
            stated += self._agreed([one for one in shown if one[0] == rank], now, zone, "")
        for name in _META["unsure_date"]:
            for words in self.meta.get(name, [])[:1]:
                day = _known(words, now, zone, name)
                if day.time is None or now - day.time > timedelta(minutes=5):
                    stated.append(Fact(words, name))
        for words, where in stated:
            words = words[0] if isinstance(words, list) and words else words
            if isinstance(words, str) and (day := _known(words, now, zone, where)) != UNDATED:
                return Fact(day, where)
        return Fact(UNDATED, "unknown")

    def _shown(self) -> Iterator[tuple[int, Any, str]]:
        """Elements with a date: how sure it is that it is the publication's (0 is best), and its words."""
        place = -1
        order = [*self.tree.iter()]
        if self.head is not None:
            place = next(i for i, one in enumerate(order) if one is self.head)
        for i, one in enumerate(order):
            marks = _marks(one)
            is_time = one.tag == "time"
            if not (is_time or marks & _MARKS["published"] or marks & _MARKS["near"]):
                continue
            named = f"{one.get('itemprop') or ''} {one.get('property') or ''}".lower()
            near = place >= 0 and place - _ABOVE <= i <= place + _BELOW
            if "datepublished" in named or one.get("pubdate") is not None:
                rank = 0
            elif marks & _MARKS["published"]:
                rank = 1
            elif near:
                rank = 2
            else:
                continue
            words = _stated(one)
            label = " ".join((one.get("class") or "", one.get("itemprop") or "", _label(one)))
            if len(words) > _DATE_WORDS or one.tag in ("body", "html", "meta") or not words:
                continue
            if rank and _NOT_PUBLISHED.search(label) and not marks & _MARKS["published"]:
                continue
            if rank and re.search(r"updated|modified|обновл|измен", _label(one), re.I):
                continue
            if not self._is_beside(one):
                yield rank, one, words

    def _agreed(
        self, shown: list[tuple[int, Any, str]], now: datetime, zone: ZoneInfo, where: str
    ) -> list[Fact]:
        """The date that all of them state, the most exact form first; none if they differ."""
        known = [
            (day, words, where or f"<{one.tag}>")
            for _, one, words in shown
            if (day := _known(words, now, zone, where)) != UNDATED
        ]
        if len({day.day for day, _, _ in known}) != 1:
            return []
        known.sort(key=lambda one: one[0].time is None)
        return [Fact(words, name) for _, words, name in known[:1]]

    def _is_beside(self, node: Any) -> bool:
        """Whether it is in a block that has not the heading and is for comments, other news, or a menu."""
        for one in (node, *node.iterancestors()):
            if one in self.above:
                return False
            named = f"{one.get('class') or ''} {one.get('id') or ''}"
            if one.tag in ("aside", "nav") or (one.tag == "article" and self.cards > 1):
                return True
            if one.tag == "footer" and not re.search("entry|post|article|meta", named):
                return True
            if one.tag not in ("body", "html", "main", "article") and _BESIDE.search(named):
                return True
        return False

    def link(self) -> Fact:
        canonical = next(iter(self.tree.xpath("//link[@rel='canonical']/@href")), "")
        for words, where in (
            (canonical, "canonical"),
            (self.meta.get("og:url", [""])[0], "og:url"),
        ):
            link = _address(words, self.url, self.url) if words else None
            if link and (_path(link) or not _path(self.url)):
                return Fact(link, where)
        return Fact(_address(self.url, self.url, self.url) or self.url, "address")

    def language(self) -> Fact:
        root = next(iter(self.tree.xpath("/html")), self.tree)
        stated = (
            Fact(root.get("lang") or root.get("xml:lang"), "<html lang>"),
            Fact(self.meta.get("og:locale", [""])[0], "og:locale"),
            Fact(self.article.get("inLanguage"), "JSON-LD"),
        )
        for words, where in stated:
            if isinstance(words, str) and (
                code := re.match(r"\s*([a-zA-Z]{2})(?![a-zA-Z])", words)
            ):
                return Fact(code[1].lower(), where)
        return Fact(None, "unknown")

    def picture(self) -> Fact:
        image = self.article.get("image")
        image = image[0] if isinstance(image, list) and image else image
        image = image if isinstance(image, dict) else {"url": image}
        stated = {
            "og:image": {
                key: self.meta.get(f"og:image{name}", [None])[0]
                for key, name in (("width", ":width"), ("height", ":height"), ("caption", ":alt"))
            }
            | {"url": self.meta.get("og:image", self.meta.get("og:image:url", [None]))[0]},
            "JSON-LD": image | {"url": image.get("url") or image.get("contentUrl")},
        }
        credit = _words(image.get("creditText") or image.get("author"))
        for where, one in stated.items():
            link = one["url"] if isinstance(one["url"], str) else ""
            with_scheme = _joined(self.url, link) if link and not _NO_PICTURE.search(link) else ""
            if with_scheme.startswith(("http://", "https://")):
                width, height = (
                    int(v[0])
                    if (v := re.match(r"[1-9]\d{0,4}(?!\d)", _words(one.get(key))))
                    else None
                    for key in ("width", "height")
                )
                alt = _words(one.get("caption"))
                return Fact(Picture(with_scheme, width, height, alt, credit), where)
        return Fact(None, "unknown")

    def categories(self) -> Fact:
        named = [one for name in _META["section"] for one in self.meta.get(name, ())]
        sections = self.article.get("articleSection")
        named += [_words(one) for one in (sections if isinstance(sections, list) else [sections])]
        for link in self.tree.xpath("//a[contains(concat(' ', @rel, ' '), ' tag ')]"):
            if not self._is_beside(link):
                named.append(_line(link.text_content()))
        kept = {
            fold(v): v
            for one in named
            for part in one.split(", ")
            if 1 < len(v := part.strip()) < 60
        }
        return Fact(tuple(kept.values())[:_MOST_CATEGORIES], "metadata, tags")

    def text(self, recipe: Recipe) -> Fact:
        """The copy as HTML.

        Raises:
            DocumentError: none, or only what a wall leaves.
        """
        import trafilatura
        from lxml import etree

        seen = _line(
            " ".join(self.tree.xpath("//body//text()[not(parent::script | parent::style)]"))
        )
        free = str(self.article.get("isAccessibleForFree")).lower() != "false"
        if recipe.text:
            parts = _select(self.tree, recipe.text, self.url, "text")
            html = "\n".join(
                etree.tostring(one, encoding="unicode", method="html") for one in parts
            )
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
                    include_tables=True,
                    with_metadata=False,
                )
            except Exception as e:  # whatever the library raises, the page is at fault
                raise DocumentError(self.url, "cannot be read as a page; name recipe.text") from e
            html = re.sub(r"^.*?<body>|</body>.*$", "", found or "", flags=re.S)
        size = len(_line(html, limit=None))
        if size < _STUB:
            said = next(
                (key for key, signs in _WALLS.items() if signs.search(f"{self.tab} {seen}")), ""
            )
            if said and (size < _SHORT or (said != "consent" and len(seen) < 2 * _STUB)):
                raise DocumentError(self.url, _SAYS[said])
            if not free:
                raise DocumentError(self.url, _SAYS["login"])
        if size < _SHORT:
            shell = len(seen) < _STUB and len(self.tree.xpath("//script")) > 0
            why = "has no text that reads as an article; name its element in recipe.text"
            raise DocumentError(self.url, _SAYS["script"] if shell else why)
        return Fact(html, "recipe" if recipe.text else "page")

    def _chosen(self, selector: str | None, key: str) -> Fact:
        found = _select(self.tree, selector, self.url, key) if selector else []
        return Fact(_line(" ".join(one.text_content() for one in found[:1])), "recipe")


def _open(body: bytes, url: str, content_type: str) -> Any:
    import lxml.html

    if len(body) > _LARGEST:
        raise DocumentError(url, "is larger than 5 MiB, which no article is")
    header, meta = _HEADER_CHARSET.search(content_type), _CHARSET.search(body, 0, 8000)
    declared = header[1] if header else meta[1].decode() if meta else None
    declared = "windows-1252" if declared and _LATIN.fullmatch(declared) else declared
    try:
        text, _ = decode(url, body, declared)
    except DocumentError:
        # Pages of others have some broken characters, in a comment perhaps; more would spoil the copy.
        text = foreign(body.decode("utf-8", "replace"), lines=True, limit=None)
        if text.count("\ufffd") > len(text) / 500 or "<" not in text or b"\x00" in body:
            raise
    text = re.sub(r"^\s*<\?xml[^<>]{0,200}\?>", "", _INVISIBLE.sub("", text))
    parser = lxml.html.HTMLParser(remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(text, parser=parser)
    except (ValueError, lxml.etree.LxmlError) as e:
        raise DocumentError(url, "is no page: it has no HTML") from e
    if any(error.type_name == "ERR_RESOURCE_LIMIT" for error in parser.error_log):
        raise DocumentError(url, "has tags nested too deeply to be copy")
    if sum(1 for _ in tree.iter()) > _MOST_ELEMENTS:
        raise DocumentError(url, f"has more than {_MOST_ELEMENTS:,} elements, which no article has")
    return tree


def _linked_data(tree: Any) -> Iterator[dict[str, Any]]:
    """The objects of the JSON-LD, also those of a @graph, but not the parts of others, such as lists."""
    todo: list[Any] = []
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower():
            todo.append(_json(script.text or ""))
    for _ in range(_MOST_OBJECTS):
        if not todo:
            return
        one = todo.pop(0)
        if isinstance(one, list):
            todo = one[:_MOST_OBJECTS] + todo
        elif isinstance(one, dict):
            yield one
            todo += [one[key] for key in ("@graph", "mainEntity", "mainEntityOfPage") if key in one]


def _json(text: str) -> Any:
    """The value of JSON with the usual faults: line ends in texts, a comma or words too many."""
    start = re.search(r"[\[{]", text)
    for one in (text, _TRAILING_COMMA.sub("", text)) if start else ():
        try:
            return json.JSONDecoder(strict=False).raw_decode(one, one.index(text[start.start()]))[0]  # type: ignore[union-attr]
        except (ValueError, RecursionError):
            continue
    named = [one for one in _LD_TYPE.findall(text) if one in _TYPES["article"]]
    if len(named) != 1:
        return None
    keys = ("headline", "datePublished", "name")
    found = {
        key: v[0] for key in keys[:2] if len(v := re.findall(_LD_FIELD.format(key), text)) == 1
    }
    return {"@type": named[0], **found}


def _is_a(one: dict[str, Any], kind: str) -> bool:
    named = one.get("@type")
    names = named if isinstance(named, list) else [named]
    return any(isinstance(v, str) and v.rpartition("/")[2] in _TYPES[kind] for v in names)


def _words(value: Any) -> str:
    """The words of a JSON-LD value: a text, something with a name, or some of them."""
    if isinstance(value, list):
        return ", ".join(
            filter(None, (_words(one) for one in value[:10] if not isinstance(one, list)))
        )
    if isinstance(value, dict):
        value = value.get("name") or value.get("@value")
        value = value[0] if isinstance(value, list) and value else value
    if isinstance(value, int):
        return str(value)[:20]
    return _line(_TAGS.sub(" ", unescape(value))) if isinstance(value, str) else ""


def _line(text: str, limit: int | None = 1_000) -> str:
    text = _TAGS.sub(" ", text) if "<" in text else text
    return " ".join(foreign(unescape(text), limit=limit).split())


def _marks(node: Any) -> set[str]:
    named = (node.get("class"), node.get("itemprop"), node.get("property"), node.get("rel"))
    words = " ".join(filter(None, named)).lower().split()
    return {word.rpartition(":")[2] for word in words}


def _stated(node: Any) -> str:
    """The date of an element, in the form for machines if it has one."""
    for key in ("content", "datetime", "title"):
        if re.search(r"\d{4}", words := node.get(key) or ""):
            return _line(words)
    inner = next((one for one in node.iter("time") if one.get("datetime")), None)
    if inner is not None and inner is not node:
        return _line(inner.get("datetime"))
    return _line(node.text_content(), limit=2 * _DATE_WORDS)


def _label(node: Any) -> str:
    """What stands before an element within its parent, and what it says itself."""
    before = node.getprevious()
    above = node.getparent().text if before is None and node.getparent() is not None else None
    near = (
        above
        if before is None
        else before.tail
        if (before.tail or "").strip()
        else before.text_content()
    )
    return f"{(near or '')[-40:]} {node.text_content()[:_DATE_WORDS]}"


def _known(words: str, now: datetime | None, zone: ZoneInfo, where: str) -> KnownDate:
    """The date that words state, with an hour only if they do; unknown if it is after `now`, or unclear."""
    words = words.strip()[: 2 * _DATE_WORDS]
    day, moment = None, None
    try:
        if _EPOCH.fullmatch(words):
            moment = datetime.fromtimestamp(int(words[:10]), UTC)
        elif _MAIL_DATE.match(words):
            moment = parsedate_to_datetime(words)
        elif found := _MOMENT.search(words):
            year, month, number = map(int, found.groups()[:3])
            day = date(year, month, number)
            if found[4] and (found[4], found[5], found[6] or "00") not in (
                ("00", "00", "00"),
                ("0", "00", "00"),
            ):
                moment = datetime.combine(
                    day, time(int(found[4]), int(found[5]), int(found[6] or 0))
                )
                sign = found[7]
                if sign and sign[0] in "+-":
                    hours, minutes = int(sign[1:3]), int(sign[3:].lstrip(":") or 0)
                    step = timedelta(hours=hours, minutes=minutes)
                    moment = (moment - (step if sign[0] == "+" else -step)).replace(tzinfo=UTC)
                elif sign:
                    moment = moment.replace(tzinfo=UTC)
        else:
            named = [one for one in mentions(words, dateline=True) if one.date]
            day = named[0].date if len(named) == 1 else None
        if moment is not None:
            day = day or moment.date()
            local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
            uncertain = moment.tzinfo is None and now is not None and local > now
            moment = None if uncertain else local.astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return UNDATED
    if day is None or day.year < _OLDEST or day.year > 2200:
        return UNDATED
    ahead = now is not None and (moment > now if moment else day > now.astimezone(zone).date())
    return (
        UNDATED
        if ahead
        else KnownDate(day, DateSource.STATED, f"{where}: [{words}]" if where else "", moment)
    )


def _select(tree: Any, selector: str | None, url: str, key: str) -> list[Any]:
    from cssselect import SelectorError
    from lxml import etree
    from lxml.cssselect import CSSSelector

    try:
        return [*CSSSelector(selector, translator="html")(tree)]
    except (SelectorError, etree.XPathError, ValueError) as e:
        raise DocumentError(url, f"recipe.{key} is no CSS selector: {selector}") from e


def _links(node: Any) -> Iterator[Any]:
    """The links in an element; of an element in a link, that link."""
    found = [one for one in node.iter("a", "link") if one.get("href")]
    around = next((one for one in node.iterancestors("a") if one.get("href")), None)
    yield from found or ([around] if around is not None else [])


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link.strip())
    except ValueError:
        return ""


def _path(link: str) -> str:
    """Its path, to compare addresses; "" for a home page and for what is no address."""
    try:
        return urlsplit(link).path.strip("/")
    except ValueError:
        return ""


def _address(link: str, base: str, url: str) -> str | None:
    """A web address on the site of `url`, and no less safe, without tracking parameters; else None."""
    from courlan import clean_url

    try:
        split, own = urlsplit(_joined(base, link)), urlsplit(url)
        hosts = [(one.hostname or "").removeprefix("www.") for one in (split, own)]
    except ValueError:
        return None
    same = (
        hosts[0] == hosts[1]
        or hosts[0].endswith(f".{hosts[1]}")
        or hosts[1].endswith(f".{hosts[0]}")
    )
    if split.scheme not in ("http", "https") or not same or not hosts[0]:
        return None
    if split.scheme == "http" and own.scheme == "https":
        return None
    return clean_url(split._replace(fragment="").geturl())
