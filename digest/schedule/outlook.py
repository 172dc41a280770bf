"""What each verb would find to do if it were woken now. Nothing is changed."""

import hashlib
from datetime import datetime, timedelta

from digest.config.settings import DigestConfig, Settings, SourceSettings
from digest.editorial.window import is_late
from digest.errors import DocumentError, MailboxError
from digest.mail.mailboxes import read_maildir
from digest.report import is_due
from digest.schedule.plan import LEASE, Verb
from digest.sources.folder import list_documents, read_bytes
from digest.store.database import Database
from digest.store.editions import last_edition, pending_editions
from digest.store.intake import document_states
from digest.store.keeping import backup_is_due
from digest.store.lease import current_lease
from digest.store.tidying import would_tidy
from digest.tiling import next_window
from digest.troubles import find_troubles

MIB = 1024 * 1024


def holder(db: Database, settings: Settings, now: datetime) -> str | None:
    """Which service wakes the verbs on this database; None if none does."""
    lease = current_lease(db, LEASE)
    length = timedelta(seconds=settings.service.lease_seconds)
    return lease.holder if lease is not None and lease.holds(now, length) else None


def outlook(db: Database, settings: Settings, now: datetime) -> dict[Verb, str]:
    """In words, for each verb."""
    news = [one for source in settings.sources if (one := _news(db, source)) is not None]
    due = [one for digest in settings.digests if (one := _due(db, settings, digest, now))]
    pending = [
        str(edition)
        for digest in settings.digests
        for edition in pending_editions(db, digest=digest.name, now=now)
    ]
    return {
        Verb.READ: "; ".join(news) or "find nothing new",
        Verb.COMPOSE: "; ".join(due) or "find nothing due",
        Verb.SEND: f"send what is due of edition {', '.join(pending)}"
        if pending
        else "find nothing due",
        Verb.BOUNCES: _letters(settings),
        Verb.TIDY: _tidying(db, settings, now),
        Verb.WATCH: "; ".join(one.key for one in find_troubles(db, settings, now))
        or "find no trouble",
        Verb.DESK: "send the mail to the editors"
        if is_due(db, settings, now)
        else "find nothing due",
    }


def _news(db: Database, source: SourceSettings) -> str | None:
    """What has come into a source since it was last read; None where nothing has."""
    states = document_states(db, source.name)
    new = changed = 0
    try:
        for document in list_documents(source.path, source.pattern):
            state = states.get(document.name)
            if state is None:
                new += 1
                continue
            data = read_bytes(document, int(source.size_limit_mib * MIB))
            changed += data is not None and hashlib.sha256(data).hexdigest() != state.sha256
    except DocumentError as e:
        return f"{source.name}: {e}"
    return f"read {new} new and {changed} changed of {source.name}" if new or changed else None


def _due(db: Database, settings: Settings, digest: DigestConfig, now: datetime) -> str | None:
    window = next_window(db, settings, digest, now)
    if window is None:
        return None
    last = last_edition(db, digest.name)
    number = 1 if last is None else last[0] + 1
    held = ", late: held for you" if is_late(window, now, digest.max_lateness_hours) else ""
    return f"close {digest.name} no. {number}{held}"


def _letters(settings: Settings) -> str:
    place = settings.service.bounces
    if place is None:
        return "do nothing"
    try:
        with read_maildir(place) as mailbox:
            count = sum(1 for _ in mailbox.letters)
    except MailboxError as e:
        return str(e)
    return f"take in {count} letters" if count else "find nothing new"


def _tidying(db: Database, settings: Settings, now: datetime) -> str:
    store, keeping = settings.store, settings.keeping
    old = would_tidy(db, now, letters_days=keeping.letters_days, answers_days=keeping.answers_days)
    found = []
    if keeping.daily_backup and backup_is_due(store.path, store.backups, now):
        found.append("make a backup")
    if old.letters:
        found.append(f"let go of {old.letters} letters")
    if old.answers:
        found.append(f"let go of {old.answers} answers")
    return ", ".join(found) or "find nothing too old"
