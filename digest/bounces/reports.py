"""Reads returned mail: a bounce, a complaint, an automatic reply, a wish to unsubscribe."""

import json
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from email.message import Message
from enum import StrEnum
from functools import cache
from typing import Any

from digest.errors import RecipientError
from digest.language.addresses import check_address
from digest.language.text import either, foreign, word_lists
from digest.mail import messages
from digest.mail.refusals import NO_REASON, judge, names_return_path
from digest.mail.tokens import BOUNCES, DeliveryKey, Purpose, find_tokens, read_token


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
    SIGNATURE = "signature"  # our own valid signature of the enclosed mail
    SENDER = "sender"  # From of a mail to the plain address for unsubscribing


@dataclass(frozen=True, slots=True)
class ReturnAddresses:
    """The address for unsubscribing, without a token; the token keys, newest first; and our From."""

    leave: str
    keys: Sequence[bytes]
    sender: str = ""

    def is_about_us(self, diagnostic: str) -> bool:
        """Whether a refusal names the address that we send from."""
        domain = self.sender.rpartition("@")[2]
        ours = (self.sender, f"{BOUNCES}@{domain}") if domain else ()
        return names_return_path(diagnostic) or any(
            one.lower() in diagnostic.lower() for one in ours
        )

    def named_in(self, text: str) -> DeliveryKey | None:
        """The delivery that the last token of ours in `text` names: an abuse report's own fields come
        before those of the mail that it is about. Either kind of token will do: whoever can forge a
        bounce by the one that mail servers see gains nothing by a mail to unsubscribe."""
        for token in dict.fromkeys(reversed(find_tokens(text))):
            for purpose in (Purpose.SERVER, Purpose.READER, Purpose.CHOICE):
                if named := read_token(self.keys, token, purpose):
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
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedMail:
    """What one returned mail means.

    `delivery` is named by a token, checked with our keys. `addresses` are those that `kind` is about,
    first the ones that we wrote to; without a token anybody may have written them. `message_id` is
    that of our message, with angle brackets. `status`, `diagnostic` and `because`, which says in a few
    words what decided, belong to the failure that decided `kind`. `sender` is the address in From.
    `enclosed` is the mail that came back with it, if it is complete, with CRLF as the line end.
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
    because: str = ""
    enclosed: bytes | None = None


LARGEST_READ = 512 * 1024
"""Bytes of a mail that are read; a report comes before the mail that it encloses."""

# Each detector of flufl.bounce reads every part and tries its patterns at each character of a line,
# so bytes, lines and their length (RFC 5322 §2.1.1) are limited.
_LARGEST_WORDED = 64 * 1024
_MOST_LINES = 1500
_MOST_NAMED = 20
_MOST_SEARCHED = 4000
_LONG_LINES = re.compile(rb"([^\n]{998})[^\n]+")

_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_MACHINE_READABLE = _STATUS_PARTS | {"message/feedback-report"}
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,400}@[^<>\s]{1,255}>")

_ARRIVED = (
    *("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"),
    *("X-Delivered-To", "X-Forwarded-To", "Resent-To"),
)

_ANSWERING = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Response")


@cache
def _letter(name: str) -> re.Pattern[str]:
    tables = word_lists("bounces/letters.toml")
    start = "".join(tables["starts"].get(name, ()))
    return re.compile(start + either(tables["letters"][name]), re.IGNORECASE | re.MULTILINE)


_CODED = re.compile(r"^(?:[^\n]{0,60}?(?:<<<|>>>|said:))?[^\w\n]{0,20}5\d\d[ -]", re.MULTILINE)
"""A server's answer on a line of its own; prose that mentions one is a person's."""
_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")


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
    from_daemon = _letter("daemon").search(messages.header(message, "From"))
    if not from_daemon and (leaving := _leave_of(arrived, ours)):
        return replace(leaving, sender=messages.address(messages.header(message, "From")))
    notice = _notice(report)
    returned = replace(
        _complaint(report)
        or _from_notice(notice)
        or _status_report(report)
        or _answer(message, arrived, ours)
        or _by_words(message, raw),
        enclosed=messages.enclosed_source(raw, report),
        message_id=next((found[0] for found in reversed(ids) if found), None),
        sender=messages.address(messages.header(message, "From")),
    )
    if (
        returned.failures
        and returned.kind is ReturnKind.HARD
        and ours.is_about_us(returned.diagnostic)
    ):
        returned = replace(returned, kind=ReturnKind.POLICY, because="is about our own address")
    # A mail to unsubscribe may quote a mail that somebody forwarded, or be an answer that goes to all of
    # its addresses: only the token beside the address for unsubscribing counts, see `_leave_of`.
    places: list[tuple[FoundBy, str]] = []
    if returned.kind is not ReturnKind.LEAVE:
        # What the report says about the envelope that we sent.
        envelope = [_text_of(notice.get("mail", ""), "source")]
        for part in messages.parts(report):
            if messages.kind(part) in _MACHINE_READABLE:
                for fields in messages.field_groups(part):
                    envelope += fields.values()
        for inner in enclosed:
            envelope += messages.headers(inner, "Return-Path")
        places = [
            (FoundBy.VERP, "\n".join(arrived)),
            (FoundBy.ENVELOPE, "\n".join(envelope)),
            (
                FoundBy.MESSAGE_ID,
                f"{messages.words(report) if notice else ''} {returned.message_id}",
            ),
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
    for part in messages.parts(message):
        if messages.kind(part) in _STATUS_PARTS:
            failures += filter(None, map(_failure, messages.field_groups(part)))
    if all(one.kind is ReturnKind.UNKNOWN for one in failures):
        return None
    words = _own_words(message)
    unclear = failures[0].because == NO_REASON.because or _letter("late").search(words)
    if len(failures) == 1 and unclear:
        [one] = failures  # many write the diagnosis, or its moment, only into the text for people
        _, found, after = words.partition(one.final or one.original or "\0")
        diagnostic = " ".join((after.split("\n\n")[0] if found else words).split()).lstrip(">:)] ")
        status = best_status(one.status or "", diagnostic)
        kind, because = _judged(status, f"{diagnostic} {one.diagnostic} {words}")
        if because != NO_REASON.because:
            diagnostic = one.diagnostic or diagnostic[:1000]
            failures = [
                replace(one, kind=kind, status=status, diagnostic=diagnostic, because=because)
            ]
    worst = min(failures, key=lambda one: list(ReturnKind).index(one.kind))
    alive = any(one.kind in {ReturnKind.DELIVERED, ReturnKind.DELAYED} for one in failures)
    alike = [one for one in failures if one.kind is worst.kind]
    addresses = [one.original for one in alike] + [one.final for one in alike if not one.original]
    return ReturnedMail(
        kind=ReturnKind.SOFT if alive and worst.kind is ReturnKind.HARD else worst.kind,
        addresses=tuple(dict.fromkeys(filter(None, addresses))),
        status=worst.status,
        diagnostic=worst.diagnostic,
        because=worst.because,
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
    kind, because = kind_of(action, status, diagnostic)
    return Failure(
        kind=kind,
        original=original,
        final=final,
        status=status,
        diagnostic=diagnostic,
        because=because,
    )


def _typed(value: str) -> str:
    """A field's value without its type: `smtp; 550 no` gives `550 no` (RFC 3464 §2.1.2)."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and kind.strip().replace("-", "").isalnum() else value.strip()


