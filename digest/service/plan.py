"""When each verb is woken, and what it would do if it were woken now. Nothing is changed."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import heappop, heappush

from digest.config.settings import Settings, SourceSettings
from digest.config.values import Rule, parse_rule
from digest.editions.alerts import look
from digest.editions.compose import next_window
from digest.editions.schedule import EPOCH, boundary_after, is_late
from digest.editions.store import last_edition, pending_editions
from digest.errors import DocumentError, MailboxError
from digest.mail.mailboxes import read_maildir
from digest.mail.outgoing import Kind
from digest.mail.store import unsent
from digest.newsroom import Newsroom
from digest.service.report import is_due
from digest.service.troubles import LEASE, find_troubles
from digest.sources.folder import list_documents, read_bytes
from digest.sources.store import arrivals_of, document_states
from digest.store.backups import backup_is_due, would_prune
from digest.store.database import Database
from digest.store.owner import current_lease

PRUNE_EVERY_MINUTES = 60.0
"""How often to look for what is too old, and whether the day has its backup."""
MIB = 1024 * 1024


class Verb(StrEnum):
    """What a tick wakes."""

    READ = "read"
    COMPOSE = "compose"
    SEND = "send"
    LINKS = "links"  # the mails that forms asked for
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
    """Every reason to wake a verb; none to compose, send or read bounces where that is off."""

    def every(verb: Verb, minutes: float) -> Rhythm:
        """At whole multiples, so that every process has the same ticks, whenever it was started."""
        length = timedelta(minutes=minutes)

        def after(moment: datetime) -> datetime:
            # A step from a boundary may round to itself; the next one is then the one after it.
            tick = EPOCH + (math.floor((moment - EPOCH) / length) + 1) * length
            return tick if tick > moment else tick + length

        return Rhythm(verb, f"every {minutes:g} min", after)

    def scheduled(verb: Verb, what: str, rule: Rule, zone: str) -> Rhythm:
        def after(moment: datetime) -> datetime:
            return boundary_after(rule, zone, moment).astimezone(UTC)

        return Rhythm(verb, f"schedule of {what}", after)

    service, report = settings.service, settings.report
    reasons = [every(Verb.READ, service.ingest_every_minutes)]
    if service.send:
        reasons.append(every(Verb.COMPOSE, service.send_every_minutes))
        reasons += [
            scheduled(Verb.COMPOSE, one.name, settings.digest_rule(one), settings.digest_zone(one))
            for one in settings.digests
        ]
        reasons.append(every(Verb.SEND, service.send_every_minutes))
        if settings.web.public_url is not None:
            reasons.append(every(Verb.LINKS, service.send_every_minutes))
        if report.mail_to:
            reasons.append(every(Verb.REPORT, service.send_every_minutes))
            rule = parse_rule(report.schedule)
            reasons.append(scheduled(Verb.REPORT, "the report", rule, settings.report_zone))
    if service.bounces is not None:
        reasons.append(every(Verb.BOUNCES, service.bounces_every_minutes))
    reasons.append(every(Verb.PRUNE, PRUNE_EVERY_MINUTES))
    reasons.append(every(Verb.WATCH, settings.alarms.every_minutes))
    return reasons


def wakeups(settings: Settings, now: datetime, count: int) -> list[Wakeup]:
    """The next `count` wake-ups after `now`, and the next one of each rhythm that is not among them;
    in order.
    """
    queue: list[tuple[datetime, int]] = []
    every = rhythms(settings)
    for i, rhythm in enumerate(every):
        heappush(queue, (rhythm.after(now), i))
    coming: list[tuple[datetime, int]] = []
    while len(coming) < count:
        at, i = heappop(queue)
        coming.append((at, i))
        heappush(queue, (every[i].after(at), i))
    shown = {i for _, i in coming}
    coming += sorted(entry for entry in queue if entry[1] not in shown)
    return [Wakeup(at, every[i].verb, every[i].cause) for at, i in coming]


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


def holder(db: Database, settings: Settings, now: datetime) -> str | None:
    """Which service wakes the verbs on this database; None if none does."""
    lease = current_lease(db, LEASE)
    length = timedelta(seconds=settings.service.lease_seconds)
    return lease.holder if lease is not None and lease.holds(now, length) else None


def outlook(newsroom: Newsroom, now: datetime) -> dict[Verb, str]:
    """In words, what each verb would do."""
    db, settings = newsroom.db, newsroom.settings
    store, keeping = settings.store, settings.prune
    news = [text for source in settings.sources if (text := _news(db, source))]
    due, pending, bounces, old = [], [], "do nothing", []
    for digest in settings.digests:
        window = next_window(newsroom, digest, now)
        if window is not None:
            last = last_edition(db, digest.name)
            late = is_late(window, now, digest.max_lateness_hours)
            number = 1 if last is None else last[0] + 1
            due.append(f"close {digest.name} no. {number}{', late: held for you' if late else ''}")
        pending += [str(one) for one in pending_editions(db, digest=digest.name, now=now)]
    if settings.service.bounces is not None:
        try:
            with read_maildir(settings.service.bounces) as mailbox:
                count = sum(1 for _ in mailbox.messages)
            bounces = f"read {count} messages" if count else "find nothing new"
        except MailboxError as e:
            bounces = str(e)
    if store.daily_backup and backup_is_due(store.path, store.backups, now):
        old.append("make a backup")
    pruned = would_prune(db, now, bounce_days=keeping.bounce_days, answer_days=keeping.answer_days)
    if pruned.bounces:
        old.append(f"delete the text of {pruned.bounces} bounces")
    if pruned.answers:
        old.append(f"delete {pruned.answers} server answers")
    troubles = find_troubles(newsroom, now)
    sends = [f"send what is due of edition {', '.join(pending)}"] if pending else []
    if notices := unsent(db):
        sends.insert(0, f"send notices to readers: {notices}")
    if alerts := look(newsroom, dry_run=True):
        sends.append(f"send alerts of what readers follow: {alerts}")
    return {
        Verb.READ: "; ".join(news) or "find nothing new",
        Verb.COMPOSE: "; ".join(due) or "find nothing due",
        Verb.LINKS: "send the mails that forms asked for"
        if unsent(db, (Kind.LINK,))
        else "find nothing due",
        Verb.SEND: "; ".join(sends) or "find nothing due",
        Verb.BOUNCES: bounces,
        Verb.PRUNE: ", ".join(old) or "find nothing too old",
        Verb.WATCH: "; ".join(trouble.key for trouble in troubles) or "find no trouble",
        Verb.REPORT: "send the mail to the editors"
        if is_due(newsroom, now)
        else "find nothing due",
    }


def _news(db: Database, source: SourceSettings) -> str | None:
    """What has come into a source since it was last read; None if nothing has."""
    if source.is_online:
        count = len(arrivals_of(db, source.name))
        return f"save {count} items of {source.name}" if count else None
    states = document_states(db, source.name)
    new = changed = 0
    try:
        for document in list_documents(source.folder, source.pattern):
            state = states.get(document.name)
            if state is None:
                new += 1
                continue
            data = read_bytes(document, int(source.size_limit_mib * MIB))
            changed += data is not None and hashlib.sha256(data).hexdigest() != state.sha256
    except DocumentError as e:
        return f"{source.name}: {e}"
    return f"read {new} new and {changed} changed of {source.name}" if new or changed else None
