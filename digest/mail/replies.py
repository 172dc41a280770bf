"""Mail to our return addresses that is no report: people leaving, and machines that answer."""

import re
from email.message import Message

from digest.mail.parts import address, field_groups, header, headers, kind, parts

_ARRIVED = (
    *("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"),
    *("X-Delivered-To", "X-Forwarded-To", "Resent-To"),
)
_ANSWERING = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Response")
_SYSTEM = re.compile(
    r"(?<![\w.+-])(mailer[-_.]?daemon|postmaster|mail[-_.]?daemon|maildelivery)\b"
    r"|mail delivery (sub-?)?system|mail(er)? system",
    re.IGNORECASE,
)
_SEEN = re.compile(r";\s*(displayed|dispatched|processed)", re.IGNORECASE)
_AWAY = re.compile(
    r"""^\W*+(?:(?:re|aw|antw|sv|на)\s*+:\s*+)*+\W*+(?:
      auto(?:matic|matische?|mated)?[\s:_-]*(?:repl|respon|answer|antwort)
    | auto\s*:
    | out\s+of\s+(?:the\s+)?office | ooo\b | (?:on\s+)?(?:vacation|annual\s+leave|holiday)\b
    | away\s+from | i\s+am\s+(?:away|on\s+leave|out\b)
    | abwesen | im\s+urlaub | nicht\s+im\s+(?:b(?:ü|ue)ro|haus) | urlaubs
    | авто(?:матический\s+)?[\s-]*ответ | (?:я\s+)?(?:в|нахожусь\s+в)\s+(?:отпуске|командировке)
    | отсутств | нет\s+на\s+(?:месте|работе) | вне\s+офиса
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def arrived_at(message: Message) -> list[str]:
    """Where a mail was sent to, as far as its headers tell; the envelope's own fields last."""
    return headers(message, *_ARRIVED)


def is_to(arrived: list[str], plain: str) -> bool:
    """Whether a mail came to the address `plain`, with a token or without."""
    local, _, domain = plain.partition("@")
    pattern = re.compile(
        rf"(?<![\w.+=-]){re.escape(local)}(?:\+[^@\s<>,;]*)?@{re.escape(domain)}(?![\w-]|\.\w)",
        re.IGNORECASE,
    )
    return any(pattern.search(value) for value in arrived)


def sender(message: Message) -> str | None:
    """The address in From."""
    return address(header(message, "From"))


def is_from_system(message: Message) -> bool:
    """Whether a mail system itself speaks; what it calls an automatic reply may be a bounce."""
    if header(message, "X-Failed-Recipients"):
        return True
    if "rejected" in header(message, "Auto-Submitted").lower():  # what Sieve's reject writes
        return True
    return bool(_SYSTEM.search(header(message, "From")))


def is_vacation(message: Message) -> bool:
    """Whether a mail answers by itself for a person who is away (RFC 3834 §2, and older habits).

    Only for mail that is not from a mail system.
    """
    if header(message, "X-Apple-Action").upper() == "VACATION":
        return True
    if header(message, "Auto-Submitted").lower().startswith("auto-replied"):
        return True
    if header(message, "Precedence").lower() in {"auto_reply", "auto-reply"}:
        return True
    if any(found.lower() not in {"", "no"} for found in headers(message, *_ANSWERING)):
        return True
    return bool(_AWAY.search(header(message, "Subject"))) or _is_receipt(message)


def _is_receipt(message: Message) -> bool:
    """Whether a mail program tells that our mail was seen (RFC 8098 §3.2.6)."""
    return any(
        _SEEN.search(fields.get("disposition", ""))
        for part in parts(message)
        if kind(part) == "message/disposition-notification"
        for fields in field_groups(part)
    )
