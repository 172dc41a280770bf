"""Reading a mail that came back: a bounce, a complaint, an automatic answer, a wish to leave.

First the machine-readable parts (RFC 5965, RFC 3464). Then the address for leaving, before the
signs of an automatic answer, since mail programs that leave for their user call that an automatic
reply. Last come words, by flufl.bounce: a vacation reply that quotes our mail reads like a bounce.
"""

import logging
import re
from dataclasses import replace
from email.message import Message
from itertools import islice

from digest.mail import dsn, parts, replies
from digest.mail.returned import Failure, FoundBy, ReturnAddresses, ReturnedMail, ReturnKind

LARGEST_READ = 512 * 1024
"""Bytes of a mail that are looked at; a report stands before what it encloses."""

_LARGEST_WORDED = 128 * 1024
_MOST_WORDED = 200
"""So large a mail, of so many parts, is searched for words: each detector looks at every part."""
_LONG_LINES = re.compile(rb"([^\n]{998})[^\n]+")
"""What a line has beyond its longest length (RFC 5322 §2.1.1): there the detectors' patterns would
look again from each sign, and the whole process waits for a pattern.
"""

_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_MACHINE_READABLE = _STATUS_PARTS | {"message/feedback-report"}
_COPY_STARTS = re.compile(r"^>?[ \t]*(?:Return-Path|Received|DKIM-Signature)[ \t]*:", re.I | re.M)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,400}@[^<>\s]{1,255}>")


def read_report(raw: bytes, ours: ReturnAddresses) -> ReturnedMail:
    """What `raw`, one mail as it arrived, means, and for whom. Any bytes give an answer."""
    raw = raw[:LARGEST_READ]
    message = parts.parse(raw)
    inner = _unwrapped(message)
    arrived = replies.arrived_at(message)
    if inner is not message:
        arrived += replies.arrived_at(inner)
    found = _complaint(inner) or _status_report(inner)
    if found is None:
        found = _answer(message, arrived, ours) or _by_words(raw[:_LARGEST_WORDED])
    found = replace(
        found,
        message_id=_enclosed_id(inner),
        sender=replies.sender(message),
        subject=parts.header(message, "Subject")[:500],
    )
    return _with_recipient(found, arrived, inner, raw, ours)


def _answer(message: Message, arrived: list[str], ours: ReturnAddresses) -> ReturnedMail | None:
    """What a person wants, or a person's machine says; None where a mail system speaks."""
    if replies.is_from_system(message):
        return None
    if replies.is_to(arrived, ours.leave):
        return ReturnedMail(kind=ReturnKind.LEAVE)
    return ReturnedMail(kind=ReturnKind.VACATION) if replies.is_vacation(message) else None


def _unwrapped(message: Message) -> Message:
    """The report itself, where a gateway has put a note around it and so enclosed it."""
    if any(parts.kind(part) in _MACHINE_READABLE for part in parts.parts(message)):
        return message
    for inner in parts.enclosed(message):
        if parts.kind(inner) == "multipart/report":
            return inner
    return message


def _complaint(message: Message) -> ReturnedMail | None:
    """An abuse report. Other types of feedback, such as not-spam, are no complaint (RFC 5965 §7.3)."""
    for part in parts.parts(message):
        if parts.kind(part) != "message/feedback-report":
            continue
        groups = parts.field_groups(part)
        fields = groups[0] if groups else {}
        kind = fields.get("feedback-type", "").lower()
        named = (fields.get("original-rcpt-to", ""), fields.get("removal-recipient", ""))
        return ReturnedMail(
            kind=ReturnKind.COMPLAINT if kind == "abuse" else ReturnKind.UNKNOWN,
            addresses=_distinct(map(parts.address, named)),
            diagnostic=f"feedback {kind or 'of no type'}: {fields.get('user-agent', '')}"[:1000],
            remote_mta=fields.get("reporting-mta"),
        )
    return None


def _status_report(message: Message) -> ReturnedMail | None:
    """A delivery status notification, or None where there is none that names an address."""
    failures: list[Failure] = []
    words = ""
    for part in parts.parts(message):
        if parts.kind(part) in _STATUS_PARTS:
            failures += filter(None, map(dsn.failure, parts.field_groups(part)))
        elif not words and not failures and parts.kind(part) == "text/plain":
            words = parts.text(part)
    if not failures:
        return None
    if len(failures) == 1 and not failures[0].diagnostic:
        failures = [_explained(failures[0], words)]
    worst, kind = dsn.overall(failures)
    alike = [one for one in failures if one.kind is worst.kind]
    return ReturnedMail(
        kind=kind,
        addresses=_distinct(
            [one.original for one in alike] + [one.final for one in alike if not one.original]
        ),
        status=worst.status,
        diagnostic=worst.diagnostic,
        remote_mta=worst.remote_mta,
        failures=tuple(failures),
    )


