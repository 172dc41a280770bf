"""What each verb would find to do if it were woken now. Nothing is changed."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import heappop, heappush

from digest.config.settings import DigestConfig, Settings, SourceSettings
from digest.config.values import parse_rule
from digest.editions.compose import next_window
from digest.editions.schedule import EPOCH, boundary_after, is_late
from digest.editions.store import last_edition, pending_editions
from digest.errors import DocumentError, MailboxError
from digest.mail.mailboxes import read_maildir
from digest.newsroom import Newsroom
from digest.service.report import is_due
from digest.service.troubles import find_troubles
from digest.sources.folder import list_documents, read_bytes
from digest.sources.store import document_states
from digest.store.backups import backup_is_due, would_prune
from digest.store.database import Database
from digest.store.owner import current_lease

LEASE = "service"
"""The name under which the one service on a database holds it."""
PRUNE_EVERY_MINUTES = 60.0
"""So often it looks what is to be let go, and whether the day has its backup."""


class Verb(StrEnum):
    """What a tick wakes."""

    READ = "read"
    COMPOSE = "compose"
    SEND = "send"
    BOUNCES = "bounces"
    PRUNE = "prune"
    WATCH = "watch"
    REPORT = "report"


NextTime = Callable[[datetime], datetime]
"""The first moment after the given one, in UTC."""


@dataclass(frozen=True, slots=True)
class Wakeup:
    """`cause` says in words why the verb is woken then."""

    at: datetime
    verb: Verb
    cause: str


@dataclass(frozen=True, slots=True)
class Rhythm:
    """One reason to wake a verb, and when it comes."""

    verb: Verb
    cause: str
    after: NextTime


def rhythms(settings: Settings) -> list[Rhythm]:
    """Every reason to wake a verb; none to compose, send or take in bounces where that is off."""
    service = settings.service
    found = [_interval(Verb.READ, service.ingest_every_minutes)]
    if service.send:
        found.append(_interval(Verb.COMPOSE, service.send_every_minutes))
        found += [_at_hour(settings, i) for i in range(len(settings.digests))]
        found.append(_interval(Verb.SEND, service.send_every_minutes))
        if settings.report.mail_to:
            found.append(_interval(Verb.REPORT, service.send_every_minutes))
            found.append(_at_report_hour(settings))
    if service.bounces is not None:
        found.append(_interval(Verb.BOUNCES, service.bounces_every_minutes))
    found.append(_interval(Verb.PRUNE, PRUNE_EVERY_MINUTES))
    found.append(_interval(Verb.WATCH, settings.alarms.every_minutes))
    return found


def wakeups(settings: Settings, now: datetime, count: int) -> list[Wakeup]:
    """The next `count` wake-ups after `now`, and the next one of each rhythm that is not among them;
    in order.
    """
    queue: list[tuple[datetime, int]] = []
    every = rhythms(settings)
    for i, rhythm in enumerate(every):
        heappush(queue, (rhythm.after(now), i))
    found: list[tuple[datetime, int]] = []
    while len(found) < count:
        at, i = heappop(queue)
        found.append((at, i))
        heappush(queue, (every[i].after(at), i))
    shown = {i for _, i in found}
    found += sorted(entry for entry in queue if entry[1] not in shown)
    return [Wakeup(at, every[i].verb, every[i].cause) for at, i in found]


def due_within(settings: Settings, verb: Verb) -> timedelta:
    """The longest that a verb may go without waking: the shortest of its intervals."""
    service = settings.service
    minutes = {
        Verb.READ: service.ingest_every_minutes,
        Verb.BOUNCES: service.bounces_every_minutes,
        Verb.PRUNE: PRUNE_EVERY_MINUTES,
        Verb.WATCH: settings.alarms.every_minutes,
    }
    return timedelta(minutes=minutes.get(verb, service.send_every_minutes))


def _interval(verb: Verb, minutes: float) -> Rhythm:
    """At whole multiples, so that every process knows the same ticks, whenever it was started."""
    length = timedelta(minutes=minutes)

    def after(moment: datetime) -> datetime:
        # A step from a boundary may round to itself; the next one is then the one after it.
        number = math.floor((moment - EPOCH) / length) + 1
        found = EPOCH + number * length
        return found if found > moment else found + length

    return Rhythm(verb, f"every {minutes:g} min", after)


def _at_hour(settings: Settings, index: int) -> Rhythm:
    digest = settings.digests[index]
    zone = settings.digest_zone(digest)
    return _by_rule(Verb.COMPOSE, f"schedule of {digest.name}", digest.schedule, zone)


def _at_report_hour(settings: Settings) -> Rhythm:
    return _by_rule(
        Verb.REPORT, "schedule of the report", settings.report.schedule, settings.report_zone
    )


def _by_rule(verb: Verb, cause: str, text: str, zone: str) -> Rhythm:
    rule = parse_rule(text)
    return Rhythm(verb, cause, lambda moment: boundary_after(rule, zone, moment).astimezone(UTC))


MIB = 1024 * 1024


def holder(db: Database, settings: Settings, now: datetime) -> str | None:
    """Which service wakes the verbs on this database; None if none does."""
    lease = current_lease(db, LEASE)
    length = timedelta(seconds=settings.service.lease_seconds)
    return lease.holder if lease is not None and lease.holds(now, length) else None


def outlook(newsroom: Newsroom, now: datetime) -> dict[Verb, str]:
    """In words, for each verb."""
    db, settings = newsroom.db, newsroom.settings
    news = [one for source in settings.sources if (one := _news(db, source)) is not None]
    due = [one for digest in settings.digests if (one := _due(newsroom, digest, now))]
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
        Verb.PRUNE: _pruning(db, settings, now),
        Verb.WATCH: "; ".join(one.key for one in find_troubles(newsroom, now)) or "find no trouble",
        Verb.REPORT: "send the mail to the editors"
        if is_due(newsroom, now)
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


def _due(newsroom: Newsroom, digest: DigestConfig, now: datetime) -> str | None:
    db = newsroom.db
    window = next_window(newsroom, digest, now)
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


def _pruning(db: Database, settings: Settings, now: datetime) -> str:
    store, keeping = settings.store, settings.prune
    old = would_prune(db, now, bounce_days=keeping.bounce_days, answer_days=keeping.answer_days)
    found = []
    if store.daily_backup and backup_is_due(store.path, store.backups, now):
        found.append("make a backup")
    if old.bounces:
        found.append(f"let go of {old.bounces} letters")
    if old.answers:
        found.append(f"let go of {old.answers} answers")
    return ", ".join(found) or "find nothing too old"
