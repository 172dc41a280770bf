"""The verb `subscribe`: lets people go, and takes in what comes back for mail that we sent."""

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
from digest.config.settings import Settings
from digest.mail.tokens import BOUNCES
from digest.newsroom import Newsroom
from digest.store.database import Database

PROVEN = frozenset({FoundBy.VERP, FoundBy.ENVELOPE, FoundBy.MESSAGE_ID})
"""Found by a token of ours, which nobody else can make."""
MAILED_WITHIN = timedelta(days=30)
"""A report without a token counts only for whom we mailed so lately: others could have written it."""


@dataclass(slots=True)
class ReturnsReport:
    """What was read: letters by kind, how many were known already, whom it changed."""

    kinds: Counter[ReturnKind] = field(default_factory=Counter)
    known: int = 0
    suppressed: int = 0
    ended: int = 0
    unmatched: int = 0


def return_addresses(settings: Settings, key: bytes) -> ReturnAddresses:
    """Where mail comes back to, without tokens."""
    domain = settings.mail.from_address.rpartition("@")[2]
    return ReturnAddresses(f"{BOUNCES}@{domain}", settings.mail.unsubscribe_address, [key])


def take_returns(
    newsroom: Newsroom, letters: Iterable[tuple[str, bytes]], done: Callable[[str], None]
) -> ReturnsReport:
    """Act on each letter and keep it; `done` is called with its name once that is on disk.

    A letter that was read before changes nothing, so that a mailbox may be read again.
    """
    db, settings, now, key = newsroom.db, newsroom.settings, newsroom.now, newsroom.token_key
    ours = return_addresses(settings, key)
    report = ReturnsReport()
    for name, raw in letters:
        with db.write():
            _take(db, read_report(raw, ours), raw, now(), report)
        done(name)
    return report


def _take(
    db: Database, found: ReturnedMail, raw: bytes, moment: datetime, report: ReturnsReport
) -> None:
    recipient_id, edition_id = _whom(db, found)
    fresh = keep_report(
        db,
        Report(
            sha256=hashlib.sha256(raw).hexdigest(),
            kind=found.kind.value,
            found_by=None if found.found_by is None else found.found_by.value,
            recipient_id=recipient_id,
            edition_id=edition_id,
            status_code=found.status,
            diagnostic=found.diagnostic or None,
            raw=raw,
        ),
        moment,
    )
    if not fresh:
        report.known += 1
        return
    report.kinds[found.kind] += 1
    if recipient_id is None:
        report.unmatched += 1
        return
    if _is_credible(db, found, recipient_id, moment):
        _act(db, found, recipient_id, edition_id, moment, report)


def _is_credible(db: Database, found: ReturnedMail, recipient_id: int, moment: datetime) -> bool:
    if found.found_by in PROVEN or found.kind is ReturnKind.LEAVE:
        return True
    if found.found_by is not FoundBy.RECIPIENT:
        return False
    return was_mailed(db, recipient_id, moment - MAILED_WITHIN)


def _act(
    db: Database,
    found: ReturnedMail,
    recipient_id: int,
    edition_id: int | None,
    moment: datetime,
    report: ReturnsReport,
) -> None:
    cause = {ReturnKind.HARD: "hard", ReturnKind.COMPLAINT: "complaint"}.get(found.kind)
    if found.kind is ReturnKind.SOFT and soft_bounces(db, recipient_id, moment) >= SOFT_LIMIT:
        cause = "soft"
    address = address_of(db, recipient_id)
    if cause is not None and address is not None:
        detail = f"{found.status or ''} {found.diagnostic}".strip() or None
        delivery_id = None if edition_id is None else delivery_of(db, edition_id, recipient_id)
        report.suppressed += suppress(
            db, address, cause, moment, detail=detail, delivery_id=delivery_id
        )
    reason = {
        ReturnKind.COMPLAINT: "complaint",
        ReturnKind.LEAVE: "mail to the address for leaving",
    }.get(found.kind)
    if reason is not None:
        report.ended += end_recipient(db, recipient_id, reason, moment)


def _whom(db: Database, found: ReturnedMail) -> tuple[int | None, int | None]:
    """The recipient that a letter is about, and the edition where a token names it."""
    if found.delivery is not None:
        named = found.delivery
        if address_of(db, named.recipient_id) is None:
            return None, None
        known = delivery_of(db, named.edition_id, named.recipient_id) is not None
        return named.recipient_id, named.edition_id if known else None
    addresses = found.addresses
    if found.kind is ReturnKind.LEAVE and found.sender:
        addresses = (*addresses, found.sender)
    for address in addresses:
        if (recipient_id := find_recipient(db, address)) is not None:
            return recipient_id, None
    return None, None