def _explained(one: Failure, words: str) -> Failure:
    """A failure without a diagnosis, explained by the report's text; Exim writes it only there."""
    about = one.final or one.original
    _, found, after = words.partition(about) if about else ("", "", "")
    if not found or one.kind not in {ReturnKind.HARD, ReturnKind.SOFT, ReturnKind.POLICY}:
        return one
    diagnostic = " ".join(after.split("\n\n")[0].split()).lstrip(">:)] ")[:1000]
    status = dsn.best_status(one.status or "", diagnostic)
    return replace(one, kind=dsn.failed(status, diagnostic), status=status, diagnostic=diagnostic)


def _by_words(raw: bytes) -> ReturnedMail:
    """A bounce that only people were meant to read, as far as flufl.bounce knows its form."""
    from flufl.bounce import all_failures

    message = parts.parse(_LONG_LINES.sub(rb"\1", raw))
    if next(islice(message.walk(), _MOST_WORDED, None), None) is not None:
        return ReturnedMail(kind=ReturnKind.UNKNOWN)

    # Where one of its detectors stumbles over a strange letter, the others go on; it would put the
    # trace into our log, with whatever the letter holds.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    try:
        temporary, permanent = all_failures(message)
    except parts.UNREADABLE:
        return ReturnedMail(kind=ReturnKind.UNKNOWN)
    found = sorted(permanent) or sorted(temporary)
    if not found:
        return ReturnedMail(kind=ReturnKind.UNKNOWN)
    words = _own_words(message)
    status = dsn.status_in(words)
    return ReturnedMail(
        # What it calls temporary are warnings: the mail is still being tried.
        kind=dsn.failed(status, words) if permanent else ReturnKind.DELAYED,
        found_by=FoundBy.TEXT,
        addresses=tuple(address.decode("ascii", "replace") for address in found),
        status=status,
        diagnostic=" ".join(words.split())[:1000],
    )


def _own_words(message: Message) -> str:
    """What the mail system says, without the copy of our mail below it."""
    for part in parts.parts(message):
        if parts.kind(part) in {"text/plain", "text/html"}:
            words = parts.text(part)
            copy = _COPY_STARTS.search(words)
            return words[: copy.start()] if copy else words
    return ""


def _enclosed_id(message: Message) -> str | None:
    """The Message-ID of the mail that a report is about: the last, as RFC 5965 puts it last."""
    for inner in reversed(parts.enclosed(message)):
        if found := _MESSAGE_ID.search(parts.header(inner, "Message-ID")):
            return found[0]
    return None


def _with_recipient(
    found: ReturnedMail, arrived: list[str], message: Message, raw: bytes, ours: ReturnAddresses
) -> ReturnedMail:
    """`found` with the delivery that a token names, and how its recipient is known."""
    places = [(FoundBy.VERP, "\n".join(arrived))]
    # Who writes to leave may quote a mail that another passed on: its tokens end nobody.
    if found.kind is not ReturnKind.LEAVE:
        places += [
            (FoundBy.ENVELOPE, _envelope(message)),
            (FoundBy.MESSAGE_ID, found.message_id or ""),
            (FoundBy.MESSAGE_ID, raw.decode("latin-1")),
        ]
    for found_by, text in places:
        if named := ours.named_in(text):
            return replace(found, found_by=found_by, token=named[0], delivery=named[1])
    if found.found_by is None and found.addresses:
        return replace(found, found_by=FoundBy.RECIPIENT)
    if found.kind is ReturnKind.LEAVE and found.sender:
        return replace(found, found_by=FoundBy.SENDER, addresses=(found.sender,))
    return found


def _envelope(message: Message) -> str:
    """What a report says of the envelope that we sent: its sender, its id, its recipient."""
    lines: list[str] = []
    for part in parts.parts(message):
        if parts.kind(part) in _MACHINE_READABLE:
            for fields in parts.field_groups(part):
                lines += fields.values()
    for inner in parts.enclosed(message):
        lines += parts.headers(inner, "Return-Path")
    return "\n".join(lines)


def _distinct(addresses: "list[str | None] | map[str | None]") -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, addresses)))
