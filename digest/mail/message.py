"""A segment's mail as bytes, and from them each recipient's own message, without encoding again.

Everything that a segment shares is encoded once. A recipient's message differs by the To field and
by the token: in Message-ID, in List-Unsubscribe and in the links of the footer.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest import links
from digest.config.settings import DigestConfig, Settings
from digest.language.wording import wording_for
from digest.mail.encoding import Encoded, Piece, Slot, encode_text, filled, split_at_places
from digest.mail.headers import ascii_address, header, mailbox_header, raw_header
from digest.mail.tokens import check_token, leave_url
from digest.mail.verp import PLACEHOLDER
from digest.model import Choice, Edition, RenderedMail

if TYPE_CHECKING:
    from digest.mail.dkim import Signer


@dataclass(frozen=True, slots=True)
class Body:
    """The finished MIME body of one segment; `content_type` is the field value that announces it.

    `pieces` are 7-bit bytes with a slot for each token.
    """

    content_type: str
    pieces: tuple[Piece, ...]

    @property
    def content(self) -> bytes:
        """The body's bytes with the placeholder in place of a token."""
        return filled(self.pieces, PLACEHOLDER.encode("ascii"))

    @property
    def places(self) -> int:
        """How often a token stands in the body."""
        return sum(isinstance(piece, Slot) for piece in self.pieces)


def build_body(mail: RenderedMail, *, boundary_seed: str) -> Body:
    """multipart/alternative with the text first and the HTML last (RFC 2046 §5.1.4).

    The same mail and seed give the same bytes. No line passes 76 characters, all are ASCII.
    """
    # "=_" stands neither in quoted-printable nor in base64, so no line can look like the boundary.
    boundary = "=_" + hashlib.sha256(boundary_seed.encode()).hexdigest()[:32]
    pieces: list[Piece] = []
    for subtype, text in (("plain", mail.text), ("html", mail.html)):
        encoded = encode_text(text)
        _check_places(text, encoded)
        opening = (
            f"--{boundary}\r\n"
            f"Content-Type: text/{subtype}; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: {encoded.transfer}\r\n\r\n"
        )
        pieces += [opening.encode("ascii"), *encoded.pieces, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return Body(f'multipart/alternative; boundary="{boundary}"', tuple(_merged(pieces)))


class MessageMaker:
    """Makes the messages of one segment. `date` is aware; readers see it in the digest's zone.

    With a `signer` each message begins with its DKIM signatures, dated like the mail itself, so that
    the same message has the same bytes each time.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        digest: DigestConfig,
        edition: Edition,
        choice: Choice,
        mail: RenderedMail,
        date: datetime,
        signer: "Signer | None" = None,
    ) -> None:
        seed = "\n".join((edition.hash, choice.language, *choice.languages, *choice.themes))
        body = build_body(mail, boundary_seed=seed)
        sender = settings.mail.from_name or settings.site.title
        self._before = mailbox_header("From", [(sender, settings.mail.from_address)])
        reply_to = settings.mail.reply_to or settings.site.contact
        self._before += mailbox_header("Reply-To", [(None, reply_to)])
        fields = [
            header("Subject", mail.subject),
            raw_header("Date", format_datetime(_local(date, settings, digest))),
            raw_header("Message-ID", message_id(settings, edition, PLACEHOLDER)),
            *_list_fields(settings, digest, choice),
            raw_header("Auto-Submitted", "auto-generated"),
            raw_header("MIME-Version", "1.0"),
            raw_header("Content-Language", wording_for(choice.language).language),
            raw_header("Content-Type", body.content_type),
        ]
        self._fields = tuple(split_at_places(b"".join(fields)))
        self._after = tuple(_merged([*self._fields, b"\r\n", *body.pieces]))
        self._date = date
        self._signer = None
        if signer is not None:
            self._signer = signer.segment_of(body.pieces)
        self.body = body
        _check_wire_ready(self._before + filled(self._after, PLACEHOLDER.encode("ascii")))

    def make(self, address: str, name: str | None, token: str) -> bytes:
        """The whole message for one recipient, as it is sent.

        Raises:
            ValueError: the address or the name cannot stand in a header, or `token` is no token.
        """
        octets = check_token(token).encode("ascii")
        to = mailbox_header("To", [(name, address)])
        message = b"".join((self._before, to, filled(self._after, octets)))
        if self._signer is None:
            return message
        headers = b"".join((self._before, to, filled(self._fields, octets)))
        return self._signer.sign(headers, octets, self._date) + message


def message_id(settings: Settings, edition: Edition, token: str) -> str:
    """`<weekly.12.1a2b3c4d.TOKEN@news.example.org>`: the same at each try, so that a lost one can be
    traced. The hash tells it from an edition of the same number that a restored database forgot.
    """
    name = f"{edition.digest}.{edition.number}.{edition.hash[:8]}"
    return f"<{name}.{token}@{_domain(settings)}>"


def _list_fields(settings: Settings, digest: DigestConfig, choice: Choice) -> Iterator[bytes]:
    """RFC 2919 and RFC 2369, one field of each.

    List-Unsubscribe is a mail alone: without a page that answers a POST there must be no
    List-Unsubscribe-Post (RFC 8058 §3.1).
    """
    title = digest.title.get("en", "")
    named = f'"{title}" ' if title.isascii() and title and not set(title) & set('"\\') else ""
    language = choice.languages[0] if len(choice.languages) == 1 else None
    archive = links.feed_url(settings, "html", None, language)
    contact = ascii_address(settings.site.contact)
    yield raw_header("List-Id", f"{named}<{digest.name}.{_domain(settings)}>")
    yield raw_header("List-Unsubscribe", f"<{leave_url(settings)}>")
    yield raw_header("List-Archive", f"<{archive}>")
    yield raw_header("List-Help", f"<mailto:{contact}?subject=help>")


def _domain(settings: Settings) -> str:
    return ascii_address(settings.mail.from_address).rpartition("@")[2]


def _local(date: datetime, settings: Settings, digest: DigestConfig) -> datetime:
    if date.tzinfo is None:
        raise ValueError("the date of a message must know its zone")
    return date.astimezone(ZoneInfo(settings.digest_zone(digest)))


def _check_places(text: str, encoded: Encoded) -> None:
    """Every token of `text` has its slot, and none was encoded out of reach."""
    slots = sum(isinstance(piece, Slot) for piece in encoded.pieces)
    if slots != text.count(PLACEHOLDER):
        raise RuntimeError(f"{text.count(PLACEHOLDER)} places for a token became {slots} slots")


def _check_wire_ready(message: bytes) -> None:
    """A segment's messages differ by words without dots and line ends, so one stands for all."""
    pairs = message.count(b"\r\n")
    whole = message.count(b"\n") == pairs == message.count(b"\r") and message.endswith(b"\r\n")
    if not whole or not message.isascii() or b"\r\n." in message:
        raise RuntimeError("a message is not 7-bit lines in CRLF of which none begins with a dot")


def _merged(pieces: list[Piece]) -> Iterator[Piece]:
    """The pieces with neighbouring bytes joined, so that a message is put together in few steps."""
    held: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, Slot):
            yield b"".join(held)
            held = []
            yield piece
        else:
            held.append(piece)
    yield b"".join(held)
