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
from email.utils import parseaddr

from digest.language.text import foreign

UNREADABLE = (
    *(MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    RecursionError,
)
"""The errors that the library's parsers raise on broken mail, found by trying."""

LARGEST_TEXT = 256 * 1024
_LONGEST_DECODED = 4000
_MOST_PARTS = 200
_MOST_GROUPS = 200
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_ENCLOSED = frozenset({"message/rfc822", "message/global", "message/news"})

_ENCLOSED_HEADERS = frozenset(
    f"{kind}-headers" for kind in ("text/rfc822", "message/rfc822", "message/global")
) | {"text/rfc822-header"}

Fields = dict[str, str]


def parse(raw: bytes) -> Message:
    """A mail; its headers alone if its structure is broken."""
    try:
        return BytesParser().parsebytes(raw)
    except UNREADABLE:
        pass
    try:
        return BytesHeaderParser().parsebytes(raw)
    except UNREADABLE:
        return Message()


def header(message: Message, name: str) -> str:
    """The first field of that name on one line, encoded words decoded; "" if there is none."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, *names: str) -> list[str]:
    """Every field of those names, each on one line, encoded words decoded."""
    fields: list[str] = []
    for name in names:
        try:
            values = [str(value) for value in message.get_all(name, [])]
        except UNREADABLE:
            continue
        for value in values:
            if "=?" in value:
                value = value[:_LONGEST_DECODED]
                with suppress(*UNREADABLE):
                    value = str(make_header(decode_header(value)))
            fields.append(" ".join(foreign(value, limit=LARGEST_TEXT).split()))
    return fields


def address(value: str) -> str | None:
    """The address in a field's value, or None."""
    try:
        bare = parseaddr(value)[1]
    except UNREADABLE:
        return None
    return bare if "@" in bare.strip("@") else None


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


def text(part: Message) -> str:
    """The decoded text of a part that encloses no other, at most LARGEST_TEXT characters."""
    try:
        payload = part.get_payload(decode=True)
    except UNREADABLE:
        payload = None
    if not isinstance(payload, bytes):
        return ""
    try:
        decoded = payload.decode(part.get_content_charset() or "utf-8", "replace")
    except UNREADABLE:
        decoded = payload.decode("latin-1")
    return foreign(decoded, lines=True, limit=LARGEST_TEXT)


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
        name = ""
        for line in block.split("\n"):
            if line[:1] in {" ", "\t"}:
                if name:
                    fields[name] += " " + line.strip()
                continue
            name, colon, value = line.partition(":")
            name = name.strip().lower()
            if not colon or name in fields:
                name = ""
                continue
            fields[name] = value.strip()
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
        try:
            lines = [f"{name}: {value}" for name, value in message.items()]
        except UNREADABLE:
            lines = []
        payload = message.get_payload()
        blocks.append("\n".join(lines) + "\n\n" + (payload if isinstance(payload, str) else ""))
    source: str | bytes = "\n\n".join(blocks)[:LARGEST_TEXT]
    if header(part, "Content-Transfer-Encoding").lower() == "base64":
        with suppress(ValueError):
            source = b64decode(source)
    return foreign(source, lines=True, limit=LARGEST_TEXT)