def _to_leave(arrived: list[str], ours: ReturnAddresses) -> list[str]:
    """What stands beside each address for unsubscribing that a mail was sent to: a token, or ""."""
    local, _, domain = ours.leave.partition("@")
    leave = re.compile(
        rf"(?<![\w.+=-]){re.escape(local)}((?:\+[^@\s<>,;]*)?)@{re.escape(domain)}(?![\w-]|\.\w)",
        re.IGNORECASE,
    )
    return [found[1] for value in arrived for found in leave.finditer(value)]


def _leave_of(arrived: list[str], ours: ReturnAddresses) -> ReturnedMail | None:
    """A wish to unsubscribe that our token proves, whoever wrote it."""
    for beside in _to_leave(arrived, ours):
        if delivery := ours.named_in(beside):
            return ReturnedMail(kind=ReturnKind.LEAVE, found_by=FoundBy.VERP, delivery=delivery)
    return None


def _answer(message: Message, arrived: list[str], ours: ReturnAddresses) -> ReturnedMail | None:
    """A wish to unsubscribe, or a mail program's automatic reply (RFC 3834 §2, and older habits).

    None for a mail system: its automatic reply may be a bounce.
    """
    automatic = messages.header(message, "Auto-Submitted").lower()
    rejected = "rejected" in automatic  # what Sieve's reject writes
    if rejected or messages.header(message, "X-Failed-Recipients"):
        return None
    receipt = "message/disposition-notification"  # read or not, it came to somebody's program
    if any(messages.kind(part) == receipt for part in messages.parts(message)):
        return ReturnedMail(kind=ReturnKind.VACATION)
    if _is_daemon(message) or _letter("program").fullmatch(_local(message)):
        return None
    if _to_leave(arrived, ours):
        return ReturnedMail(kind=ReturnKind.LEAVE)
    if (
        messages.header(message, "X-Apple-Action").upper() == "VACATION"
        or automatic.startswith("auto-replied")
        or messages.header(message, "Precedence").lower() in {"auto_reply", "auto-reply"}
        or any(one.lower() not in {"", "no"} for one in messages.headers(message, *_ANSWERING))
        or _letter("away").search(messages.header(message, "Subject"))
    ):
        return ReturnedMail(kind=ReturnKind.VACATION)
    return None


