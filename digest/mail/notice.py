"""Mail to the newsroom's own people, operators and editors, as bytes: no token, nothing to leave."""

from datetime import datetime
from email.utils import format_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest.config.settings import Settings
from digest.mail.encoding import encode_text, filled
from digest.mail.headers import ascii_address, header, mailbox_header, raw_header
from digest.mail.message import build_body
from digest.mail.tokens import BOUNCES
from digest.model import RenderedMail

if TYPE_CHECKING:
    from digest.mail.dkim import Signer


def notice_message(
    settings: Settings,
    mail: RenderedMail,
    *,
    name: str,
    address: str,
    date: datetime,
    zone: str,
    signer: "Signer | None",
) -> bytes:
    """The whole message for one address: the same arguments, the same bytes.

    `name` is what it is about, for ever, such as "alarm.12.begun": its Message-ID follows from it
    and the address. A mail without HTML is plain text. `date` is shown in `zone`.

    Raises:
        ValueError: the address cannot stand in a header.
    """
    identity = message_id(settings, name, address)
    kind, content = _body(mail, identity)
    sender = settings.mail.from_name or settings.site.title
    reply_to = settings.mail.reply_to or settings.site.contact
    fields = [
        mailbox_header("From", [(sender, settings.mail.from_address)]),
        mailbox_header("Reply-To", [(None, reply_to)]),
        mailbox_header("To", [(None, address)]),
        header("Subject", mail.subject),
        raw_header("Date", format_datetime(date.astimezone(ZoneInfo(zone)))),
        raw_header("Message-ID", identity),
        raw_header("Auto-Submitted", "auto-generated"),
        raw_header("MIME-Version", "1.0"),
        raw_header("Content-Language", "en"),
        *kind,
    ]
    message = b"".join(fields) + b"\r\n" + content
    return message if signer is None else signer.sign(message, date) + message


def _body(mail: RenderedMail, seed: str) -> tuple[list[bytes], bytes]:
    """The fields that announce a body, and its bytes."""
    if mail.html:
        body = build_body(mail, boundary_seed=seed)
        return [raw_header("Content-Type", body.content_type)], body.content
    encoded = encode_text(mail.text)
    fields = [
        raw_header("Content-Type", "text/plain; charset=utf-8"),
        raw_header("Content-Transfer-Encoding", encoded.transfer),
    ]
    return fields, filled(encoded.pieces, b"")


def message_id(settings: Settings, name: str, address: str) -> str:
    """`<alarm.12.begun.HASH@news.example.org>`: the same at each try, so that who gets it twice can
    tell."""
    return f"<{name}.{_mark(address)}@{_domain(settings)}>"


def notice_sender(settings: Settings, name: str) -> str:
    """The envelope sender: it names the mail, and a report to it goes where the others go."""
    return f"{BOUNCES}+{name.replace('.', '-')}@{_domain(settings)}"


def _mark(address: str) -> str:
    return blake2b(address.encode(), digest_size=6).hexdigest()


def _domain(settings: Settings) -> str:
    return ascii_address(settings.mail.from_address).rpartition("@")[2]
