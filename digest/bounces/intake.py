"""Acts on mail that came back: judges what each letter proves, stores it, asks whom it names."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache

from digest.audience.evidence import DAY, Evidence, take_evidence, was_queued
from digest.audience.store import NOBODY, find_recipient, list_recipients, note_bounce
from digest.audience.suppressions import address_of, is_forgotten
from digest.bounces.reports import (
    LARGEST_READ,
    FoundBy,
    ReturnAddresses,
    ReturnedMail,
    ReturnKind,
    read_report,
)
from digest.language.addresses import address_key
from digest.language.wording import wording_for
from digest.mail import messages
from digest.mail.dkim import signed_recipient
from digest.mail.notices import notice_mail
from digest.mail.outgoing import Kind, Notice
from digest.mail.smtp.names import published_text
from digest.mail.store import notices_since, queue
from digest.mail.tokens import Purpose, leave_urls, mail_domain, token_for
from digest.model import Recipient, RecipientStatus, RenderedMail
from digest.newsroom import Newsroom
from digest.store.database import Database
from digest.store.owner import note_bounces_read

_PROVEN = frozenset({FoundBy.VERP, FoundBy.ENVELOPE, FoundBy.MESSAGE_ID, FoundBy.SIGNATURE})
"""Found by a token or a signature of ours, which nobody else can make."""
_LINK = re.compile(rb"bounces(?:\+|[=%]2b)link-(\d{1,10})@", re.IGNORECASE)
"""The return path of a mail with a link that somebody asked for by a form; its number is random."""
ASKED_AGAIN = timedelta(days=30)
"""How often somebody may be asked whether they want to leave."""
MOST_ASKED = 20
"""Questions a day: strangers could make us send more."""
MOST_LOOKUPS = 5
"""Names in DNS that strangers' letters may make us look up in one run."""


@dataclass(slots=True)
class ReturnsReport:
    """What was read: messages by kind, how many were known, how many recipients changed, and how many
    letters wait for a person, without proof (`waiting`) or by the brake (`braked`)."""

    kinds: Counter[ReturnKind] = field(default_factory=Counter)
    known: int = 0
    suppressed: int = 0
    ended: int = 0
    unmatched: int = 0
    waiting: int = 0
    braked: int = 0
    asked: int = 0

    @property
    def facts(self) -> dict[str, int]:
        """What was done, by name."""
        names = ("suppressed", "ended", "unmatched", "waiting", "braked", "asked")
        return {name: getattr(self, name) for name in names}


def take_returns(
    newsroom: Newsroom,
    messages: Iterable[tuple[str, bytes]],
    done: Callable[[str], None],
    *,
    whole: bool = False,
) -> ReturnsReport:
    """Act on each message and store it; `done` is called with its name once that is on disk.

    A message that was read before changes nothing, so that a mailbox may be read again. `whole`: they
    are all that a mailbox holds, so somebody reads it.
    """
    db, report, settings = newsroom.db, ReturnsReport(), newsroom.settings
    leave, sender = settings.mail.unsubscribe_address, settings.mail.from_address
    ours = ReturnAddresses(leave, newsroom.token_keys, sender)
    names: list[str] = []

    @cache
    def look_up(name: str) -> str | None:
        names.append(name)
        return published_text(name) if len(names) <= MOST_LOOKUPS else None

    for name, raw in messages:
        returned = read_report(raw, ours)
        # Of other kinds, such as a wish to leave, a forwarded mail proves nothing.
        about = returned.kind in (ReturnKind.COMPLAINT, ReturnKind.HARD)
        if about and returned.found_by not in _PROVEN and returned.enclosed is not None:
            keys = newsroom.signer.keys if newsroom.signer is not None else ()
            domain = mail_domain(settings)
            if to := signed_recipient(returned.enclosed, domain, keys, look_up):
                returned = replace(returned, found_by=FoundBy.SIGNATURE, addresses=(to,))
        with db.write():
            _take(newsroom, returned, raw, newsroom.now(), report)
        done(name)
    # The brake may take back those of an earlier reading.
    report.suppressed = max(0, report.suppressed)
    if whole:
        with db.write():
            note_bounces_read(db, newsroom.now())
    return report


