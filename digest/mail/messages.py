"""Headers and parts of a mail that anybody may have sent: reading them never fails.

Nothing here trusts a charset, an encoding or a structure; unreadable parts are left out, and text is
clean (`foreign`).
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser, HeaderParser
from email.policy import Compat32
from email.utils import getaddresses, parseaddr
from html import unescape
from itertools import islice

from digest.language.addresses import address_key
from digest.language.text import foreign

UNREADABLE = (
    *(MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    RecursionError,
)
"""The errors that the library's parsers raise on broken mail, found by trying."""

LARGEST_TEXT = 128 * 1024
_MOST_PARTS = 200
_MOST_GROUPS = 200
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FOLD = re.compile(r"\n[ \t]+")
_TAG = re.compile(r"<(?:style|script).{0,20000}?</(?:style|script)>|<[^<>]{0,1000}>", re.I | re.S)

_LONGEST_FIELD = 4000
_LONGEST_NAME = 120
# What the library reads in more than linear time; a real report has far less.
_MOST = (
    (re.compile(rb"\n(?![A-Za-z0-9+/]{60,76}\r?\n)"), 20_000),  # but for files in base64
    (re.compile(rb"\n--"), 500),
    (re.compile(rb"boundary|message/(?:rfc822|global)", re.IGNORECASE), 60),
)
_BODIES = frozenset({"text/plain", "text/html"})
_ENCLOSED = frozenset({"message/rfc822", "message/global", "message/news"})

_ENCLOSED_HEADERS = frozenset(
    f"{kind}-headers" for kind in ("text/rfc822", "message/rfc822", "message/global")
) | {"text/rfc822-header"}

Fields = dict[str, str]


class _Short(Compat32):
    """Header fields of bounded length: their parameters are read in quadratic time."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name[:_LONGEST_FIELD], value[:_LONGEST_FIELD]


_SHORT = _Short()


def readable(raw: bytes) -> bytes:
    """As much of a mail as `parse` reads: less than all of one that has parts, or lines, without end."""
    for pattern, most in _MOST:
        if further := next(islice(pattern.finditer(raw), most, None), None):
            raw = raw[: further.start()]
    return raw


def parse(raw: bytes) -> Message:
    """A mail; its headers alone if its structure is broken."""
    raw = readable(raw)
    try:
        return BytesParser(policy=_SHORT).parsebytes(raw)
    except UNREADABLE:
        pass
    try:
        return BytesHeaderParser(policy=_SHORT).parsebytes(raw)
    except UNREADABLE:
        return Message()


def header(message: Message, name: str) -> str:
    """The first field of that name on one line, encoded words decoded; "" if there is none."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, *names: str) -> list[str]:
    """Every field of those names, each on one line, encoded words decoded."""
    fields: list[str] = []
    for name in names:
        for key, value in message.raw_items():
            if key.lower() != name.lower():
                continue
            # The library keeps bytes outside ASCII as surrogates.
            value = foreign(str(value).encode("utf-8", "surrogateescape"), limit=LARGEST_TEXT)
            if "=?" in value:
                with suppress(*UNREADABLE):
                    value = foreign(str(make_header(decode_header(value))), limit=LARGEST_TEXT)
            fields.append(" ".join(value.split()))
    return fields


def address(value: str) -> str | None:
    """The address in a field's value, or None."""
    try:
        bare = parseaddr(value)[1]
    except UNREADABLE:
        return None
    return bare if "@" in bare.strip("@") else None


def senders(message: Message) -> tuple[str, set[str]]:
    """The one address in the one field From, "" if there is none or several; and it with the address in
    Sender and the names in List-Id (RFC 2919). They are in small letters, and read before encoded words
    are decoded, in which somebody may have hidden another.
    """
    fields: dict[str, list[str]] = {"from": [], "sender": [], "list-id": []}
    for key, value in message.raw_items():
        if (same := fields.get(key.lower())) is not None:
            raw = str(value).encode("utf-8", "surrogateescape")
            same.append(foreign(raw, limit=LARGEST_TEXT))
    found = {one.rpartition("<")[2].partition(">")[0].casefold() for one in fields["list-id"]}
    for name in ("sender", "from"):
        one = ""
        with suppress(*UNREADABLE):
            named = [address_key(bare) for _, bare in getaddresses(fields[name]) if "@" in bare]
            one = named[0] if len(named) == len(fields[name]) == 1 else ""
        found.add(one)
    return one, found - {""}


def kind(part: Message) -> str:
    """The lower-case content type."""
    try:
        return part.get_content_type()
    except UNREADABLE:
        return "text/plain"


def parts(message: Message) -> Iterator[Message]:
    """At most 200 parts of a mail, in order, without those of the mails that it encloses."""
    waiting, count = [message], 0
    while waiting and count < _MOST_PARTS:
        part = waiting.pop()
        if kind(part).startswith("multipart/") and (inner := _inner(part)):
            waiting += reversed(inner)
        else:
            count += 1
            yield part


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    if not isinstance(payload, list):
        return []
    return [inner for inner in payload if isinstance(inner, Message)]


