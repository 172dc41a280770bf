"""What an operator must act on, as the database, the folders and the running service show it.

`status` prints it; alarms.py notifies people of it.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from digest.audience.evidence import DAY, open_brakes, waiting
from digest.config.settings import Settings, SourceSettings
from digest.editions.compose import next_window
from digest.editions.deliver import POLICY_LEAST, POLICY_SHARE
from digest.editions.deliveries import handed_deliveries
from digest.errors import DocumentError
from digest.language.text import cut
from digest.mail.ledger import without_addresses
from digest.model import NEVER, OTHER, Trouble
from digest.newsroom import Newsroom
from digest.service import store
from digest.sources.folder import check_folder
from digest.sources.store import open_proposals, poll_row, quiet_since
from digest.store.articles import count_in_window, embargoed
from digest.store.database import Database, Row, moment_from_text
from digest.store.files import write_fault
from digest.store.owner import bounces_read_at, current_lease, current_sender, is_sending

LEASE = "service"
"""The name under which the one service on a database holds it."""
VERB_KEY = "verb "
"""Begins the keys of troubles that only the running service knows of: its verbs that fail."""
NEWEST = 5000
"""How many recipients are checked where the check must not take longer on a larger database."""
FAILED_OFTEN = 3
"""Failures of a verb in a row that make a trouble."""
DEFERRED = timedelta(minutes=30)
"""Mail deferred for longer, with none accepted meanwhile, is a trouble of the relay."""
DEFERRED_LEAST = 5
QUOTED = 200
"""Characters of copy in a trouble."""
FEW = 5
"""How many articles are named that may be meant."""
NAMES_NOTHING = timedelta(days=7)
"""A kill of what we do not have is no trouble for longer."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A verb that keeps failing: since when, how often in a row, and its last error."""

    verb: str
    since: datetime
    times: int
    said: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What only the running service knows: verbs that fail, keys of troubles that are certainly over,
    why the database cannot be used, None if it can, and whether it leads.
    """

    failing: tuple[Failing, ...] = ()
    sound: frozenset[str] = frozenset()
    fault: str | None = None
    leads: bool = True


def find_troubles(
    newsroom: Newsroom, now: datetime, *, failing: Sequence[Failing] = ()
) -> tuple[Trouble, ...]:
    """Everything that waits for an operator, each with a key of its own, in a fixed order.

    Where the data do not show since when, it is since it was first recorded, else since `now`. Takes
    as long on a database of millions as on an empty one.
    """
    db, settings = newsroom.db, newsroom.settings
    brakes = open_brakes(db)
    recorded = {key: alarm.trouble.since for key, alarm in store.open_alarms(db).items()}
    troubles = [
        *(
            Trouble(f"disk {name}", fault, now, "Next: digest doctor.")
            for name, path in written_paths(settings).items()
            if (fault := write_fault(path))
        ),
        *_sources(db, settings, now),
        *(
            Trouble(
                f"{VERB_KEY}{one.verb}",
                f"The service's work “{one.verb}” failed {one.times} times in a row: "
                f"{without_addresses(one.said)}",
                one.since,
                "Next: digest doctor; the service's log has all of it.",
            )
            for one in failing
            if one.times >= FAILED_OFTEN
        ),
        *copy_that_waits(db, now),
        *_editions(db, settings, now, brakes),
        *_returns(db, settings, now, brakes),
        *filter(None, [stuck_sender(db, settings, now)]),
        *_not_composed(newsroom, now),
        *unserved(db, settings, now, newest=NEWEST),
        *_relay(db, settings, now),
    ]
    first = {trouble.key: trouble for trouble in reversed(troubles)}
    return tuple(
        replace(trouble, since=min(recorded.get(key, trouble.since), trouble.since))
        for key, trouble in reversed(first.items())
    )


def written_paths(settings: Settings) -> dict[str, Path]:
    """What the service writes to, by name; it may not exist yet."""
    paths = {"store": settings.store.path, "feeds": settings.feeds.path}
    if settings.mail.transport == "maildir":
        paths["outbox"] = settings.mail.outbox
    return paths


def _sources(db: Database, settings: Settings, now: datetime) -> Iterator[Trouble]:
    before = now - timedelta(hours=settings.alarms.source_hours)
    for source in settings.sources:
        if source.is_online:
            yield from _online(db, source, now, before)
            continue
        try:
            check_folder(source.folder)
        except DocumentError as e:
            yield Trouble(
                f"source {source.name}",
                f"The source {source.name} cannot be read: {e}.",
                now,
                f"Make {source.folder} readable, then: digest ingest.",
            )
            continue
        rows = store.unreadable_documents(db, source.name, before)
        # A document that was deleted keeps its row.
        faulty = [row for row in rows if os.path.lexists(source.folder / row["name"])]
        if faulty:
            first, more = faulty[0], len(faulty) - 1
            others = f", and {more} more" if more else ""
            yield Trouble(
                f"source {source.name}",
                f"{first['name']} of the source {source.name} cannot be read{others}: "
                f"{first['error']}.",
                moment_from_text(first["read_at"]),
                f"Correct or remove it in {source.folder}, then: digest ingest. "
                "digest doctor names them all.",
            )


def _online(
    db: Database, source: SourceSettings, now: datetime, before: datetime
) -> Iterator[Trouble]:
    """A source that fails, ended, or has been quiet for unusually long."""
    row, name = poll_row(db, source.name) or {}, source.name
    next_step = f"Next: digest sources check {name}, or digest sources pause {name}."
    if row.get("paused_at"):
        return
    if row.get("ended_at"):
        said = f"The source {name} ended: it answers that it is gone for good."
        next_step = f"Next: digest sources show {name}."
        yield Trouble(f"source {name}", said, moment_from_text(row["ended_at"]), next_step)
    elif row.get("error") and moment_from_text(row["failing_since"]) < before:
        said = f"The source {name} fails: {without_addresses(row['error'])}."
        yield Trouble(f"source {name}", said, moment_from_text(row["failing_since"]), next_step)
    elif (since := quiet_since(db, name, now)) is not None:
        said = f"The source {name} answers, but has had nothing new for unusually long."
        yield Trouble(f"source {name}", said, since, next_step)


def embargoes(db: Database, zone: str, now: datetime) -> str:
    """How many articles are embargoed, and until when; "" without any."""
    if not (opening := embargoed(db, now)):
        return ""
    until = f"{opening[0].astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"
    hour = f"the next until {until}" if opening[0] < NEVER else "without an hour"
    return f"{len(opening):,} {'article' if len(opening) == 1 else 'articles'} embargoed, {hour}"


def copy_that_waits(db: Database, now: datetime) -> Iterator[Trouble]:
    """Embargoes without an hour or too late, kills, and corrections of what is not certain."""
    for row in store.unclear_embargoes(db, now):
        number, words = row["id"], _quoted(row["embargo_words"])
        said = f"Article {number}, “{row['title']}”, {row['state']}{words}."
        advice = f"Next: digest articles release {number}, or digest articles withdraw {number}."
        yield Trouble(f"embargo {number}", said, moment_from_text(row["received_at"]), advice)
    for row in open_proposals(db):
        since, named = moment_from_text(row["made_at"]), row["named"]
        if not named and now - since > NAMES_NOTHING:
            continue
        asks = "withdraw" if row["kind"] == "kill" else "correct"
        ids, title = " or ".join(map(str, named[:FEW])), row["title"] or row["number"]
        which = f"article {ids}" if ids else "which we do not have"
        said = f"{row['document']} asks to {asks} “{title}”, {which}{_quoted(row['words'])}."
        advice = "Look for it under another title: digest articles search."
        if one := named[0] if named else row["article_id"]:
            advice = f"Next: digest articles withdraw {one}, or with --keep if it is to stay."
        yield Trouble(f"{row['kind']} {row['id']}", said, since, advice)


def _quoted(words: str) -> str:
    return f": “{cut(without_addresses(words) or '', QUOTED)}”" if words else ""


def _editions(
    db: Database, settings: Settings, now: datetime, brakes: Sequence[Row]
) -> Iterator[Trouble]:
    for row in store.held_editions(db):
        late, name = row["note"] is None, f"{row['digest']}/{row['number']}"
        why = "it was composed later than max_lateness_hours allows" if late else row["note"]
        release = f"digest editions release {row['id']}"
        if is_draft := row["approved_at"] is None:
            release = f"digest editions approve {row['id']} --expect HASH"
        yield Trouble(
            f"edition held {name}",
            f"Edition {name} is held, and its mail waits: {without_addresses(why)}.",
            moment_from_text(row["composed_at"]) if late else now,
            f"Next: digest editions show {row['id']}, then {release}, or cancel it."
            if late or is_draft
            else f"Correct what it names (digest doctor helps), then: {release}.",
        )
    if (handed := handed_deliveries(db)) and not is_sending(settings.store.path):
        yield Trouble(
            "handed",
            f"{len(handed):,} deliveries were handed over by a sender that died before the answer.",
            min(moment_from_text(row["handed_at"]) for row in handed),
            "Next: digest send --queued, which settles them and sends what is still queued.",
        )
    for row in store.uncertain_editions(db):
        count, name = row["uncertain"], f"{row['digest']}/{row['number']}"
        mails = "1 delivery is" if count == 1 else f"{count:,} deliveries are"
        where, option = f"edition {name}", f"--edition {row['id']}"
        if row["id"] is None:
            name, where, option = "notices", "the mail beside the editions", "--notices"
        yield Trouble(
            f"uncertain {name}",
            f"{mails} uncertain in {where}: nobody knows whether the mail arrived.",
            moment_from_text(row["uncertain_since"]),
            f"Next: digest deliveries list {option} --status uncertain, then digest deliveries settle.",
        )
    late_before = now - timedelta(hours=settings.alarms.late_hours)
    braked = {row["edition_id"] for row in brakes}
    for row in store.open_editions(db):
        if row["id"] not in braked and settings.digest(row["digest"]) is not None:  # else unserved
            yield from _open_edition(db, row, late_before, now)


MANY_UNPROVEN = 20
"""Letters without proof within a day that make a trouble."""
UNREAD = timedelta(hours=48)


def _returns(
    db: Database, settings: Settings, now: datetime, brakes: Sequence[Row]
) -> Iterator[Trouble]:
    """What came back and waits for a person; and a mailbox that nobody reads."""
    for row in brakes:
        name, edition = f"{row['digest']}/{row['number']}", row["edition_id"]
        where = f" at {row['provider']}" if row["provider"] else ""
        at = f"--edition {edition}" + (f" --at {row['provider']}" if row["provider"] else "")
        yield Trouble(
            f"brake {name}{where}",
            f"{row['dead']:,} of {row['recipients']:,} recipients of edition {name}{where} came out as "
            f"no such address within a day. None was suppressed; {row['queued']:,} more wait.",
            moment_from_text(row["begun_at"]),
            f"Look at some: digest bounces list --state braked. Then digest bounces confirm {at} if they "
            f"are gone, or digest bounces discard {at} if a server was wrong.",
        )
    count, since = waiting(db, now - DAY)
    if count >= MANY_UNPROVEN and since:
        yield Trouble(
            "unproven letters",
            f"{count:,} letters within a day ask to cut recipients off and prove nothing. Nobody was cut "
            "off.",
            moment_from_text(since),
            "Look at some: digest bounces list --state waits. Then digest bounces discard --waiting, or "
            "confirm those that are true.",
        )
    for row in store.refused_by_policy(db, now - UNREAD, POLICY_LEAST, POLICY_SHARE):
        name = f"{row['digest']}/{row['number']}"
        yield Trouble(
            f"policy {name}",
            f"{row['count']:,} recipients' servers refused edition {name} after it was accepted: not the "
            "address, but our mail or our server.",
            moment_from_text(row["since"]),
            "Next: digest bounces list --kind policy; then digest doctor, and the relay's operator.",
        )
    if (unread := unread_mailbox(db, settings, now)) is not None:
        yield unread


def unread_mailbox(db: Database, settings: Settings, now: datetime) -> Trouble | None:
    """Nobody reads what comes back: people who leave by mail would be mailed again."""
    if settings.mail.transport != "smtp":
        return None
    read_at, sent_at = bounces_read_at(db), store.first_sent(db)
    if read_at is not None and now - read_at <= UNREAD:
        return None
    since = read_at or sent_at
    if settings.service.bounces is None and read_at is None:
        why = "config.toml names no mailbox of bounces"
    elif since is None or now - since <= UNREAD:
        return None
    else:
        why = "the mailbox of bounces was not read for 48 hours"
    return Trouble(
        "bounces unread",
        f"Nobody reads what comes back: {why}. People who leave by mail would be mailed again.",
        since or now,
        "Set bounces in [service] to a maildir, or let digest bounces read run every hour.",
    )


def stuck_sender(db: Database, settings: Settings, now: datetime) -> Trouble | None:
    """A process that keeps all others from sending although mail waits, and sends nothing itself: it was
    stopped, as by SIGSTOP. The service that leads is none: it waits for a mail server, and lives."""
    handed, editions = handed_deliveries(db), store.open_editions(db)
    seen = [moment_from_text(row["handed_at"]) for row in handed]
    seen += [sent for row in editions if (sent := store.last_sent(db, row["id"]))]
    length = timedelta(seconds=settings.service.lease_seconds)
    # Looked at first, since a look at the lock would be in the way of one who begins to send.
    if not (handed or editions) or any(now - moment < length for moment in seen):
        return None
    sender, lease = current_sender(settings.store.path), current_lease(db, LEASE)
    if sender is None or now - sender[1] < length:
        return None
    pid, started = sender
    if lease and lease.holds(now, length) and lease.holder.endswith(f"process {pid}"):
        return None
    since = max([started, *seen])
    return Trouble(
        "sender",
        f"Mail waits for process {pid}, which began to send at {started:%Y-%m-%d %H:%M:%S} UTC, does not "
        "go on, and keeps every other process from sending.",
        since,
        f"Look at it: ps -o pid,stat,args -p {pid}. If its state begins with T, it is stopped: kill -CONT "
        f"{pid}. Else end it: kill {pid}. The next sender settles what it handed over.",
    )


def _open_edition(
    db: Database, edition: Row, late_before: datetime, now: datetime
) -> Iterator[Trouble]:
    sent_at = store.last_sent(db, edition["id"])
    # Due for long, and nothing goes out: seen in the last deliveries, which are sent last.
    queued = store.queued_sample(db, edition["id"], last=True)
    due = min((moment_from_text(row["due_at"]) for row in queued if row["due_at"]), default=None)
    if due is not None and due <= late_before and (sent_at is None or sent_at <= late_before):
        name = f"{edition['digest']}/{edition['number']}"
        yield Trouble(
            f"edition late {name}",
            f"The mail of edition {name} is due, and does not go out.",
            due,
            f"Is the service running? Next: digest schedule, then digest send {edition['digest']}.",
        )
    # Deferred by the server from the first ones on, with nothing accepted since.
    queued = store.queued_sample(db, edition["id"], last=False)
    tried = [row for row in queued if row["answer"] and row["first_tried_at"]]
    if tried and len(tried) >= min(DEFERRED_LEAST, edition["recipients"]):
        first = min(tried, key=lambda row: str(row["first_tried_at"]))
        since = moment_from_text(first["first_tried_at"])
        if since <= now - DEFERRED and (sent_at is None or sent_at < since):
            yield _relay_trouble(first["server"] or "the mail server", first["answer"], since)


def _not_composed(newsroom: Newsroom, now: datetime) -> Iterator[Trouble]:
    """Editions that nobody has composed although their hour has come."""
    settings = newsroom.settings
    for digest in settings.digests if settings.service.send else ():
        window = next_window(newsroom, digest, now)
        if window is None or now - window.ends_at < timedelta(hours=settings.alarms.late_hours):
            continue
        themes, languages = settings.digest_themes(digest), settings.digest_languages(digest)
        wanted = window, languages, themes, settings.theme_keys
        if digest.empty != "skip" or count_in_window(newsroom.db, *wanted):
            yield Trouble(
                f"edition late {digest.name}",
                f"The edition of {digest.name} that was due then has not been composed.",
                window.ends_at,
                f"Is the service running? Next: digest schedule, then digest compose {digest.name}.",
            )


def unserved(
    db: Database, settings: Settings, now: datetime, *, newest: int | None = None
) -> Iterator[Trouble]:
    """Editions that cannot go out and recipients who can get no mail, because of what config.toml no
    longer has. `newest` limits how many recipients are checked.
    """
    for row in store.editions_of_others(db, [digest.name for digest in settings.digests]):
        name = f"{row['digest']}/{row['number']}"
        mails = "1 delivery" if row["queued"] == 1 else f"{row['queued']:,} deliveries"
        yield Trouble(
            f"edition orphaned {name}",
            f"{mails} of edition {name} cannot go out: {settings.path.name} has no digest "
            f"{row['digest']!r} any more.",
            now,
            "Put the digest back under this name (what readers see is its title), or give this mail "
            f"up: digest editions cancel {row['id']}.",
        )
    known = {
        "digest": [digest.name for digest in settings.digests],
        "theme": [*settings.theme_keys, OTHER],
        "language": settings.site.languages,
    }
    for what, names in known.items():
        count, gone = store.without_any_of(db, what, names, newest=newest)
        if count:
            who = "1 recipient gets" if count == 1 else f"{count:,} recipients get"
            chosen = ", ".join(gone)
            yield Trouble(
                f"recipients of no {what}",
                f"{who} no mail: the only choice is a {what} that {settings.path.name} no longer has "
                f"({chosen}).",
                now,
                "Put it back under its name, or give each another choice: digest recipients list "
                f"shows who chose {chosen}, digest recipients add ADDRESS --{what} NAME changes it.",
            )


def _relay(db: Database, settings: Settings, now: datetime) -> Iterator[Trouble]:
    """While no edition goes out, our own notices show a relay that refuses; and pings show a hub that does."""
    row = store.refused_notices(db, (*settings.alarms.mail_to, *settings.report.mail_to))
    if row is not None and (since := moment_from_text(row["since"])) <= now - DEFERRED:
        yield _relay_trouble("the mail server", row["answer"] or "no answer", since)
    row = store.refused_notices(db, [settings.feeds.hub] if settings.feeds.hub else ())
    if row is not None and (since := moment_from_text(row["since"])) <= now - DEFERRED:
        yield Trouble(
            "hub",
            f"The WebSub hub does not accept our pings: {row['answer'] or 'no answer'}. Who follows a feed "
            "through it hears late of what is new.",
            since,
            "Correct hub in [feeds], or ask its operator. Then: digest publish.",
        )


def _relay_trouble(server: str, answer: str, since: datetime) -> Trouble:
    return Trouble(
        "relay",
        f"Mail is deferred by {server}: {without_addresses(answer)}",
        since,
        "It is tried again by itself. Next: digest doctor asks each server.",
    )
