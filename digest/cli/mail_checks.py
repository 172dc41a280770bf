"""What `digest doctor` looks at before mail goes out; `digest send` asks what of it is red."""

import contextlib
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH

from digest.cli.findings import Finding, checked
from digest.config.settings import Settings
from digest.errors import NotReadyError
from digest.mail.notices import is_usable
from digest.runtime import Runtime
from digest.store.database import Database, moment_from_text
from digest.store.summary import damaged_pages, last_window_end
from digest.troubles import disk_fault, existing

SOON_FULL_MB = 1000
MB = 1_000_000
SLACK = timedelta(minutes=5)
"""A window ends at a whole second, and the clock of a machine is set by some seconds now and then."""


def refuse_what_is_red(db: Database, room: Runtime, despite: tuple[str, ...]) -> None:
    """Hold back mail that the doctor would not let out; only checks that ask no network.

    Raises:
        NotReadyError: something is wrong that concerns sending, and is not named in `despite`.
    """
    for finding in concerning_sending(db, room):
        if finding.grade == "red" and finding.name not in despite:
            raise NotReadyError(
                f"{finding.name}: {finding.said}. {finding.advice} Nothing was sent. "
                f"To send all the same: digest send --despite {finding.name}."
            )


def concerning_sending(db: Database, room: Runtime) -> Iterator[Finding]:
    """The checks that `digest send` makes, too: site, store, database, dkim, clock."""
    yield from site(room.settings)
    yield folder("store", room.settings.store.path)
    yield pages(db)
    yield from dkim(room)
    yield clock(db, room.now())


def pages(db: Database) -> Finding:
    """Whether the file can be trusted with what is sent; not as thorough as the doctor's look."""
    if faults := damaged_pages(db):
        advice = "Restore the last backup; see docs/operating.md, “The database”."
        return Finding("database", "red", "; ".join(faults), advice)
    return Finding("database", "green", f"{db.path} is sound")


def site(settings: Settings) -> Iterator[Finding]:
    """Red where mail with links to nowhere could leave this machine."""
    host = settings.site.base_url.partition("://")[2]
    mail = settings.mail
    if host.endswith(("example.org", "example.com", "example.net")):
        leaves = mail.transport == "smtp" and not all(one.is_loopback for one in mail.servers)
        yield Finding(
            "site",
            "red" if leaves else "yellow",
            f"base_url is still {settings.site.base_url}",
            "Set site.base_url to where your readers find you; links in feeds and mail use it.",
        )


def folder(name: str, path: Path) -> Finding:
    """Whether it can be written, and whether there is room on its disk."""
    if fault := disk_fault(path):
        return Finding(
            name,
            "red",
            fault.removesuffix("."),
            "Check the permissions, the room on the disk, and whether it is mounted for reading only.",
        )
    free = shutil.disk_usage(existing(path)).free // MB
    if free < SOON_FULL_MB:
        said = f"{path}: only {free} MB are free"
        return Finding(name, "yellow", said, "Make room on the disk.")
    return Finding(name, "green", f"{path}, {free:,} MB free")


def dkim(room: Runtime) -> Iterator[Finding]:
    """Whether the keys can sign, and the records that DNS must hold for them."""
    if room.settings.mail.dkim is None:
        return

    def records() -> str:
        domain = room.settings.mail.from_address.rpartition("@")[2]
        keys = room.signer.keys if room.signer is not None else ()
        return "DNS must hold " + "; ".join(
            f'{key.selector}._domainkey.{domain} TXT "{key.dns_record}"' for key in keys
        )

    yield checked("dkim", records, "Mend [mail.dkim] in config.toml.")


def alarms(settings: Settings) -> Finding:
    """Whether somebody hears of what goes wrong while nobody looks."""
    told = settings.alarms
    named = [*(["the webhook"] if told.has_webhook else []), *(["mail"] if told.mail_to else [])]
    if not named:
        return Finding(
            "alarms",
            "yellow",
            "nobody is told when the service needs help",
            "Name mail addresses or a webhook in [alarms].",
        )
    try:
        url = told.webhook()
    except NotReadyError as e:
        return Finding("alarms", "red", str(e), "It belongs to the user of the service.")
    if told.has_webhook and url is None:
        return Finding(
            "alarms",
            "red",
            "the variable or file that [alarms] names for the webhook is not there",
            "Set it where the service gets its environment, or take it out of [alarms].",
        )
    if url is not None and not is_usable(url):
        return Finding(
            "alarms",
            "red",
            "the webhook is no absolute http or https address",
            "Put the whole address into the variable or file that [alarms] names.",
        )
    return Finding("alarms", "green", f"told by {' and '.join(named)}")


def clock(db: Database, now: datetime) -> Finding:
    """A clock that went back would close windows that are closed already."""
    last = last_window_end(db)
    if last is None or moment_from_text(last) <= now + SLACK:
        return Finding("clock", "green", f"{now:%Y-%m-%d %H:%M} UTC")
    return Finding(
        "clock",
        "red",
        f"says {now:%Y-%m-%d %H:%M} UTC, but the newest edition ends at {last}",
        "Set this machine's clock.",
    )


def zones(settings: Settings) -> Finding:
    """Which rules of the clock this machine has: schedules and days are told by them."""
    used = {settings.site.time_zone, *(settings.digest_zone(one) for one in settings.digests)}
    said = f"{', '.join(sorted(used))}, by the rules of {_zone_rules()}"
    return Finding("zones", "green", said)


def _zone_rules() -> str:
    """The release of the time zone database, as far as it says."""
    for place in map(Path, TZPATH):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for name, mark in (("tzdata.zi", "# version "), ("+VERSION", "")):
                if (place / name).is_file():
                    first = (place / name).read_text("ascii").partition("\n")[0]
                    return first.removeprefix(mark)
            if (place / "UTC").exists():
                return f"{place}, which says no release"
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"the package tzdata {version('tzdata')}"
    except PackageNotFoundError:
        return "an unknown release"


def addresses(settings: Settings) -> Iterator[Finding]:
    """Mail to leave must come to us: to the domain that the sender's mail comes back to."""
    ours = settings.mail.from_address.rpartition("@")[2].lower()
    theirs = settings.mail.unsubscribe_address.rpartition("@")[2].lower()
    if theirs == ours or theirs.endswith(f".{ours}") or ours.endswith(f".{theirs}"):
        yield Finding("leaving", "green", f"mail to {settings.mail.unsubscribe_address}")
    else:
        yield Finding(
            "leaving",
            "yellow",
            f"unsubscribe_address is at {theirs}, but the sender is at {ours}",
            "Take an address of your own domain that digest bounces read can read.",
        )


def relay(settings: Settings) -> Iterator[Finding]:
    """Each server is greeted and left again, with TLS and login; at most 10 seconds."""
    mail = settings.mail
    if mail.transport != "smtp":
        yield Finding("relay", "green", f"none: mail is written to {mail.outbox}")
        return
    from digest.mail.smtp.reach import reach

    try:
        found = reach(mail.servers, helo_name=mail.helo_name)
    except NotReadyError as e:
        yield Finding("relay", "red", str(e), "Set the password, or the path.")
        return
    for name, fault in found:
        if fault is None:
            yield Finding(f"relay {name}", "green", "answers, and lets us in")
        else:
            advice = "Mend its [[mail.servers]] in config.toml, or ask who runs it."
            yield Finding(f"relay {name}", "red", fault, advice)
