"""Headers and parts of a mail that may be broken in any way: reading them never fails.

Mail systems have written reports for forty years, and anybody can send us one. So nothing here
trusts a charset, an encoding or a structure; what cannot be read is left out.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser, HeaderParser
from email.utils import parseaddr

UNREADABLE = (
    *(MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    RecursionError,
)
"""What the library's parsers raise on broken mail, found by trying."""

LARGEST_TEXT = 256 * 1024
_LONGEST_DECODED = 4000
_MOST_PARTS = 200
_MOST_GROUPS = 200
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_ENCLOSED = frozenset({"message/rfc822", "message/global", "message/news"})

_ENCLOSED_HEADERS = frozenset(
    {
        "text/rfc822-headers",
        "text/rfc822-header",
        "message/rfc822-headers",
        "message/global-headers",
    }
)

Fields = dict[str, str]


def parse(raw: bytes) -> Message:
    """A mail; its headers alone where its structure cannot be followed."""
    try:
        return BytesParser().parsebytes(raw)
    except UNREADABLE:
        pass
    try:
        return BytesHeaderParser().parsebytes(raw)
    except UNREADABLE:
        return Message()


def header(message: Message, name: str) -> str:
    """The first field of that name on one line, encoded words read; "" where there is none."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, *names: str) -> list[str]:
    """Every field of those names, each on one line, encoded words read."""
    found: list[str] = []
    for name in names:
        try:
            values = [str(value) for value in message.get_all(name, [])]
        except UNREADABLE:
            continue
        found += [_decoded(" ".join(value.split())) for value in values]
    return found


def _decoded(value: str) -> str:
    if "=?" not in value:
        return value
    value = value[:_LONGEST_DECODED]
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except UNREADABLE:
        return value


def address(value: str) -> str | None:
    """The address in a field's value, however it is wrapped; None without one."""
    try:
        found = parseaddr(value)[1]
    except UNREADABLE:
        return None
    return found if "@" in found.strip("@") else None


def kind(part: Message) -> str:
    """The lower-case content type."""
    try:
        return part.get_content_type()
    except UNREADABLE:
        return "text/plain"


def parts(message: Message) -> Iterator[Message]:
    """The parts of a mail in order, not entering the mails that it encloses; at most 200."""
    waiting, given = [message], 0
    while waiting and given < _MOST_PARTS:
        part = waiting.pop()
        if kind(part).startswith("multipart/") and (inner := _inner(part)):
            waiting += reversed(inner)
        else:
            given += 1
            yield part


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    if not isinstance(payload, list):
        return []
    return [inner for inner in payload if isinstance(inner, Message)]


def text(part: Message) -> str:
    """The text of a part that encloses none, decoded, at most LARGEST_TEXT characters."""
    try:
        payload = part.get_payload(decode=True)
    except UNREADABLE:
        payload = None
    if not isinstance(payload, bytes):
        return ""
    try:
        found = payload.decode(part.get_content_charset() or "utf-8", "replace")
    except UNREADABLE:
        found = payload.decode("latin-1")
    return found[:LARGEST_TEXT].replace("\r\n", "\n")


def enclosed(message: Message) -> list[Message]:
    """The mails that a mail encloses, whole or as headers alone, in order."""
    found: list[Message] = []
    for part in parts(message):
        if kind(part) in _ENCLOSED:
            found += _inner(part)[:1]
        elif kind(part) in _ENCLOSED_HEADERS:
            try:
                found.append(HeaderParser().parsestr(_source(part).lstrip("\n")))
            except UNREADABLE:
                continue
    return found


def field_groups(part: Message) -> list[Fields]:
    """The groups of fields in a machine-readable part, names lower-case, the first of equal names.

    RFC 3464 §2.1, RFC 5965 §3.2. The library takes such parts for enclosed mails, so their text is
    put together again first; that also reads parts that are encoded, which the standards forbid.
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
    """The text of a part as it stood, whatever the library made of it."""
    inner = _inner(part)
    if not inner:
        return text(part)
    blocks: list[str] = []
    for message in inner[:_MOST_GROUPS]:
        lines = [f"{name}: {value}" for name, value in _items(message)]
        payload = message.get_payload()
        blocks.append("\n".join(lines) + "\n\n" + (payload if isinstance(payload, str) else ""))
    found = "\n\n".join(blocks)[:LARGEST_TEXT].replace("\r\n", "\n")
    if header(part, "Content-Transfer-Encoding").lower() == "base64":
        try:
            return b64decode(found.encode("ascii")).decode("utf-8", "replace").replace("\r\n", "\n")
        except ValueError:
            return found
    return found


def _items(message: Message) -> list[tuple[str, str]]:
    try:
        return [(name, str(value)) for name, value in message.items()]
    except UNREADABLE:
        return []
