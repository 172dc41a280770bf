"""Reads returned mail: a bounce, a complaint, an automatic reply, a wish to unsubscribe."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.message import Message
from enum import StrEnum
from itertools import islice

from digest.language.text import foreign
from digest.mail import messages
from digest.mail.tokens import DeliveryKey, find_tokens, read_token


class ReturnKind(StrEnum):
    """What a returned mail means for the recipient."""

    HARD = "hard"  # the address is dead
    SOFT = "soft"  # it could not be reached this time: full, or no answer before the server gave up
    POLICY = "policy"  # the mail was refused, not the address: spam filter, size, our sender
    DELAYED = "delayed"  # still being tried; no bounce
    DELIVERED = "delivered"  # it arrived, or was passed on; no bounce
    COMPLAINT = "complaint"  # the recipient called it abuse
    LEAVE = "leave"  # a mail to the address for unsubscribing
    VACATION = "vacation"  # an automatic reply; no bounce
    UNKNOWN = "unknown"  # not readable by us; a person must look


class FoundBy(StrEnum):
    """How the recipient is known, strongest first; the first three cannot be guessed."""

    VERP = "verp"  # the token in the address that the report was sent to
    ENVELOPE = "envelope"  # the token in what the report says about our envelope
    MESSAGE_ID = "message-id"  # the token in the enclosed message
    RECIPIENT = "recipient"  # the address in a report's own field (RFC 3464, RFC 5965)
    TEXT = "text"  # an address that flufl.bounce read from the text
    SENDER = "sender"  # From of a mail to the plain address for unsubscribing


@dataclass(frozen=True, slots=True)
class ReturnAddresses:
    """The address for unsubscribing, without a token, and the token keys, newest first."""

    leave: str
    keys: Sequence[bytes]

    def named_in(self, text: str) -> DeliveryKey | None:
        """The delivery that the last token of ours in `text` names: an abuse report's own fields
        come before those of the mail that it is about."""
        for token in dict.fromkeys(reversed(find_tokens(text))):
            if named := read_token(self.keys, token):
                return named
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a report says about one address. `status` is an enhanced code such as 5.1.1 (RFC 3463).

    `original` is the address that we wrote to, if the report has it; `final` is the one that the mail
    was forwarded to.
    """

    kind: ReturnKind
    original: str | None = None
    final: str | None = None
    status: str | None = None
    diagnostic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedMail:
    """What one returned mail means.

    `delivery` is named by a token, checked with our keys. `addresses` are those that `kind` is about,
    first the ones that we wrote to; without a token anybody may have written them. `message_id` is
    that of our message, with angle brackets. `status` and `diagnostic` belong to the failure that
    decided `kind`. `sender` is the address in From.
    """

    kind: ReturnKind
    found_by: FoundBy | None = None
    delivery: DeliveryKey | None = None
    addresses: tuple[str, ...] = ()
    message_id: str | None = None
    status: str | None = None
    diagnostic: str = ""
    failures: tuple[Failure, ...] = ()
    sender: str | None = None


LARGEST_READ = 512 * 1024
"""Bytes of a mail that are read; a report comes before the mail that it encloses."""

# Each detector of flufl.bounce reads every part and tries its patterns at each character of a line,
# so bytes, parts and the length of a line (RFC 5322 §2.1.1) are limited.
_LARGEST_WORDED = 128 * 1024
_MOST_WORDED = 200
_LONG_LINES = re.compile(rb"([^\n]{998})[^\n]+")

_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_MACHINE_READABLE = _STATUS_PARTS | {"message/feedback-report"}
_COPY_STARTS = re.compile(r"^>?[ \t]*(?:Return-Path|Received|DKIM-Signature)[ \t]*:", re.I | re.M)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,400}@[^<>\s]{1,255}>")

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

_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?<![\w.-])([45]\d\d)(?=[ \t-])")

# RFC 3463 and its registry: codes whose class 5 does not mean that the address is dead.
_SOFT = frozenset({"5.2.2", "5.3.1", "5.4.5", "5.4.6", "5.4.7", "5.4.14"})
_OUR_MAIL = frozenset({"5.1.7", "5.1.8", "5.2.3", "5.3.4"})

# RFC 7293: another person or firm has the address now; the registry's 5.7.13: account disabled.
_GONE = frozenset({"5.7.13", "5.7.17", "5.7.18"})