def _notice(message: Message) -> dict[str, Any]:
    """Amazon SES's notice as SNS mails it, alone or as the text "Message" of an envelope; else {}."""
    text = messages.words(message).lstrip()
    for _ in range(2):
        try:
            notice, _end = json.JSONDecoder(strict=False).raw_decode(text)
        except (ValueError, RecursionError):
            break
        if not isinstance(notice, dict) or isinstance(notice.get("mail"), dict):
            return notice if isinstance(notice, dict) else {}
        text = _text_of(notice, "Message").lstrip()
    return {}


def _text_of(fields: Any, name: str) -> str:
    value = fields.get(name) if isinstance(fields, dict) else fields
    return value if isinstance(value, str) else ""


def _from_notice(notice: dict[str, Any]) -> ReturnedMail | None:
    """The meaning of a notice. A bounce that is not permanent is never HARD."""
    event = (_text_of(notice, "notificationType") or _text_of(notice, "eventType")).lower()
    about = notice.get(event)
    if not isinstance(about, dict):
        return None
    listed: list[Any] = []
    for name in ("bouncedRecipients", "complainedRecipients", "recipients"):
        listed += found if isinstance(found := about.get(name), list) else []
    named = (messages.address(_text_of(one, "emailAddress")) for one in listed[:_MOST_NAMED])
    kind, because, diagnostic, status = ReturnKind.UNKNOWN, "", "", None
    if event == "delivery":
        kind = ReturnKind.DELIVERED
    elif event == "complaint" and about.get("complaintFeedbackType") != "not-spam":
        kind = ReturnKind.COMPLAINT
    elif event == "bounce":
        first = listed[0] if listed and isinstance(listed[0], dict) else {}
        diagnostic = foreign(_typed(_text_of(first, "diagnosticCode")))
        status = best_status(_text_of(first, "status"), diagnostic)
        kind, because = _judged(status, f"{_text_of(about, 'bounceSubType')} {diagnostic}")
        if kind is ReturnKind.HARD and about.get("bounceType") != "Permanent":
            kind, because = ReturnKind.SOFT, "is not permanent"
    return ReturnedMail(
        kind=kind,
        addresses=tuple(dict.fromkeys(filter(None, named))),
        status=status,
        diagnostic=diagnostic,
        because=because,
    )


def _own_words(message: Message) -> str:
    """What a mail system itself writes, without our mail and its subject. Of a transcript only the
    answers count: Sendmail adds "User unknown" to every refusal."""
    words = messages.words(message)
    if copy := _letter("copy").search(words):
        words = words[: copy.start()]
    words = _letter("subject").sub("", words)
    return "\n".join(re.findall(r"(?m)^<<<[^\n]*", words)) or words


def _local(message: Message) -> str:
    """The local part of the address in From."""
    return (messages.address(messages.header(message, "From")) or "").rpartition("@")[0]


def _is_daemon(message: Message) -> bool:
    """Whether From is that of a mail system, from where no person writes."""
    sender = messages.header(message, "From")
    return not sender.strip("<>") or _letter("daemon").search(sender) is not None


