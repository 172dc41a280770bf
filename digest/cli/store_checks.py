"""What `digest doctor` looks at in the database and its copies."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from digest.cli.findings import Finding
from digest.config.settings import Settings
from digest.schedule.plan import LEASE
from digest.store.database import Database, created_at
from digest.store.keeping import backup_made_at, backups_until
from digest.store.lease import current_lease
from digest.store.summary import integrity_faults, sending_at_a_glance
from digest.unserved import unserved

OLDEST_BACKUP = timedelta(days=2)
OVERDUE = timedelta(days=1)


def database(db: Database) -> Finding:
    """Damaged pages, broken references."""
    if faults := integrity_faults(db):
        advice = "Restore the last backup; see docs/operating.md, “The database”."
        return Finding("database", "red", "; ".join(faults), advice)
    return Finding("database", "green", f"{db.path} is sound")


def lease(db: Database, settings: Settings, now: datetime) -> Finding:
    """Which service wakes the verbs, and whether it still does."""
    held = current_lease(db, LEASE)
    if held is None:
        return Finding(
            "service", "green", "none runs on this database; timers may run the commands"
        )
    until = f"{held.expires_at:%Y-%m-%d %H:%M} UTC"
    if held.holds(now, timedelta(seconds=settings.service.lease_seconds)):
        return Finding("service", "green", f"{held.holder} wakes the verbs")
    if held.expires_at > now:
        said = f"{held.holder} holds the lease until {until}: the clock was put back since"
        return Finding("service", "yellow", said, "Look whether it runs: the next beat mends it.")
    said = f"{held.holder} ended without a word; its lease ran out at {until}"
    return Finding("service", "yellow", said, "Look into its log, then start digest serve again.")


def backups(db: Database, settings: Settings, now: datetime) -> Finding:
    """How old the newest copy in store.backups is; where there is none, how old the database is."""
    store = settings.store
    found = backups_until(store.path, store.backups, now)
    made = backup_made_at(found[-1]) if found else created_at(db)
    said = (
        f"the newest of {len(found)} is of {made:%Y-%m-%d %H:%M} UTC"
        if found
        else f"there is none in {store.backups}"
    )
    if now - made > OLDEST_BACKUP:
        return Finding(
            "backup",
            "yellow",
            said,
            "Run digest backup every night by cron, or set daily_backup in [keeping].",
        )
    return Finding("backup", "green", said)


def sending(db: Database, now: datetime) -> Iterator[Finding]:
    """What waits for a person, or for a `digest send` that does not come."""
    row = sending_at_a_glance(db, now - OVERDUE)
    waiting = (
        (
            "editions",
            "held",
            row["held"],
            "wait for your word",
            "See digest editions list, then digest editions release or cancel.",
        ),
        (
            "deliveries",
            "uncertain",
            row["uncertain"],
            "may have arrived or not",
            "See digest deliveries list --status uncertain, then digest deliveries settle.",
        ),
        (
            "deliveries",
            "overdue",
            row["overdue"],
            "could have gone out more than a day ago",
            "Run digest send.",
        ),
    )
    for what, state, count, said, advice in waiting:
        if count:
            yield Finding(f"{state} {what}", "yellow", f"{count:,} {said}", advice)
        else:
            yield Finding(f"{state} {what}", "green", "none")


def choices(db: Database, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Editions and recipients to whom nothing can go because of what config.toml no longer has."""
    found = list(unserved(db, settings, now))
    for one in found:
        yield Finding(one.key, "red", one.said.removesuffix("."), one.advice)
    if not found:
        yield Finding("choices", "green", "config.toml has what every recipient chose from")