_FULL = re.compile(
    r"quota|mail ?box (is |was )?(too )?full|full mail ?box|mail ?box size|storage (space|limit)"
    r"|insufficient (system )?(storage|disk)|disk full|переполнен|postfach (ist )?voll",
    re.IGNORECASE,
)

_NOBODY = re.compile(
    r"(user|recipient|mail ?box|account|address|addressee)s?( name)?( is| was|:)?( currently)?"
    r" (unknown|invalid|inactive|disabled|suspended|not (found|known|listed|valid)|unavailable)"
    r"|(unknown|invalid|illegal|inactive|no such|bad) (local |virtual )?"
    r"(user|recipient|mail ?box|account|address|person|alias|domain)"
    r"|does(n.t| not) (exist|have an?)|not? (longer|a) (valid|active|exist|accepted)|not our customer"
    r"|(host|domain)( name)? (unknown|not found)|unrout(e)?able|null mx"
    r"|нет такого|не существует|не найден|unbekannt",
    re.IGNORECASE,
)

_UNREACHED = re.compile(
    r"too many hops|\bloop(s|ing|ed)?\b|timed? ?out|time-?out|retry time|connection refused"
    r"|temporar(y|ily)",
    re.IGNORECASE,
)

_UNWANTED = re.compile(
    r"not accepting (e-?)?(mail|messages?) from|spam|polic(y|ies)|blocked|block ?list|black ?list"
    r"|reputation|\brbl\b|\bdnsbl\b"
    r"|\bspf\b|\bdkim\b|\bdmarc\b|content (rejected|filter)|virus|relay(ing)? (access )?denied"
    r"|not (permitted|allowed|authori[sz]ed)|message (size|too large|rejected)|unsolicited|junk",
    re.IGNORECASE,
)


def read_report(raw: bytes, ours: ReturnAddresses) -> ReturnedMail:
    """The meaning of `raw`, one mail as it arrived, and its recipient. Any bytes give an answer."""
    raw = raw[:LARGEST_READ]
    message = report = messages.parse(raw)
    arrived = messages.headers(message, *_ARRIVED)
    if not any(messages.kind(part) in _MACHINE_READABLE for part in messages.parts(message)):
        for inner in messages.enclosed(message):  # a gateway may have enclosed the report in a note
            if messages.kind(inner) == "multipart/report":
                report = inner
                arrived += messages.headers(report, *_ARRIVED)
                break
    enclosed = messages.enclosed(report)
    # The last Message-ID: RFC 5965 puts our mail last.
    ids = [_MESSAGE_ID.search(messages.header(inner, "Message-ID")) for inner in enclosed]
    returned = replace(
        _complaint(report)
        or _status_report(report)
        or _answer(message, arrived, ours)
        or _by_words(raw[:_LARGEST_WORDED]),
        message_id=next((found[0] for found in reversed(ids) if found), None),
        sender=messages.address(messages.header(message, "From")),
    )
    places = [(FoundBy.VERP, "\n".join(arrived))]
    # A mail to unsubscribe may quote a mail that somebody forwarded: its tokens end no subscription.
    if returned.kind is not ReturnKind.LEAVE:
        envelope: list[str] = []  # what the report says about the envelope that we sent
        for part in messages.parts(report):
            if messages.kind(part) in _MACHINE_READABLE:
                for fields in messages.field_groups(part):
                    envelope += fields.values()
        for inner in enclosed:
            envelope += messages.headers(inner, "Return-Path")
        places += [
            (FoundBy.ENVELOPE, "\n".join(envelope)),
            (FoundBy.MESSAGE_ID, returned.message_id or ""),
            (FoundBy.MESSAGE_ID, raw.decode("latin-1")),
        ]
    for found_by, text in places:
        if delivery := ours.named_in(text):
            return replace(returned, found_by=found_by, delivery=delivery)
    if returned.found_by is None and returned.addresses:
        return replace(returned, found_by=FoundBy.RECIPIENT)
    if returned.kind is ReturnKind.LEAVE and returned.sender:
        return replace(returned, found_by=FoundBy.SENDER, addresses=(returned.sender,))
    return returned


def _complaint(message: Message) -> ReturnedMail | None:
    """An abuse report. Other feedback, such as not-spam, is no complaint (RFC 5965 §7.3)."""
    for part in messages.parts(message):
        if messages.kind(part) != "message/feedback-report":
            continue
        fields = next(iter(messages.field_groups(part)), {})
        kind = fields.get("feedback-type", "").lower()
        named = (fields.get("original-rcpt-to", ""), fields.get("removal-recipient", ""))
        return ReturnedMail(
            kind=ReturnKind.COMPLAINT if kind == "abuse" else ReturnKind.UNKNOWN,
            addresses=tuple(dict.fromkeys(filter(None, map(messages.address, named)))),
            diagnostic=f"feedback {kind or 'of no type'}: {fields.get('user-agent', '')}"[:1000],
        )
    return None