def _by_words(message: Message, raw: bytes) -> ReturnedMail:
    """A bounce written for people. A mail system's is never UNKNOWN: its words are judged. A person may
    write about a mail that did not arrive, or quote such a report, and is alive."""
    subject, words = messages.header(message, "Subject"), _own_words(message)
    path = messages.header(message, "Return-Path")
    null = path.replace(" ", "") == "<>"
    temporary, permanent = ([], []) if _letter("reply").search(subject) else _flufl(raw)
    named = temporary or permanent
    failed, coded = _letter("failed").search(subject), _CODED.search(words[:_MOST_SEARCHED])
    system = bool(
        messages.header(message, "X-Failed-Recipients")
        or messages.kind(message) == "multipart/report"
        or _is_daemon(message)
    )
    proof = named or coded
    if not system and _letter("program").fullmatch(_local(message)):
        # A postmaster also writes to us by hand, from an address that takes answers.
        system = bool(failed and proof) if path and not null else bool(failed or null or proof)
    elif not system:
        system = bool(null and failed and proof)
    if not (system or null):
        return ReturnedMail(kind=ReturnKind.UNKNOWN)
    answer = _letter("answer").search(words)
    for text in (words[answer.end() :] if answer else words, words):
        status = _status_in(text)
        kind, because = _judged(status, text)
        if because != NO_REASON.because:
            break
    beginning = f"{subject}\n{words[:_MOST_SEARCHED]}"
    nothing = because == NO_REASON.because
    if nothing and _letter("arrived").search(beginning):
        kind, because, nothing = ReturnKind.DELIVERED, "", False
    asks = _letter("challenge").search(beginning)
    if (nothing and asks) or not system:  # only its return path is empty: a program's answer
        return ReturnedMail(kind=ReturnKind.VACATION)
    trying = _letter("trying").search(beginning) and not _letter("given_up").search(beginning)
    if (trying and not permanent) or (kind is not ReturnKind.HARD and temporary and not permanent):
        kind, because = ReturnKind.DELAYED, ""
    addresses = tuple(permanent or temporary)
    return ReturnedMail(
        kind=kind,
        found_by=FoundBy.TEXT if addresses else None,
        addresses=addresses,
        status=status,
        diagnostic=" ".join(words.split())[:1000],
        because=because,
    )


def _flufl(raw: bytes) -> tuple[list[str], list[str]]:
    """The addresses that flufl.bounce reads: those still being tried, and those that failed."""
    from flufl.bounce import all_failures

    lines = _LONG_LINES.sub(rb"\1", raw[:_LARGEST_WORDED]).splitlines(keepends=True)
    message = messages.parse(b"".join(lines[:_MOST_LINES]))
    # When one of its detectors fails on a strange mail, the others go on; it would log the trace,
    # with the content of the mail.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    found: list[list[str]] = [[], []]
    with suppress(*messages.UNREADABLE):
        for addresses, named in zip(found, all_failures(message), strict=True):
            for address in sorted(named)[:_MOST_NAMED]:
                with suppress(RecipientError):
                    addresses.append(check_address(foreign(address)))
    return found[0], found[1]


def kind_of(action: str, status: str | None, diagnostic: str) -> tuple[ReturnKind, str]:
    """The meaning of an action, a status and a diagnosis together, and what decided.

    Only `failed` is a failure (RFC 3464 §2.3.3), or its spellings by systems that break the standard.
    Its class 4 means that the server gave up.
    """
    if action.startswith("delayed"):
        return ReturnKind.DELAYED, ""
    if action.startswith(("deliver", "relayed", "expanded")):
        return ReturnKind.DELIVERED, ""
    if action.startswith(("fail", "error")):
        return _judged(status, diagnostic)
    if status is None and not diagnostic:
        return ReturnKind.UNKNOWN, ""
    # Without an action only a class 5 says that nothing more will come.
    if status and status[0] == "4":
        return ReturnKind.DELAYED, ""
    return _judged(status, diagnostic)


def _judged(status: str | None, words: str) -> tuple[ReturnKind, str]:
    judgement = judge(words, status=status)
    return ReturnKind(judgement.verdict.value), judgement.because


def best_status(status: str, diagnostic: str) -> str | None:
    """The report's own code, unless only the one quoted from the server's answer has a detail: Exim
    and others write 5.0.0 for everything."""
    own, quoted = _status_in(status), _status_in(diagnostic)
    vague = own is None or own.endswith(".0.0")
    return quoted if quoted and vague and not (own and quoted.endswith(".0.0")) else own


def _status_in(text: str) -> str | None:
    """The first enhanced code of a failure in a text, without leading zeros; not an IP address."""
    found = _ENHANCED.search(text)
    return ".".join(str(int(number)) for number in found.groups()) if found else None
