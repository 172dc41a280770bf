"""What a feed validator tells about Atom, RSS 2.0 and OPML, for the elements that our feeds use.

The messages have the names under which feedvalidator.org and validator.w3.org/feed document them
(https://validator.w3.org/feed/docs/); only those are reported that count as an error or a warning. Any
element or attribute beside ours is UndefinedElement or UnexpectedAttribute, also where a standard
allows it: a feed that begins to use it must come with its checks.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html.entities import name2codepoint
from xml.parsers import expat

ATOM, RSS, OPML = "{http://www.w3.org/2005/Atom}feed", "rss", "opml"
NAMESPACES = {
    "http://www.w3.org/2005/Atom": "atom",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/rss/1.0/modules/content/": "content",
    "http://purl.org/syndication/history/1.0": "fh",
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://purl.org/atompub/tombstones/1.0": "at",  # RFC 6721; UnknownNamespace to the validators
}
_RELATIONS = """
alternate current describedby edit edit-media enclosure first hub last license next next-archive
payment prev-archive previous related replies search self service up via
"""
RELATIONS = set(_RELATIONS.split())
HISTORY = {"current", "first", "last", "next", "next-archive", "prev-archive", "previous"}
_HTML_TAGS = """
a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body
br button canvas caption center cite code col colgroup command data datagrid datalist dd del details
dfn dialog dir div dl dt em embed eventsource fieldset figcaption figure font footer form frame
frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins isindex kbd label
legend li link listing m main map mark menu meta meter nav noframes noscript object ol optgroup
option output p param picture plaintext pre progress q rp rt ruby s samp script section select slot
small source span strike strong style sub summary sup table tbody td template textarea tfoot th
thead time title tr track tt u ul var video wbr xmp comment
"""
HTML_TAGS = set(_HTML_TAGS.split())
_TAG = re.compile(r"[a-zA-Z][\w+.-]*:(//)?[\w;/?:@&=+$.~*'()%,#!-]+", re.ASCII)
_UUID = re.compile(r"urn:uuid:[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}", re.IGNORECASE)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*)?(Z|[+-]\d\d:\d\d)")
_RFC2822 = re.compile(
    r"((Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d\d? (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"\d{4} \d\d:\d\d(:\d\d)? ([+-]\d\d[03]0|UT|GMT|[ECMP][SD]T|Z)"
)
_EMAIL = re.compile(r"[\w.+'-]+@(?:[\w-]+\.)+[\w-]+", re.ASCII)
_MIME = re.compile(r"[^\s()<>,;:\\\"/\[\]?=]+/[^\s()<>,;:\\\"/\[\]?=]+(\s*;.*)?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z\d-]+)?")


@dataclass
class Node:
    """An element: names are "{namespace}local", `line` and `end` its first and last line."""

    name: str
    attributes: Mapping[str, str]
    parent: "Node | None"
    line: int
    end: int = 0
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def of(self, name: str) -> list["Node"]:
        return [child for child in self.children if child.name == name]


def messages(document: bytes, address: str, now: datetime) -> list[str]:
    """Every message about the document that is published at `address`, as "Name: what"; sorted."""
    return sorted(_Check(document, address, now).told)


class _Check:
    def __init__(self, document: bytes, address: str, now: datetime) -> None:
        self.told: list[str] = []
        self.address, self.now = address, now
        self.numeric = [b"&#x" in line for line in document.split(b"\n")]
        try:
            root = self._parsed(document)
        except expat.ExpatError as e:
            self.told.append(f"SAXError: {e}")
            return
        self.rss = root.name == RSS
        self._characters(root)
        checks = {ATOM: self._feed, RSS: self._rss, OPML: self._opml}
        checks.get(root.name, self._undefined)(root)

    def tell(self, message: str, what: object = "") -> None:
        self.told.append(f"{message}: {what!s:.200}")

    def _parsed(self, document: bytes) -> Node:
        parser = expat.ParserCreate(namespace_separator="}")
        top = Node("", {}, None, 0)
        current = top

        def name(raw: str) -> str:
            return "{" + raw if "}" in raw else raw

        def start(raw: str, attributes: Mapping[str, str]) -> None:
            nonlocal current
            named = {name(key): value for key, value in attributes.items()}
            node = Node(name(raw), named, current, parser.CurrentLineNumber)
            current.children.append(node)
            current = node

        def end(raw: str) -> None:
            nonlocal current
            assert current.parent is not None
            current.end = parser.CurrentLineNumber
            current = current.parent

        def text(data: str) -> None:
            current.text += data

        def prefix(short: str | None, uri: str) -> None:
            if uri not in NAMESPACES:
                self.tell("UnknownNamespace", uri)
            elif short in NAMESPACES.values() and NAMESPACES[uri] != short:
                self.tell("ReservedPrefix", short)

        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler, parser.StartNamespaceDeclHandler = text, prefix
        parser.Parse(document, True)
        return top.children[0]

    # --- text -------------------------------------------------------------------------------------

    def _characters(self, node: Node) -> None:
        for value in (node.text, *node.attributes.values()):
            if re.search("[\x80-\x9f\ufffd]", value):
                self.tell("BadCharacters", node.name)
        if re.search("[\xc2\xc3][\x80-\xbf]", node.text):
            try:
                node.text.encode("latin-1").decode()
                self.tell("BadCharacters", node.name)
            except UnicodeError:
                pass
        for child in node.children:
            self._characters(child)

    def plain(self, node: Node, value: str | None = None, message: str = "ContainsHTML") -> None:
        """Text that should not look like HTML, unless its lines hold numeric references."""
        value = node.text if value is None else value
        numeric = any(self.numeric[node.line - 1 : node.end])
        entities = re.findall(r"&(#?\w+)", value)
        if any(tag.lower() in HTML_TAGS for tag in re.findall(r"</(\w+)>", value)):
            self.tell(message, value)
        elif entities:
            for one in entities:
                known = one in name2codepoint or one == "apos" or not one.isalpha()
                if known and not numeric:
                    self.tell(message, value)
        elif self.rss and re.search(r"&#[x0-9]|<[/a-zA-Z]", value) and not numeric:
            self.tell("CharacterData", value)

    def construct(self, node: Node) -> None:
        """A text construct of Atom (RFC 4287 §3.1)."""
        kind = node.attributes.get("type", "text")
        self.only(node, "type")
        if kind == "text":
            self.plain(node, message="ContainsUndeclaredHTML")
        elif kind == "html":
            self.html(node)
        else:
            self.tell("InvalidTextType", kind)
        if not node.text:
            self.tell("NotBlank", node.name)

    def html(self, node: Node) -> None:
        for link in re.findall(
            r"""<(?:a\s+href|img\s[^>]*src)=["']?([^"'\s>]+)""", node.text, re.I
        ):
            if not re.match(r"\w+:", link):
                self.tell("ContainsRelRef", link)
        for tag, rest in re.findall(r"<([a-zA-Z][\w-]*)((?:\s[^>]*)?)>", node.text):
            if tag.lower() not in HTML_TAGS:
                self.tell("NotHtml", tag)
            if re.search(r"\s(on\w+|style)\s*=", rest, re.I) or tag.lower() in {
                *("script", "style", "iframe", "object", "embed", "meta", "link", "base", "applet"),
                *("form", "frame", "frameset"),
            }:
                self.tell("SecurityRisk", tag + rest)

    def address_of(
        self, node: Node, value: str | None = None, message: str = "InvalidFullLink"
    ) -> None:
        value = node.text.strip() if value is None else value
        if bad := [
            char
            for char in value
            if char < "\x80" and not re.match(r"[\w;/?:@&=+$.~*'()%,#!-]", char, re.A)
        ]:
            self.tell("InvalidUriChar", f"{bad} {value}")
        elif value.lower().startswith("urn:uuid:"):
            if not _UUID.fullmatch(value):
                self.tell("InvalidUUID", value)
        elif not _TAG.fullmatch(
            value.encode("idna", "replace").decode()
            if not value.isascii() and len(value) < 60
            else value
        ) or (re.match(r"(?:http|ftp):", value) and not re.match(r"\w+://[^/]", value)):
            self.tell(message, value)

    def language(self, value: str) -> None:
        if not _LANGUAGE.fullmatch(value):
            self.tell("InvalidLanguage", value)

    def rfc3339(self, node: Node) -> None:
        if not _RFC3339.fullmatch(node.text):
            self.tell(
                "UnexpectedWhitespace" if node.text.strip() != node.text else "InvalidRFC3339Date",
                node.text,
            )
            return
        try:
            self._plausible(datetime.fromisoformat(node.text))
        except ValueError:
            self.tell("InvalidRFC3339Date", node.text)

    def rfc2822(self, node: Node) -> None:
        if not _RFC2822.fullmatch(node.text):
            self.tell("InvalidRFC2822Date", node.text)
            return
        try:
            moment = parsedate_to_datetime(node.text)
        except ValueError:
            self.tell("InvalidRFC2822Date", node.text)
            return
        if "," in node.text and f"{moment:%a}" != node.text[:3]:
            self.tell("IncorrectDOW", node.text)
        self._plausible(moment)

    def _plausible(self, moment: datetime) -> None:
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        if moment > self.now + timedelta(minutes=10) or moment.year < 1990:
            self.tell("ImplausibleDate", moment)

    def contact(self, node: Node) -> None:
        """RSS: "mail@example.org (Name)"."""
        if not node.text.endswith(")"):
            self.tell("MissingRealName" if " " not in node.text else "EmailFormat", node.text)
        elif not _EMAIL.fullmatch(node.text.split(" (")[0]):
            self.tell("InvalidContact", node.text)
        self.plain(node)

    def email(self, node: Node) -> None:
        if not _EMAIL.fullmatch(node.text):
            self.tell("InvalidContact", node.text)

    def positive(self, node: Node) -> None:
        if not node.text.strip().isdecimal() or int(node.text) == 0:
            self.tell("InvalidPositiveInteger", node.text)

    def anything(self, node: Node) -> None:
        """Text without rules of its own."""

    # --- elements ---------------------------------------------------------------------------------

    def _undefined(self, node: Node) -> None:
        self.tell("UndefinedElement", node.name)

    def only(self, node: Node, *attributes: str) -> None:
        for name in node.attributes:
            if name not in attributes and not name.startswith("{http://www.w3.org/XML/"):
                self.tell("UnexpectedAttribute", f"{name} of {node.name}")
        if language := node.attributes.get("{http://www.w3.org/XML/1998/namespace}lang"):
            self.language(language)

    def each(
        self, node: Node, checks: Mapping[str, Callable[[Node], None]], many: str = ""
    ) -> Iterator[Node]:
        """Check the children: each at most once, unless it is in `many`."""
        if node.text.strip():
            self.tell("UnexpectedText", node.text)
        counts = Counter(child.name for child in node.children)
        repeatable = {self.long(name) for name in many.split()}
        named = {self.long(name): check for name, check in checks.items()}
        for name, count in counts.items():
            if count > 1 and name not in repeatable and name in named:
                self.tell("DuplicateElement", name)
        for child in node.children:
            named.get(child.name, self._undefined)(child)
            yield child

    @staticmethod
    def long(name: str) -> str:
        prefix, _, local = name.rpartition(":")
        full = {short: uri for uri, short in NAMESPACES.items()}
        return f"{{{full[prefix]}}}{local}" if prefix else name

    def required(self, node: Node, *names: str, message: str = "MissingElement") -> None:
        for name in names:
            if not node.of(self.long(name)):
                self.tell(message, f"{name} of {node.name}")

    def unique(self, nodes: list[Node], message: str) -> None:
        for value, count in Counter(node.text for node in nodes).items():
            if count > 1:
                self.tell(message, value)

    def filled(self, node: Node) -> None:
        if not node.text.strip():
            self.tell("NotBlank", node.name)
        self.plain(node)

    def leaf(self, check: Callable[[Node], None], *attributes: str) -> Callable[[Node], None]:
        def checked(node: Node) -> None:
            self.only(node, *attributes)
            for child in node.children:
                self._undefined(child)
            check(node)

        return checked

    # --- Atom -------------------------------------------------------------------------------------

    def _feed(self, feed: Node) -> None:
        self.only(feed)
        entry = self.long("atom:entry")
        checks = {
            "atom:id": self.leaf(self._id),
            "atom:title": self.leaf(self.construct, "type"),
            "atom:subtitle": self.leaf(self.construct, "type"),
            "atom:updated": self.leaf(self.rfc3339),
            "atom:author": self._person,
            "atom:link": self._link,
            "atom:generator": self.leaf(self.filled, "uri", "version"),
            "atom:entry": self._entry,
            "fh:archive": self.leaf(self.anything),
            "at:deleted-entry": self._deleted,
        }
        ended = False
        for child in self.each(feed, checks, "atom:entry atom:link atom:author at:deleted-entry"):
            ended = ended or child.name == entry
            if ended and child.name.startswith(self.long("atom:")) and child.name != entry:
                self.tell("MisplacedMetadata", child.name)
        self.required(feed, "atom:id", "atom:title", "atom:updated")
        links = feed.of(self.long("atom:link"))
        relations = {link.attributes.get("rel", "alternate") for link in links}
        if "self" not in relations:
            self.tell("MissingSelf")
        self._alternates(links)
        names = [child.name for child in feed.children]
        archive = self.long("fh:archive")
        if archive in names[: names.index(entry) if entry in names else None]:
            if not relations & {"prev-archive", "next-archive"}:
                self.tell("ArchiveIncomplete")
            if "current" not in relations:
                self.tell("MissingCurrentInArchive")
        entries = feed.of(entry)
        self.unique(
            [one for each in entries for one in each.of(self.long("atom:id"))], "DuplicateEntries"
        )
        self.unique(
            [one for each in entries for one in each.of(self.long("atom:updated"))],
            "DuplicateUpdated",
        )
        if not feed.of(self.long("atom:author")):
            for one in entries:
                self.required(one, "atom:author")

    def _entry(self, entry: Node) -> None:
        self.only(entry)
        checks = {
            "atom:id": self.leaf(self._id),
            "atom:title": self.leaf(self.construct, "type"),
            "atom:summary": self.leaf(self.construct, "type"),
            "atom:content": self.leaf(self.construct, "type"),
            "atom:updated": self.leaf(self.rfc3339),
            "atom:published": self.leaf(self.rfc3339),
            "atom:author": self._person,
            "atom:link": self._link,
            "atom:category": self._category,
        }
        for _ in self.each(entry, checks, "atom:link atom:author atom:category"):
            pass
        self.required(entry, "atom:id", "atom:title", "atom:updated")
        links = entry.of(self.long("atom:link"))
        self._alternates(links)
        if not entry.of(self.long("atom:content")):
            self.required(entry, "atom:summary", message="MissingTextualContent")
            if not any(link.attributes.get("rel", "alternate") == "alternate" for link in links):
                self.tell("MissingContentOrAlternate")

    def _id(self, node: Node) -> None:
        self.address_of(node, node.text)
        if node.text != node.text.strip():
            self.tell("UnexpectedWhitespace", node.name)

    def _alternates(self, links: list[Node]) -> None:
        kinds = Counter(
            (link.attributes.get("type"), link.attributes.get("hreflang"))
            for link in links
            if link.attributes.get("rel", "alternate") == "alternate"
        )
        for kind, count in kinds.items():
            if count > 1:
                self.tell("DuplicateAtomLink", kind)

    def _link(self, link: Node) -> None:
        self.only(link, "href", "rel", "type", "hreflang", "title", "length")
        attributes = link.attributes
        relation = attributes.get("rel", "alternate")
        assert link.parent is not None
        if relation not in RELATIONS and not _TAG.fullmatch(relation):
            self.tell("AttrNotBlank" if not relation else "UnregisteredAtomLinkRel", relation)
        if relation in HISTORY and link.parent.name == self.long("atom:entry"):
            self.tell("FeedHistoryRelInEntry", relation)
        if "type" in attributes:
            if not _MIME.fullmatch(attributes["type"]):
                self.tell("InvalidMIMEType", attributes["type"])
            elif relation == "self" and attributes["type"] not in {
                "application/atom+xml",
                "application/rss+xml",
            }:
                self.tell("SelfNotAtom", attributes["type"])
        if "title" in attributes:
            if not attributes["title"]:
                self.tell("AttrNotBlank", "title")
            self.plain(link, attributes["title"])
        if "hreflang" in attributes:
            self.language(attributes["hreflang"])
        if "href" not in attributes:
            self.tell("MissingHref")
        else:
            self.address_of(link, attributes["href"], "InvalidIRI")
            if relation == "self" and attributes["href"] != self.address:
                self.tell("SelfDoesntMatchLocation", attributes["href"])
        if link.text.strip() or link.children:
            self.tell("AtomLinkNotEmpty")

    def _person(self, person: Node) -> None:
        def name(node: Node) -> None:
            self.filled(node)
            if re.search(f"<{_EMAIL.pattern}>", node.text):
                self.tell("ContainsEmail", node.text)

        checks = {"atom:name": self.leaf(name), "atom:email": self.leaf(self.email)}
        for _ in self.each(person, checks):
            pass
        self.required(person, "atom:name")

    def _category(self, node: Node) -> None:
        self.only(node, "term", "scheme", "label")
        if "term" not in node.attributes:
            self.tell("MissingAttribute", "term")
        if "scheme" in node.attributes:
            self.address_of(node, node.attributes["scheme"])
        self.plain(node, node.attributes.get("label", ""))

    def _deleted(self, node: Node) -> None:
        """RFC 6721 §3: `ref` and `when` are required; a comment and links may follow."""
        self.only(node, "ref", "when")
        for name in ("ref", "when"):
            if name not in node.attributes:
                self.tell("MissingAttribute", name)
        if not _RFC3339.fullmatch(node.attributes.get("when", "")):
            self.tell("InvalidRFC3339Date", node.attributes.get("when"))

    # --- RSS --------------------------------------------------------------------------------------

    def _rss(self, rss: Node) -> None:
        self.only(rss, "version")
        if rss.attributes.get("version") != "2.0":
            self.tell("InvalidRSSVersion", rss.attributes)
        self.required(rss, "channel")
        for channel in rss.of("channel"):
            self._channel(channel)

    def _channel(self, channel: Node) -> None:
        checks = {
            "title": self.leaf(self.filled),
            "link": self.leaf(self.address_of),
            "description": self.leaf(self.plain),
            "language": self.leaf(lambda node: self.language(node.text)),
            "docs": self.leaf(self.address_of),
            "generator": self.leaf(self.anything),
            "lastBuildDate": self.leaf(self.rfc2822),
            "managingEditor": self.leaf(self.contact),
            "ttl": self.leaf(self.positive),
            "atom:link": self._link,
            "fh:archive": self.leaf(self.anything),
            "item": self._item,
        }
        before = ""
        for child in self.each(channel, checks, "item atom:link"):
            if before == "item" and child.name not in {"item", self.long("fh:archive")}:
                self.tell("MisplacedItem", child.name)
            before = child.name if child.name != "item" else "item"
        self.required(channel, "description", message="MissingDescription")
        self.required(channel, "link", message="MissingLink")
        self.required(channel, "title", message="MissingTitle")
        links = channel.of(self.long("atom:link"))
        if not any(link.attributes.get("rel") == "self" for link in links):
            self.tell("MissingAtomSelfLink")
        self.unique(
            [one for item in channel.of("item") for one in item.of("guid")], "DuplicateValue"
        )

    def _item(self, item: Node) -> None:
        checks = {
            "title": self.leaf(self.filled),
            "link": self.leaf(self.address_of),
            "description": self.leaf(self.html),
            "content:encoded": self.leaf(self.html),
            "guid": self._guid,
            "pubDate": self.leaf(self.rfc2822),
            "category": self.leaf(self.filled, "domain"),
            "dc:creator": self.leaf(self.anything),
            "dc:language": self.leaf(lambda node: self.language(node.text)),
        }
        names = [child.name for child in self.each(item, checks, "category dc:creator")]
        if not {"title", "description"} & set(names):
            self.tell("ItemMustContainTitleOrDescription")
        if "guid" not in names:
            self.tell("MissingGuid")
        encoded = self.long("content:encoded")
        if encoded in names and "description" not in names[: names.index(encoded)]:
            self.tell("NeedDescriptionBeforeContent")

    def _guid(self, guid: Node) -> None:
        self.only(guid, "isPermaLink")
        permanent = guid.attributes.get("isPermaLink", "true")
        if permanent not in {"true", "false"}:
            self.tell("InvalidBooleanAttribute", permanent)
        elif permanent == "true":
            if re.match(r"tag:|urn:uuid:", guid.text, re.I):
                self.tell("InvalidPermalink", guid.text)
            self.address_of(guid, None, "InvalidHttpGUID")
        elif len(guid.text) < 9 and guid.text.isdecimal():
            self.tell("NotSufficientlyUnique", guid.text)

    # --- OPML -------------------------------------------------------------------------------------

    def _opml(self, opml: Node) -> None:
        self.only(opml, "version")
        if "version" not in opml.attributes:
            self.tell("MissingAttribute", "version")
        elif opml.attributes["version"] not in {"1.0", "1.1", "2.0"}:
            self.tell("InvalidOPMLVersion", opml.attributes["version"])
        self.required(opml, "head", "body")
        for _ in self.each(opml, {"head": self._head, "body": self._body}):
            pass

    def _head(self, head: Node) -> None:
        checks = {
            "title": self.leaf(self.html),
            "dateCreated": self.leaf(self.rfc2822),
            "dateModified": self.leaf(self.rfc2822),
            "ownerName": self.leaf(self.html),
            "ownerEmail": self.leaf(self.email),
        }
        for _ in self.each(head, checks):
            pass

    def _body(self, body: Node) -> None:
        self.required(body, "outline")
        for _ in self.each(body, {"outline": self._outline}, "outline"):
            pass

    def _outline(self, outline: Node) -> None:
        known = ("description", "htmlUrl", "language", "text", "title", "type", "xmlUrl")
        self.only(outline, *known)
        attributes = outline.attributes
        kind = attributes.get("type", "").lower()
        if "text" not in attributes:
            self.tell("MissingAttribute", "text")
        if kind == "rss":
            for name, message in (("xmlUrl", "MissingXmlURL"), ("title", "MissingTitleAttr")):
                if name not in attributes:
                    self.tell(message)
        elif not kind and len(attributes) > 1 and {*attributes} & {*known} - {"text"}:
            self.tell("MissingOutlineType")
        if "htmlUrl" in attributes:
            self.address_of(outline, attributes["htmlUrl"])
        if "language" in attributes:
            self.language(attributes["language"])
        for _ in self.each(outline, {"outline": self._outline}, "outline"):
            pass