def _status_report(message: Message) -> ReturnedMail | None:
    """A delivery status notification that names an address, else None.

    We write to one address at a time, so several failures are about addresses that it was forwarded
    to. The worst decides; but if one of them still got the mail, ours is alive: HARD counts as SOFT.
    """
    failures: list[Failure] = []
    words = ""
    for part in messages.parts(message):
        if messages.kind(part) in _STATUS_PARTS:
            failures += filter(None, map(_failure, messages.field_groups(part)))
        elif not words and not failures and messages.kind(part) == "text/plain":
            words = messages.text(part)
    if not failures:
        return None
    if len(failures) == 1 and not failures[0].diagnostic:
        [one] = failures  # Exim writes a diagnosis only into the text for people
        about = one.final or one.original
        _, found, after = words.partition(about) if about else ("", "", "")
        if found and one.kind in {ReturnKind.HARD, ReturnKind.SOFT, ReturnKind.POLICY}:
            diagnostic = " ".join(after.split("\n\n")[0].split()).lstrip(">:)] ")[:1000]
            status = best_status(one.status or "", diagnostic)
            kind = _failed(status, diagnostic)
            failures = [replace(one, kind=kind, status=status, diagnostic=diagnostic)]
    worst = min(failures, key=lambda one: list(ReturnKind).index(one.kind))
    alive = any(one.kind in {ReturnKind.DELIVERED, ReturnKind.DELAYED} for one in failures)
    alike = [one for one in failures if one.kind is worst.kind]
    addresses = [one.original for one in alike] + [one.final for one in alike if not one.original]
    return ReturnedMail(
        kind=ReturnKind.SOFT if alive and worst.kind is ReturnKind.HARD else worst.kind,
        addresses=tuple(dict.fromkeys(filter(None, addresses))),
        status=worst.status,
        diagnostic=worst.diagnostic,
        failures=tuple(failures),
    )


def _failure(fields: messages.Fields) -> Failure | None:
    """One group of a report's fields (RFC 3464 §2.3); None for a group about no address."""
    original = messages.address(_typed(fields.get("original-recipient", "")))
    named = fields.get("final-recipient", fields.get("x-actual-recipient", ""))
    final = messages.address(_typed(named))
    action = fields.get("action", "").lower()
    if not (original or final or action):
        return None
    diagnostic = _typed(fields.get("diagnostic-code", ""))[:1000]
    status = best_status(fields.get("status", ""), diagnostic)
    return Failure(
        kind=kind_of(action, status, diagnostic),
        original=original,
        final=final,
        status=status,
        diagnostic=diagnostic,
    )


