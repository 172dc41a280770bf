"""What an operator must act on, as the database, the folders and the running service show it.

It decides nothing about whom to tell: `status` prints it, the alarms carry it out of the house.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from digest.config.settings import DigestConfig, Settings
from digest.editions.compose import next_window
from digest.errors import DocumentError
from digest.mail.ledger import without_addresses
from digest.model import OTHER, Trouble
from digest.newsroom import Newsroom
from digest.service import store as watching
from digest.service.store import editions_of_others, open_alarms, without_any_of
from digest.sources.folder import check_folder
from digest.store.database import Database, Row, moment_from_text
from digest.store.files import write_fault

NEWEST = 5000
"""So many recipients are looked at where a look must not take longer on a larger store."""


def unserved(
    db: Database, settings: Settings, now: datetime, *, newest: int | None = None
) -> Iterator[Trouble]:
    """Editions that cannot go out, and recipients who can get no mail, each with what to do; `newest`
    limits how many recipients are looked at.
    """
    yield from unserved_editions(db, settings, now)
    yield from unserved_recipients(db, settings, now, newest=newest)


def unserved_editions(db: Database, settings: Settings, now: datetime) -> Iterator[Trouble]:
    for row in editions_of_others(db, [digest.name for digest in settings.digests]):
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


def unserved_recipients(
    db: Database, settings: Settings, now: datetime, *, newest: int | None = None
) -> Iterator[Trouble]:
    known = {
        "digest": [digest.name for digest in settings.digests],
        "theme": [*settings.theme_keys, OTHER],
        "language": settings.site.languages,
    }
    for what, names in known.items():
        count, gone = without_any_of(db, what, names, newest=newest)
        if count:
            who = "1 recipient gets" if count == 1 else f"{count:,} recipients get"
            told = ", ".join(gone)
            yield Trouble(
                f"recipients of no {what}",
                f"{who} no mail: chosen is only what {settings.path.name} has no {what} for any more "
                f"({told}).",
                now,
                "Put it back under its name, or give each another choice: digest recipients list "
                f"shows who chose {told}, digest recipients add ADDRESS --{what} NAME changes it.",
            )


FAILED_OFTEN = 3
"""So many failures of a verb in a row are one trouble."""
PUT_OFF = timedelta(minutes=30)
"""Mail put off for longer, with none taken meanwhile, is the relay's trouble, not the recipients'."""
PUT_OFF_LEAST = 5


@dataclass(frozen=True, slots=True)
class Failing:
    """A verb of the running service that fails again and again: since when, how often in a row, and
    what it said last. Only the service's memory knows."""

    verb: str
    since: datetime
    times: int
    said: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What only the running service knows: verbs that fail, the keys of troubles that it knows to be
    over, and why the database cannot be used, None where it can.
    """

    failing: tuple[Failing, ...] = ()
    sound: frozenset[str] = frozenset()
    fault: str | None = None


def verb_key(verb: str) -> str:
    """The key of the trouble that this verb fails again and again."""
    return f"verb {verb}"


def find_troubles(
    newsroom: Newsroom, now: datetime, *, failing: Sequence[Failing] = ()
) -> tuple[Trouble, ...]:
    """Everything that waits for an operator, each with a key of its own, in a fixed order.

    Where the data do not tell since when, it is since the watch first saw it, else since `now`. Takes
    as long on a store of millions as on an empty one.
    """
    db, settings = newsroom.db, newsroom.settings
    seen = {key: alarm.trouble.since for key, alarm in open_alarms(db).items()}
    found = [
        *_disks(settings, now),
        *_sources(db, settings, now),
        *_verbs(failing),
        *_editions(db, settings, now),
        *_not_composed(newsroom, now),
        *unserved(db, settings, now, newest=NEWEST),
        *_relay(db, settings, now),
    ]
    first = {one.key: one for one in reversed(found)}
    return tuple(
        replace(one, since=min(seen.get(key, one.since), one.since))
        for key, one in reversed(first.items())
    )


def store_trouble(said: str, since: datetime) -> Trouble:
    """The database itself cannot be used: only the service's memory can know, and tell."""
    return Trouble(
        "database",
        f"The database cannot be used: {said}",
        since,
        "Nothing is read, composed or sent until it can. Next: digest doctor; docs/trouble.md, "
        "“When the disk fails”.",
    )


def places(settings: Settings) -> dict[str, Path]:
    """What is written all the time, by its name; it may not be there yet."""
    found = {"store": settings.store.path, "feeds": settings.feeds.path}
    if settings.mail.transport == "maildir":
        found["outbox"] = settings.mail.outbox
    return found


def _disks(settings: Settings, now: datetime) -> Iterator[Trouble]:
    for name, path in places(settings).items():
        if said := write_fault(path):
            yield Trouble(f"disk {name}", said, now, "Next: digest doctor.")


def _sources(db: Database, settings: Settings, now: datetime) -> Iterator[Trouble]:
    before = now - timedelta(hours=settings.alarms.source_hours)
    for source in settings.sources:
        try:
            check_folder(source.path)
        except DocumentError as e:
            yield Trouble(
                f"source {source.name}",
                f"The source {source.name} cannot be read: {e}.",
                now,
                f"Make {source.path} readable, then: digest ingest.",
            )
            continue
        rows = watching.unreadable_documents(db, source.name, before)
        # A document that was taken away keeps its row.
        faulty = [row for row in rows if os.path.lexists(source.path / row["name"])]
        if faulty:
            first, more = faulty[0], len(faulty) - 1
            others = f", and {more} more" if more else ""
            yield Trouble(
                f"source {source.name}",
                f"{first['name']} of the source {source.name} cannot be read{others}: "
                f"{first['error']}.",
                moment_from_text(first["read_at"]),
                f"Correct or remove it in {source.path}, then: digest ingest. "
                "digest doctor names them all.",
            )


