"""Acts on mail that came back: suppresses dead addresses, ends subscriptions, stores every report."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.audience.store import find_recipient
from digest.audience.suppressions import (
    SOFT_LIMIT,
    Report,
    address_of,
    delivery_of,
    end_recipient,
    keep_report,
    soft_bounces,
    suppress,
    was_mailed,
)
from digest.bounces.reports import FoundBy, ReturnAddresses, ReturnedMail, ReturnKind, read_report
from digest.mail.tokens import BOUNCES
from digest.newsroom import Newsroom
from digest.store.database import Database

_PROVEN = frozenset({FoundBy.VERP, FoundBy.ENVELOPE, FoundBy.MESSAGE_ID})
"""Found by a token of ours, which nobody else can make."""
_MAILED_WITHIN = timedelta(days=30)
"""Anybody can write a report without a token: it counts only for an address mailed this recently."""


@dataclass(slots=True)
class ReturnsReport:
    """What was read: messages by kind, how many were known, and how many recipients changed."""

    kinds: Counter[ReturnKind] = field(default_factory=Counter)
    known: int = 0
    suppressed: int = 0
    ended: int = 0
    unmatched: int = 0


def take_returns(
    newsroom: Newsroom, messages: Iterable[tuple[str, bytes]], done: Callable[[str], None]
) -> ReturnsReport:
    """Act on each message and store it; `done` is called with its name once that is on disk.

    A message that was read before changes nothing, so that a mailbox may be read again.
    """
    db, mail, report = newsroom.db, newsroom.settings.mail, ReturnsReport()
    bounces = f"{BOUNCES}@{mail.from_address.rpartition('@')[2]}"
    ours = ReturnAddresses(bounces, mail.unsubscribe_address, [newsroom.token_key])
    for name, raw in messages:
        with db.write():
            _take(db, read_report(raw, ours), raw, newsroom.now(), report)
        done(name)
    return report


def _take(
    db: Database, returned: ReturnedMail, raw: bytes, moment: datetime, report: ReturnsReport
) -> None:
    recipient_id, edition_id = _recipient_and_edition(db, returned)
    new = keep_report(
        db,
        Report(
            sha256=hashlib.sha256(raw).hexdigest(),
            kind=returned.kind.value,
            found_by=None if returned.found_by is None else returned.found_by.value,
            recipient_id=recipient_id,
            edition_id=edition_id,
            status_code=returned.status,
            diagnostic=returned.diagnostic or None,
            raw=raw,
        ),
        moment,
    )
    if not new:
        report.known += 1
        return
    report.kinds[returned.kind] += 1
    if recipient_id is None:
        report.unmatched += 1
        return
    credible = returned.found_by in _PROVEN or returned.kind is ReturnKind.LEAVE
    if not credible and returned.found_by is FoundBy.RECIPIENT:
        credible = was_mailed(db, recipient_id, moment - _MAILED_WITHIN)
    if not credible:
        return
    cause = {ReturnKind.HARD: "hard", ReturnKind.COMPLAINT: "complaint"}.get(returned.kind)
    if returned.kind is ReturnKind.SOFT and soft_bounces(db, recipient_id, moment) >= SOFT_LIMIT:
        cause = "soft"
    address = address_of(db, recipient_id)
    if cause is not None and address is not None:
        detail = f"{returned.status or ''} {returned.diagnostic}".strip() or None
        delivery_id = None if edition_id is None else delivery_of(db, edition_id, recipient_id)
        report.suppressed += suppress(
            db, address, cause, moment, detail=detail, delivery_id=delivery_id
        )
    if returned.kind is ReturnKind.COMPLAINT:
        report.ended += end_recipient(db, recipient_id, "complaint", moment)
    elif returned.kind is ReturnKind.LEAVE:
        reason = "mail to the address for leaving"
        report.ended += end_recipient(db, recipient_id, reason, moment)


def _recipient_and_edition(db: Database, returned: ReturnedMail) -> tuple[int | None, int | None]:
    """The recipient that a message is about, and the edition if a token names it."""
    if returned.delivery is not None:
        edition_id, recipient_id = returned.delivery
        if address_of(db, recipient_id) is None:
            return None, None
        known = delivery_of(db, edition_id, recipient_id) is not None
        return recipient_id, edition_id if known else None
    addresses = returned.addresses
    if returned.kind is ReturnKind.LEAVE and returned.sender:
        addresses = (*addresses, returned.sender)
    for address in addresses:
        if (recipient := find_recipient(db, address)) is not None:
            return recipient, None
    return None, None
