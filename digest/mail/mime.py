"""Mail as bytes: header fields, bodies, and the messages of a segment's recipients."""

import hashlib
import json
import re
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from digest.config import urls
from digest.config.settings import DigestConfig, Settings
from digest.language.addresses import ascii_address
from digest.language.wording import wording_for
from digest.mail.dkim import SegmentSigner, Signer
from digest.mail.tokens import (
    JOIN,
    PLACEHOLDERS,
    Octets,
    Piece,
    Slot,
    Tokens,
    leave_urls,
    mail_domain,
)
from digest.model import Choice, Edition, RenderedMail

# Characters of a line, without its CRLF.
_WISHED = 78  # if it can be folded (RFC 5322 §2.1.1)
_LONGEST = 998  # never more (RFC 5322 §2.1.1)
_ENCODED_LINE = 76  # with an encoded word, or of an encoded body (RFC 2047 §2, RFC 2045 §6.7)
_ENCODED_WORD = 75  # one encoded word (RFC 2047 §2)

_NAME = re.compile(r"[!-9;-~]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_WRAP = "=?utf-8?q??="
ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""What a mail program posts to unsubscribe (RFC 8058 §3.2): a name and a value."""
_PLACES = PLACEHOLDERS.octets()
_PLACE_IN_TEXT = re.compile(f"({'|'.join(PLACEHOLDERS)})")
_PLACE = re.compile(_PLACE_IN_TEXT.pattern.encode("ascii"))
_QP = [
    chr(octet) if (33 <= octet <= 126 and octet != 61) or octet in (9, 32) else f"={octet:02X}"
    for octet in range(256)
]


def header(name: str, text: str) -> bytes:
    """An unstructured field, such as Subject; runs of spaces and tabs become one space.

    Words of printable ASCII are not encoded. From the first other word to the last, everything is,
    with the spaces, so that none is lost.

    Raises:
        ValueError: `text` has a line break or another control character.
    """
    _check(name, text)
    words = [word for word in re.split(r"[ \t]+", text) if word]
    odd = [at for at, word in enumerate(words) if not _is_plain(word)]
    if not odd:
        return _folded(name, words)
    before, after = words[: odd[0]], words[odd[-1] + 1 :]
    used = len(name) + 2
    for at, word in enumerate(before):  # folds as _folded will, to know the rest of the line
        used = used + len(word) + 1 if not at or used + len(word) <= _WISHED else len(word) + 2
    encoded = _encoded_words(" ".join(words[odd[0] : odd[-1] + 1]), used)
    return _folded(name, [*before, *encoded, *after])


def mailbox_header(name: str, mailboxes: Iterable[tuple[str | None, str]]) -> bytes:
    """A field of addresses, such as From: each a display name, or None, and an address.

    Raises:
        ValueError: an address is invalid, or its local part is not ASCII (which needs SMTPUTF8), or
            there is a control character.
    """
    units: list[str] = []
    for display, address in mailboxes:
        _check(name, f"{display or ''}{address}")
        if units:
            units[-1] += ","
        bare = ascii_address(address)
        words = [word for word in re.split(r"[ \t]+", display or "") if word]
        phrase = " ".join(words)
        # Atoms, else a quoted string, else encoded words (RFC 5322 §3.2.5).
        if not all(map(_is_plain, words)):
            words = _encoded_words(phrase, len(name) + 2 if not units else _WISHED)
        elif words and not _ATOMS.fullmatch(phrase):
            words = '"{}"'.format(phrase.replace("\\", "\\\\").replace('"', '\\"')).split(" ")
        units += [*words, f"<{bare}>"] if words else [bare]
    return _folded(name, units)


def raw_header(name: str, *values: str) -> bytes:
    """A structured ASCII field that is never encoded: List-*, Message-ID, Date, MIME fields.

    Several values are separated by commas; lines break at commas and spaces only.

    Raises:
        ValueError: a value is not printable ASCII, or is longer than a line may be.
    """
    for value in values:
        _check(name, value)
        if not value.isascii() or len(value) > _LONGEST - len(name) - 2:
            raise ValueError(f"{name}: {value[:60]!r} must be ASCII, at most {_LONGEST} in a line")
    return _folded(name, ", ".join(values).split(" "))


def _check(name: str, text: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header field")
    if _CONTROL.search(text):
        raise ValueError(f"{name}: a line break or control character in {text[:60]!r}")


def _folded(name: str, units: Iterable[str]) -> bytes:
    """The field with CRLF, folded before a unit that would make the line too long.

    Never right after the name: some readers would see an empty field.
    """
    done: list[str] = []
    line = f"{name}:"
    for unit in units:
        limit = _ENCODED_LINE if "=?" in unit or "=?" in line else _WISHED
        if len(line) + 1 + len(unit) > limit and line != f"{name}:":
            done.append(line)
            line = ""
        line += f" {unit}"
    return ("\r\n".join([*done, line]) + "\r\n").encode("ascii")


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isprintable() and "=?" not in word and len(word) <= _LONGEST // 2


def _encoded_words(text: str, used: int) -> list[str]:
    """`text` as encoded words, none cut inside a character; the first follows `used` characters."""
    binary = sum(sign.isascii() for sign in text) * 3 < len(text) * 2  # Latin is readable in Q
    words: list[str] = []
    limit = _ENCODED_LINE - used if _ENCODED_LINE - used >= len(_WRAP) + 12 else _ENCODED_WORD
    held = ""
    for sign in text:
        grown = held + sign
        payload = -(-len(grown.encode()) // 3) * 4 if binary else len(_q(grown))
        if held and len(_WRAP) + payload > limit:
            words.append(_encoded(held, binary=binary))
            grown, limit = sign, _ENCODED_WORD
        held = grown
    return [*words, _encoded(held, binary=binary)]


def _encoded(text: str, *, binary: bool) -> str:
    if binary:
        return f"=?utf-8?b?{b64encode(text.encode()).decode('ascii')}?="
    return f"=?utf-8?q?{_q(text)}?="


def _q(text: str) -> str:
    """The Q encoding with the few characters that a phrase allows (RFC 2047 §5 (3))."""
    return "".join(
        chr(octet) if octet in _Q_PLAIN else "_" if octet == 32 else f"={octet:02X}"
        for octet in text.encode()
    )


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded text; `transfer` is its Content-Transfer-Encoding."""

    transfer: str
    pieces: tuple[Piece, ...]


def encode_text(text: str) -> Encoded:
    """`text` in UTF-8 as quoted-printable or base64, the shorter of the two, lines ending in CRLF.

    Each placeholder becomes a slot, never broken over two lines.
    """
    lines = text.splitlines()
    coded = "".join(f"{_printable_line(line)}\r\n" for line in lines)
    printable = Encoded("quoted-printable", split_at_places(coded.encode("ascii")))
    binary = Encoded("base64", _base64("".join(f"{line}\r\n" for line in lines).encode()))
    return min(printable, binary, key=lambda one: len(filled(one.pieces, _PLACES)))


def split_at_places(octets: bytes) -> tuple[Piece, ...]:
    """Bytes that need no encoding, with a slot for each placeholder."""
    pieces: list[Piece] = []
    for number, part in enumerate(_PLACE.split(octets)):
        pieces.append(Slot(_PLACES.index(part)) if number % 2 else part)
    return tuple(piece for piece in pieces if piece != b"")


def filled(pieces: Sequence[Piece], tokens: Octets) -> bytes:
    """The finished bytes for these tokens."""
    return b"".join(piece.fill(tokens) if isinstance(piece, Slot) else piece for piece in pieces)


def _printable_line(line: str) -> str:
    """One line with soft breaks. A dot or an F ("From ") at its start is encoded, and a blank at its
    end."""
    text = "".join(map(_QP.__getitem__, line.encode()))
    if text[-1:] in {" ", "\t"}:
        text = f"{text[:-1]}={ord(text[-1]):02X}"
    whole = [found.span() for found in _PLACE_IN_TEXT.finditer(text)]
    done: list[str] = []
    at, most = 0, _ENCODED_LINE - 1
    while True:
        start = ""
        if text[at : at + 1] in {".", "F"}:
            start, at = f"={ord(text[at]):02X}", at + 1
        end = at + most - len(start)
        if end >= len(text):
            return "\r\n".join([*done, start + text[at:]])
        end = next((first for first, last in whole if first < end < last), end)
        end -= 1 if text[end - 1] == "=" else 2 if text[end - 2] == "=" else 0
        done.append(f"{start}{text[at:end]}=")
        at = end


def _base64(octets: bytes) -> tuple[Piece, ...]:
    """Groups of three run through the whole part; a slot has a line of its own."""
    pieces: list[Piece] = []
    at = 0
    while found := _PLACE.search(octets, at):
        place, end = found.span()
        start = place - (place - at) % 3
        stop = min(end + (start - end) % 3, len(octets))
        pieces += [_base64_lines(octets[at:start])]
        purpose = _PLACES.index(found[0])
        pieces += [Slot(purpose, True, octets[start:place], octets[end:stop]), b"\r\n"]
        at = stop
    return (*(piece for piece in pieces if piece != b""), _base64_lines(octets[at:]))


def _base64_lines(octets: bytes) -> bytes:
    width = _ENCODED_LINE // 4 * 3
    return b"".join(
        b64encode(octets[at : at + width]) + b"\r\n" for at in range(0, len(octets), width)
    )


@dataclass(frozen=True, slots=True)
class Body:
    """The finished MIME body of one segment: 7-bit bytes with a slot for each token."""

    content_type: str
    pieces: tuple[Piece, ...]

    @property
    def content(self) -> bytes:
        """The body's bytes with the placeholders in place of tokens."""
        return filled(self.pieces, _PLACES)

    @property
    def places(self) -> int:
        """The number of slots."""
        return sum(isinstance(piece, Slot) for piece in self.pieces)


def build_body(mail: RenderedMail, *, boundary_seed: str) -> Body:
    """multipart/alternative with the text first and the HTML last (RFC 2046 §5.1.4).

    The same mail and seed give the same bytes: ASCII, no line longer than 76 characters.
    """
    # "=_" is never in quoted-printable or base64, so no line can look like the boundary.
    boundary = "=_" + hashlib.sha256(boundary_seed.encode()).hexdigest()[:32]
    pieces: list[Piece] = []
    for subtype, text in (("plain", mail.text), ("html", mail.html)):
        encoded = encode_text(text)
        slots = sum(isinstance(piece, Slot) for piece in encoded.pieces)
        if slots != (wanted := sum(map(text.count, PLACEHOLDERS))):
            raise RuntimeError(f"{wanted} places for a token became {slots} slots")
        opening = (
            f"--{boundary}\r\n"
            f"Content-Type: text/{subtype}; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: {encoded.transfer}\r\n\r\n"
        )
        pieces += [opening.encode("ascii"), *encoded.pieces, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return Body(f'multipart/alternative; boundary="{boundary}"', tuple(_merged(pieces)))


@dataclass(frozen=True, slots=True)
class SegmentMail:
    """The message of a segment, frozen: all of its bytes but recipient, tokens, date and signature.

    `sender` has From and Reply-To, `fields` all from Subject on, with the placeholders, and `pieces`
    the body. Readers see the date in `zone`.
    """

    subject: str
    zone: str
    sender: bytes
    fields: bytes
    pieces: tuple[Piece, ...]

    def to_bytes(self) -> bytes:
        """As it is stored."""
        pieces = [
            piece.decode("ascii")
            if isinstance(piece, bytes)
            else [
                piece.purpose,
                piece.base64,
                piece.before.decode("latin-1"),
                piece.after.decode("latin-1"),
            ]
            for piece in self.pieces
        ]
        fields = self.sender.decode("ascii"), self.fields.decode("ascii")
        return zlib.compress(json.dumps([self.subject, self.zone, *fields, pieces]).encode())

    @classmethod
    def from_bytes(cls, stored: bytes) -> "SegmentMail":
        subject, zone, sender, fields, pieces = json.loads(zlib.decompress(stored))
        return cls(
            subject,
            zone,
            sender.encode("ascii"),
            fields.encode("ascii"),
            tuple(
                one.encode("ascii")
                if isinstance(one, str)
                else Slot(one[0], one[1], one[2].encode("latin-1"), one[3].encode("latin-1"))
                for one in pieces
            ),
        )


def segment_mail(
    settings: Settings, digest: DigestConfig, edition: Edition, choice: Choice, mail: RenderedMail
) -> SegmentMail:
    """Freeze the rendered mail of all recipients with this choice."""
    body = build_body(
        mail,
        boundary_seed="\n".join((edition.hash, choice.language, *choice.languages, *choice.themes)),
    )
    # The same at each try, so that a lost mail can be traced. The hash distinguishes it from an
    # edition of the same number that a restored database lost.
    identity = f"{edition.digest}.{edition.number}.{edition.hash[:8]}.{PLACEHOLDERS.server}"
    title = digest.title.get("en", "")
    named = f'"{title}" ' if title.isascii() and title and not set(title) & set('"\\') else ""
    language = choice.languages[0] if len(choice.languages) == 1 else None
    archive = urls.feed_url(settings, "html", None, language)
    fields = [
        header("Subject", mail.subject),
        raw_header("Message-ID", f"<{identity}@{mail_domain(settings)}>"),
        # RFC 2919 and 2369.
        raw_header("List-Id", f"{named}<{digest.name}.{mail_domain(settings)}>"),
        leave_fields(settings),
        raw_header("List-Archive", f"<{archive}>"),
        feedback_id(settings, f"{digest.name}-{edition.number}", digest.name, "edition"),
        raw_header("Auto-Submitted", "auto-generated"),
        raw_header("MIME-Version", "1.0"),
        raw_header("Content-Language", wording_for(choice.language).language),
        raw_header("Content-Type", body.content_type),
    ]
    zone = settings.digest_zone(digest)
    return SegmentMail(mail.subject, zone, sender_fields(settings), b"".join(fields), body.pieces)


def leave_fields(settings: Settings, token: str = PLACEHOLDERS.reader) -> bytes:
    """How a reader unsubscribes and whom they ask (RFC 2369), in all mail that they subscribed to."""
    desk, page = ascii_address(settings.site.contact), settings.web.public_url
    subscribe = f"mailto:{desk}?subject=subscribe" if page is None else f"{page}{JOIN}"
    fields = [
        raw_header("List-Unsubscribe", *(f"<{url}>" for url in leave_urls(settings, token))),
        # RFC 8058 §3.1: only where a page answers the POST.
        raw_header("List-Unsubscribe-Post", "=".join(ONE_CLICK)) if page else b"",
        raw_header("List-Help", f"<mailto:{desk}?subject=help>"),
        raw_header("List-Subscribe", f"<{subscribe}>"),
        raw_header("List-Owner", f"<mailto:{desk}>"),
        raw_header("List-Post", "NO"),
    ]
    return b"".join(fields)


def feedback_id(settings: Settings, campaign: str, group: str, kind: str) -> bytes:
    """By which Gmail counts complaints for its senders, whose id has 5 to 15 characters; nothing in it is
    about a reader. It counts only under our DKIM signature."""
    sender = re.sub(r"[^a-z0-9]", "", mail_domain(settings))[:15].ljust(5, "0")
    return raw_header("Feedback-ID", f"{campaign}:{group}:{kind}:{sender}")


class MessageMaker:
    """Makes the messages of one segment. `date` is aware; readers see it in the digest's zone.

    With a `signer` each message starts with its DKIM signatures, dated like the mail, so that it has
    the same bytes at each try.
    """

    def __init__(self, frozen: SegmentMail, date: datetime, signer: Signer | None = None) -> None:
        if date.tzinfo is None:
            raise ValueError("the date of a message needs a time zone")
        dated = raw_header("Date", format_datetime(date.astimezone(ZoneInfo(frozen.zone))))
        self._sender = frozen.sender
        self._fields = split_at_places(dated + frozen.fields)
        self._after = tuple(_merged([*self._fields, b"\r\n", *frozen.pieces]))
        self._date = date
        self._signer = None if signer is None else SegmentSigner(signer, frozen.pieces)
        # The messages differ only by words without dots and line ends, so one check covers all.
        sample = self._sender + filled(self._after, _PLACES)
        pairs = sample.count(b"\r\n")
        crlf = sample.count(b"\n") == pairs == sample.count(b"\r") and sample.endswith(b"\r\n")
        if not crlf or not sample.isascii() or b"\r\n." in sample:
            raise RuntimeError("a message is not 7-bit lines in CRLF, none beginning with a dot")

    def make(self, address: str, name: str | None, tokens: Tokens) -> bytes:
        """The complete message for one recipient, as it is sent.

        Raises:
            ValueError: the address or the name is not valid in a header, or a token is invalid.
        """
        octets = tokens.octets()
        to = mailbox_header("To", [(name, address)])
        message = b"".join((self._sender, to, filled(self._after, octets)))
        if self._signer is None:
            return message
        headers = b"".join((self._sender, to, filled(self._fields, octets)))
        return self._signer.sign(headers, octets, self._date) + message


def sender_fields(settings: Settings) -> bytes:
    """From and Reply-To, the same in all our mail."""
    mail, site = settings.mail, settings.site
    sender = mailbox_header("From", [(mail.from_name or site.title, mail.from_address)])
    return sender + mailbox_header("Reply-To", [(None, mail.reply_to or site.contact)])


def _merged(pieces: list[Piece]) -> Iterator[Piece]:
    """The pieces with neighbouring bytes joined, so that a message is assembled in few steps."""
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, Slot):
            yield b"".join(held)
            held = []
            yield piece
        else:
            held.append(piece)
    yield b"".join(held)