def text(part: Message, most: int | None = LARGEST_TEXT) -> str:
    """The decoded text of a part that encloses no other, at most `most` bytes of it."""
    try:
        payload = part.get_payload(decode=True)
    except UNREADABLE:
        payload = None
    if not isinstance(payload, bytes):
        return ""
    decoded: str | bytes = payload[:most]
    if not payload.isascii() or b"\x1b" in payload:
        try:
            payload.decode("utf-8")  # whatever the part says, this is no accident
        except UnicodeDecodeError:
            charset = part.get_content_charset("us-ascii")
            with suppress(*UNREADABLE):
                decoded = payload.decode(charset, "strict" if charset == "us-ascii" else "replace")
    return foreign(decoded, lines=True, limit=most)


def words(message: Message) -> str:
    """The text of a mail's first part for people, that of HTML without its tags; all that follows
    the headers if the parts are not marked as announced."""
    html = ""
    for part in parts(message):
        if kind(part) == "text/html":
            html = html or unescape(_TAG.sub(" ", text(part)))
        elif kind(part).startswith(("text/plain", "multipart/")) and (plain := text(part)).strip():
            return plain
    return html


def attachments(message: Message) -> Iterator[tuple[str, bytes]]:
    """What is attached to a mail: each file's name, without folders, and its bytes. A mail that is
    attached has the name of its subject if it has no other.
    """
    for part in parts(message):
        try:
            name = part.get_filename("")
            if kind(part) in _ENCLOSED and (inner := _inner(part)[:1]):
                name = name or f"{header(inner[0], 'Subject') or 'message'}.eml"
                data: object = inner[0].as_bytes()
            else:
                data = part.get_payload(decode=True)
        except UNREADABLE:
            continue
        # An attached text without a name has nothing that tells its format.
        if name and isinstance(data, bytes) and not is_body(part):
            if "=?" in name:
                with suppress(*UNREADABLE):
                    name = str(make_header(decode_header(name)))
            yield foreign(name.replace("\\", "/").rpartition("/")[2], limit=_LONGEST_NAME), data


def is_body(part: Message) -> bool:
    """Whether a mail program shows the part as text of the mail."""
    disposition = header(part, "Content-Disposition").lower()
    return kind(part) in _BODIES and not disposition.startswith("attachment")


def enclosed(message: Message) -> list[Message]:
    """The mails that a mail encloses, complete or only their headers, in order."""
    mails: list[Message] = []
    for part in parts(message):
        if kind(part) in _ENCLOSED:
            mails += _inner(part)[:1]
        elif kind(part) in _ENCLOSED_HEADERS:
            with suppress(*UNREADABLE):
                mails.append(HeaderParser().parsestr(_source(part).lstrip("\n")))
    return mails


def field_groups(part: Message) -> list[Fields]:
    """The groups of fields in a machine-readable part (RFC 3464 §2.1, RFC 5965 §3.2).

    Names are lower-case; of equal names the first counts.
    """
    groups: list[Fields] = []
    for block in _BLANK_LINE.split(_source(part))[:_MOST_GROUPS]:
        fields: Fields = {}
        for line in _FOLD.sub(" ", block).split("\n"):
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name.strip().lower(), value.strip()[:_LONGEST_FIELD])
        if fields:
            groups.append(fields)
    return groups


def _source(part: Message) -> str:
    """The source text of a part. The library parses a report's fields as enclosed mails, so they are
    joined again; this also decodes a part that is encoded against the standards."""
    inner = _inner(part)
    if not inner:
        return text(part)
    blocks: list[str] = []
    for message in inner[:_MOST_GROUPS]:
        lines = [f"{name}: {value}" for name, value in message.raw_items()]
        payload = message.get_payload()
        blocks.append("\n".join(lines) + "\n\n" + (payload if isinstance(payload, str) else ""))
    source = "\n\n".join(blocks)[:LARGEST_TEXT].encode("utf-8", "surrogateescape")
    if header(part, "Content-Transfer-Encoding").lower() == "base64":
        with suppress(ValueError):
            source = b64decode(source)
    return foreign(source, lines=True, limit=LARGEST_TEXT)


def enclosed_source(raw: bytes, message: Message) -> bytes | None:
    """The bytes of the first mail that `message`, parsed from `raw`, encloses completely, as they
    arrived, but with CRLF as the line end: what a signature is about."""
    lines = raw.replace(b"\r\n", b"\n")
    waiting = [message]
    while waiting:
        part = waiting.pop()
        inner = _inner(part) if kind(part).startswith("multipart/") else []
        waiting += reversed(inner)
        if any(kind(one) in _ENCLOSED for one in inner) and (boundary := part.get_boundary()):
            mark = re.escape(boundary.encode("ascii", "replace"))
            for section in re.split(rb"(?m)^--" + mark + rb"(?:--)?[ \t]*$\n?", lines)[1:-1]:
                head, blank, body = section.partition(b"\n\n")
                about = parse(head + b"\n\n")
                if blank and kind(about) in _ENCLOSED and body.strip():
                    plain = header(about, "Content-Transfer-Encoding").lower()
                    if plain in {"", "7bit", "8bit", "binary"}:
                        return body.removesuffix(b"\n").replace(b"\n", b"\r\n")
    return None