def _typed(value: str) -> str:
    """A field's value without its type: `smtp; 550 no` gives `550 no` (RFC 3464 §2.1.2)."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and kind.strip().replace("-", "").isalnum() else value.strip()


def _answer(message: Message, arrived: list[str], ours: ReturnAddresses) -> ReturnedMail | None:
    """A wish to unsubscribe, or a mail program's automatic reply (RFC 3834 §2, and older habits).

    None for a mail system: its automatic reply may be a bounce.
    """
    automatic = messages.header(message, "Auto-Submitted").lower()
    if (
        messages.header(message, "X-Failed-Recipients")
        or "rejected" in automatic  # what Sieve's reject writes
        or _SYSTEM.search(messages.header(message, "From"))
    ):
        return None
    local, _, domain = ours.leave.partition("@")
    leave = re.compile(  # with a token or without
        rf"(?<![\w.+=-]){re.escape(local)}(?:\+[^@\s<>,;]*)?@{re.escape(domain)}(?![\w-]|\.\w)",
        re.IGNORECASE,
    )
    if any(leave.search(value) for value in arrived):
        return ReturnedMail(kind=ReturnKind.LEAVE)
    if (
        messages.header(message, "X-Apple-Action").upper() == "VACATION"
        or automatic.startswith("auto-replied")
        or messages.header(message, "Precedence").lower() in {"auto_reply", "auto-reply"}
        or any(one.lower() not in {"", "no"} for one in messages.headers(message, *_ANSWERING))
        or _AWAY.search(messages.header(message, "Subject"))
        or any(
            _SEEN.search(fields.get("disposition", ""))
            for part in messages.parts(message)
            if messages.kind(part) == "message/disposition-notification"
            for fields in messages.field_groups(part)
        )
    ):
        return ReturnedMail(kind=ReturnKind.VACATION)
    return None


def _by_words(raw: bytes) -> ReturnedMail:
    """A bounce written for people, as far as flufl.bounce knows its form."""
    from flufl.bounce import all_failures

    message = messages.parse(_LONG_LINES.sub(rb"\1", raw))
    if next(islice(message.walk(), _MOST_WORDED, None), None) is not None:
        return ReturnedMail(kind=ReturnKind.UNKNOWN)

    # When one of its detectors fails on a strange mail, the others go on; it would log the trace,
    # with the content of the mail.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    try:
        temporary, permanent = all_failures(message)
    except messages.UNREADABLE:
        return ReturnedMail(kind=ReturnKind.UNKNOWN)
    found = sorted(permanent) or sorted(temporary)
    if not found:
        return ReturnedMail(kind=ReturnKind.UNKNOWN)
    words = ""  # of the mail system, without the copy of our mail below
    for part in messages.parts(message):
        if messages.kind(part) in {"text/plain", "text/html"}:
            words = messages.text(part)
            if copy := _COPY_STARTS.search(words):
                words = words[: copy.start()]
            break
    status = _status_in(words)
    return ReturnedMail(
        # Its temporary failures are warnings: the mail is still being tried.
        kind=_failed(status, words) if permanent else ReturnKind.DELAYED,
        found_by=FoundBy.TEXT,
        addresses=tuple(map(foreign, found)),
        status=status,
        diagnostic=" ".join(words.split())[:1000],
    )


def kind_of(action: str, status: str | None, diagnostic: str) -> ReturnKind:
    """The meaning of an action, a status and a diagnosis together.

    Only `failed` is a failure (RFC 3464 §2.3.3), or its spellings by systems that break the standard.
    Its class 4 means that the server gave up.
    """
    if action.startswith("delayed"):
        return ReturnKind.DELAYED
    if action.startswith(("delivered", "relayed", "expanded")):
        return ReturnKind.DELIVERED
    if action.startswith(("fail", "error")):
        return _failed(status, diagnostic)
    if status is None:
        return ReturnKind.UNKNOWN
    # Without an action only a class 5 says that nothing more will come.
    return ReturnKind.DELAYED if status[0] == "4" else _failed(status, diagnostic)


def _failed(status: str | None, diagnostic: str) -> ReturnKind:
    """HARD, SOFT or POLICY for a final failure.

    A full mailbox is SOFT whatever its code. For a code without detail (5.0.0) the words decide, then
    the reply code beside it: 554 refuses the mail, not the address.
    """
    if status in _SOFT or _FULL.search(diagnostic):
        return ReturnKind.SOFT
    if status is not None and not _vague(status):
        if status[0] == "4":
            return ReturnKind.SOFT
        if status in _OUR_MAIL or (status[:4] in {"5.7.", "5.6."} and status not in _GONE):
            return ReturnKind.POLICY
        return ReturnKind.HARD
    if _NOBODY.search(diagnostic):
        return ReturnKind.HARD
    if _UNREACHED.search(diagnostic):
        return ReturnKind.SOFT
    if _UNWANTED.search(diagnostic):
        return ReturnKind.POLICY
    reply = _REPLY.search(diagnostic)
    if reply and reply[1] == "554":
        return ReturnKind.POLICY
    soft = status[0] == "4" if status else bool(reply and reply[1][0] == "4")
    return ReturnKind.SOFT if soft else ReturnKind.HARD


def best_status(status: str, diagnostic: str) -> str | None:
    """The report's own code, unless only the one quoted from the server's answer has a detail: Exim
    and others write 5.0.0 for everything."""
    own, quoted = _status_in(status), _status_in(diagnostic)
    if own is None or (quoted is not None and _vague(own) and not _vague(quoted)):
        return quoted or own
    return own


def _status_in(text: str) -> str | None:
    """The first enhanced code of a failure in a text, without leading zeros; not an IP address."""
    found = _ENHANCED.search(text)
    return ".".join(str(int(number)) for number in found.groups()) if found else None


def _vague(status: str) -> bool:
    return status.endswith(".0.0")