def _verbs(failing: Sequence[Failing]) -> Iterator[Trouble]:
    for one in failing:
        if one.times >= FAILED_OFTEN:
            yield Trouble(
                verb_key(one.verb),
                f"The service's work “{one.verb}” failed {one.times} times in a row: "
                f"{without_addresses(one.said)}",
                one.since,
                "Next: digest doctor; the service's log has the whole of it.",
            )


def _editions(db: Database, settings: Settings, now: datetime) -> Iterator[Trouble]:
    for row in watching.held_editions(db):
        yield _held(row, now)
    for row in watching.uncertain_editions(db):
        count = row["uncertain"]
        mails = "1 delivery is" if count == 1 else f"{count:,} deliveries are"
        yield Trouble(
            f"uncertain {_name(row)}",
            f"{mails} uncertain in edition {_name(row)}: nobody knows whether the mail arrived.",
            moment_from_text(row["uncertain_since"]),
            f"Next: digest deliveries list --edition {row['id']} --status uncertain, then "
            "digest deliveries settle.",
        )
    late = now - timedelta(hours=settings.alarms.late_hours)
    for row in watching.open_editions(db):
        if settings.digest(row["digest"]) is not None:  # else it is unserved
            yield from _waiting(db, row, late)
            yield from _put_off(db, row, now)


def _name(row: Row) -> str:
    return f"{row['digest']}/{row['number']}"


def _held(row: Row, now: datetime) -> Trouble:
    late, name = row["note"] is None, _name(row)
    why = "it was composed later than max_lateness_hours allows" if late else row["note"]
    show = f"digest editions show {row['id']}"
    return Trouble(
        f"edition held {name}",
        f"Edition {name} is held, and its mail waits: {without_addresses(why)}.",
        moment_from_text(row["composed_at"]) if late else now,
        f"Next: {show}, then digest editions release {row['id']}, or cancel it."
        if late
        else f"Correct what it names (digest doctor helps), then: digest editions release {row['id']}.",
    )


def _waiting(db: Database, row: Row, late: datetime) -> Iterator[Trouble]:
    """Deliveries that were due long ago, of an edition of which nothing goes out."""
    dues = [moment_from_text(one["due_at"]) for one in _queued(db, row, last=True) if one["due_at"]]
    if not dues or min(dues) > late:
        return
    taken = watching.last_taken(db, row["id"])
    if taken is None or taken <= late:
        yield Trouble(
            f"edition late {_name(row)}",
            f"The mail of edition {_name(row)} is due, and does not go out.",
            min(dues),
            f"Is the service running? Next: digest schedule, then digest send {row['digest']}.",
        )


def _put_off(db: Database, row: Row, now: datetime) -> Iterator[Trouble]:
    """A first part of an edition that its server puts off, with nothing taken since."""
    tried = [one for one in _queued(db, row, last=False) if one["answer"] and one["first_tried_at"]]
    if not tried or len(tried) < min(PUT_OFF_LEAST, row["recipients"]):
        return
    first = min(tried, key=lambda one: str(one["first_tried_at"]))
    since = moment_from_text(first["first_tried_at"])
    taken = watching.last_taken(db, row["id"])
    if since <= now - PUT_OFF and (taken is None or taken < since):
        yield _relay_trouble(first["server"] or "the mail server", first["answer"], since)


def _queued(db: Database, row: Row, *, last: bool) -> list[Row]:
    return watching.queued_sample(db, row["id"], last=last)


def _not_composed(newsroom: Newsroom, now: datetime) -> Iterator[Trouble]:
    """Editions that nobody has closed although their hour has come."""
    settings = newsroom.settings
    if not settings.service.send:
        return
    for digest in settings.digests:
        ends_at = _missed(newsroom, digest, now)
        if ends_at is not None:
            yield Trouble(
                f"edition late {digest.name}",
                f"The edition of {digest.name} that was due then has not been composed.",
                ends_at,
                "Is the service running? Next: digest schedule, then digest compose "
                f"{digest.name}.",
            )


def _missed(newsroom: Newsroom, digest: DigestConfig, now: datetime) -> datetime | None:
    db, settings = newsroom.db, newsroom.settings
    window = next_window(newsroom, digest, now)
    if window is None or now - window.ends_at < timedelta(hours=settings.alarms.late_hours):
        return None
    themes, languages = settings.digest_themes(digest), settings.digest_languages(digest)
    if digest.empty == "skip" and not watching.has_news(db, window, languages, themes):
        return None
    return window.ends_at


def _relay(db: Database, settings: Settings, now: datetime) -> Iterator[Trouble]:
    """Our own notices show a relay that refuses while no edition goes out."""
    named = (*settings.alarms.mail_to, *settings.report.mail_to)
    row = watching.refused_notices(db, named)
    if row is not None and (since := moment_from_text(row["since"])) <= now - PUT_OFF:
        yield _relay_trouble("the mail server", row["answer"] or "no answer", since)


def _relay_trouble(server: str, answer: str, since: datetime) -> Trouble:
    return Trouble(
        "relay",
        f"Mail is deferred by {server}: {without_addresses(answer)}",
        since,
        "It is tried again by itself. Next: digest doctor asks each server.",
    )