def _take(
    newsroom: Newsroom, returned: ReturnedMail, raw: bytes, moment: datetime, report: ReturnsReport
) -> None:
    db = newsroom.db
    recipient_id, edition_id = _recipient_and_edition(db, returned)
    kind = returned.kind
    if kind in (ReturnKind.HARD, ReturnKind.SOFT) and (link := _LINK.search(raw[:LARGEST_READ])):
        note_bounce(db, int(link[1]), moment)
    because = returned.because
    if kind is ReturnKind.HARD and recipient_id is not None:
        address = address_of(db, recipient_id, edition_id)
        if address is not None and (other := _passed_on(returned, raw, address)):
            kind, because = (
                ReturnKind.SOFT,
                f"{because}, but about {other}, who got it from this address",
            )
    proven = returned.found_by in _PROVEN
    nobody = recipient_id is not None and f"{address_of(db, recipient_id)}".endswith(NOBODY)
    # It comes late: nothing of it that could name them is stored again.
    forgotten = nobody or any(is_forgotten(db, one) for one in returned.addresses)
    done = take_evidence(
        db,
        Evidence(
            key=raw,
            kind=kind.value,
            proven=proven,
            found_by=None if returned.found_by is None else returned.found_by.value,
            recipient_id=recipient_id,
            edition_id=edition_id,
            status=returned.status,
            diagnostic="" if forgotten else returned.diagnostic,
            because=because,
            raw=b"" if forgotten else raw,
        ),
        moment,
    )
    if not done.state:
        report.known += 1
        return
    report.kinds[kind] += 1
    report.unmatched += recipient_id is None
    report.suppressed += done.suppressed
    report.ended += done.ended
    report.braked += done.braked
    report.waiting += done.state == "waits"
    if kind is ReturnKind.LEAVE and done.state == "waits" and recipient_id is not None:
        [recipient] = list_recipients(db, recipient_id=recipient_id)
        if _may_ask(db, recipient, raw, moment):
            report.asked += queue(db, [_question(newsroom, recipient, moment)], moment)


def _recipient_and_edition(db: Database, returned: ReturnedMail) -> tuple[int | None, int | None]:
    """The recipient that a message is about, and the edition if a token names it."""
    if returned.delivery is not None:
        edition_id, recipient_id = returned.delivery
        if address_of(db, recipient_id) is None:
            return None, None
        return recipient_id, edition_id if was_queued(db, edition_id, recipient_id) else None
    addresses = returned.addresses
    if returned.kind is ReturnKind.LEAVE and returned.sender:
        addresses = (*addresses, returned.sender)
    for address in addresses:
        if (recipient := find_recipient(db, address)) is not None:
            return recipient, None
    return None, None


def _passed_on(returned: ReturnedMail, raw: bytes, address: str) -> str | None:
    """Whom a dead report is about, where our address only passed the mail on: an alias or a list lives
    although one of its members is gone. None where it is about our address itself.

    The fields of the report name somebody else, and it knows our address, too, or is of its domain.
    """
    ours = address_key(address)
    finals = [
        address_key(one.final)
        for one in returned.failures
        if one.kind is ReturnKind.HARD and one.final
    ]
    others = [final for final in finals if not _same_mailbox(final, ours)]
    if not finals or len(others) < len(finals):
        return None
    near = others[0].rpartition("@")[2] == ours.rpartition("@")[2]
    return others[0] if near or ours.encode() in raw.lower() else None


def _same_mailbox(one: str, other: str) -> bool:
    """anna@mx.reader.example is anna@reader.example, as the mail system calls it within."""
    (local, _, domain), (other_local, _, other_domain) = one.rpartition("@"), other.rpartition("@")
    within = f".{domain}".endswith(f".{other_domain}") or f".{other_domain}".endswith(f".{domain}")
    return local == other_local and within


def _may_ask(db: Database, recipient: Recipient, raw: bytes, moment: datetime) -> bool:
    """Not an answering machine (RFC 3834 §2), nobody twice a month, and not more than MOST_ASKED a day."""
    letter = messages.parse(raw)
    automatic = messages.header(letter, "Auto-Submitted").lower() not in {"", "no"}
    bounced = messages.header(letter, "Return-Path").replace(" ", "") == "<>"
    if automatic or bounced or recipient.status is not RecipientStatus.ACTIVE:
        return False
    if notices_since(db, Kind.QUESTION, moment - ASKED_AGAIN, recipient=recipient.address):
        return False
    return notices_since(db, Kind.QUESTION, moment - DAY) < MOST_ASKED


def _question(newsroom: Newsroom, recipient: Recipient, moment: datetime) -> Notice:
    """Asks whether they want to leave, with the link that does it."""
    settings = newsroom.settings
    wording = wording_for(recipient.choice.language, settings.site.languages)
    link = leave_urls(settings, token_for(newsroom.token_key, 0, recipient.id, Purpose.READER))[0]
    text = wording.leaving["question"].format(site=settings.site.title, link=link)
    subject = wording.leaving["question_title"].format(site=settings.site.title)
    name = f"question.{recipient.id}.{moment:%Y%m%d%H%M%S}"
    mail = RenderedMail(subject, "", f"{text}\n\n-- \n{settings.site.title}\n", "")
    return notice_mail(
        settings, Kind.QUESTION, name, moment, mail, recipient.address, language=wording.language
    )
