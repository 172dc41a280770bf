"""What `digest doctor` looks at: each check gives a finding, and none stops the others."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from digest.cli import dns_checks, feed_checks, mail_checks, store_checks, template_checks
from digest.cli.dns_checks import Nameserver
from digest.cli.findings import Finding, checked
from digest.compose import preview
from digest.config.settings import DigestConfig, Settings
from digest.errors import DigestError, LexiconError
from digest.model import Edition, Segment
from digest.rehearsal import everything, preview_segments
from digest.runtime import Runtime
from digest.sources.folder import list_documents
from digest.store.database import Database
from digest.store.filings import count_filed_otherwise
from digest.store.sqlite import sqlite3
from digest.store.summary import faulty_documents
from digest.troubles import places

SOUND_SQLITE = (3, 51, 3)
"""Before it, two connections that write and checkpoint at once can damage a WAL database."""


def examine(room: Runtime, nameserver: Nameserver | None = None) -> list[Finding]:
    """Every finding, in the order in which news travels. The configuration itself was read before.

    `nameserver` is asked instead of this machine's own.
    """
    settings = room.settings
    return [
        Finding("configuration", "green", f"{settings.path} has no fault"),
        *mail_checks.site(settings),
        _sqlite(),
        *_sources(settings),
        *(mail_checks.folder(name, path) for name, path in places(settings).items()),
        *_lexicon(room),
        *mail_checks.addresses(settings),
        *mail_checks.dkim(room),
        *mail_checks.relay(settings),
        *dns_checks.sender(room, nameserver),
        mail_checks.alarms(settings),
        *template_checks.templates(room),
        feed_checks.feeds(settings),
        mail_checks.zones(settings),
        *_with_store(room),
    ]


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if tuple(int(part) for part in version.split(".")) >= SOUND_SQLITE:
        return Finding("SQLite", "green", f"{version}")
    return Finding(
        "SQLite",
        "yellow",
        f"{version}; before 3.51.3 a database with several writers can be damaged",
        "Install pysqlite3 where it has a wheel, or run one writing command at a time.",
    )


def _sources(settings: Settings) -> Iterator[Finding]:
    for source in settings.sources:
        try:
            found = list_documents(source.path, source.pattern)
        except DigestError as e:
            yield Finding(
                f"source {source.name}", "red", str(e), "Set its path, or make the folder."
            )
            continue
        grade = "green" if found else "yellow"
        said = f"{len(found)} documents match {source.pattern} in {source.path}"
        yield Finding(f"source {source.name}", grade, said)


def _lexicon(room: Runtime) -> Iterator[Finding]:
    yield checked(
        "themes",
        lambda: f"lexicon {room.lexicon.version} of {len(room.settings.themes)} themes compiles",
        "Mend the terms in config.toml.",
    )


def _with_store(room: Runtime) -> Iterator[Finding]:
    if not room.settings.store.path.exists():
        yield Finding(
            "database",
            "yellow",
            f"{room.settings.store.path} is not there yet",
            "digest ingest makes it.",
        )
        return
    try:
        db = room.open(read_only=True)
    except DigestError as e:
        yield Finding("database", "red", str(e), "See docs/operating.md, “The database”.")
        return
    with db:
        sound = store_checks.database(db)
        yield sound
        if sound.grade == "red":
            return
        yield mail_checks.clock(db, room.now())
        yield store_checks.lease(db, room.settings, room.now())
        yield store_checks.backups(db, room.settings, room.now())
        yield from _documents(db)
        yield from store_checks.sending(db, room.now())
        yield from store_checks.choices(db, room.settings, room.now())
        yield from _filing(db, room)
        yield from _mail(db, room)


def _documents(db: Database) -> Iterator[Finding]:
    for row in faulty_documents(db):
        yield Finding(
            f"document {row['document']}",
            "yellow",
            row["error"],
            f"Mend or remove it in source {row['source']}, then digest ingest.",
        )


def _filing(db: Database, room: Runtime) -> Iterator[Finding]:
    """Whether the themes in force filed what is stored; where they do not compile, that was said."""
    try:
        count = count_filed_otherwise(db, room.lexicon.version)
    except LexiconError:
        return
    if count:
        yield Finding(
            "filing",
            "yellow",
            f"{count:,} articles were filed by another version of the themes",
            "Next: digest themes try shows what would change, digest themes apply does it.",
        )


def _mail(db: Database, room: Runtime) -> Iterator[Finding]:
    """Renders each digest's mail as it would go out now, in each language."""
    for digest in room.settings.digests:
        edition = preview(db, room.settings, digest, room.now())
        if edition is None:
            yield Finding(f"digest {digest.name}", "green", "nothing has come in yet")
        else:
            heavy: list[str] = []
            rendering = partial(_render, room, digest, edition, heavy)
            found = checked(f"digest {digest.name}", rendering, "Mend the template it names.")
            advice = "Lower per_theme of the digest: some mail programs cut what is larger."
            yield replace(found, grade="yellow", advice=advice) if heavy else found


def _render(room: Runtime, digest: DigestConfig, edition: Edition, heavy: list[str]) -> str:
    """What to say of the mails; `heavy` gets the languages of those over the budget."""
    segments = [
        Segment(everything(room.settings, digest, language), 0)
        for language in room.settings.digest_languages(digest)
    ]
    previews = preview_segments(room.settings, digest, edition, segments, room.templates)
    budget = room.settings.mail.budget_kb * 1000
    heavy += [one.segment.choice.language for one in previews if len(one.message) > budget]
    sizes = ", ".join(
        f"{one.segment.choice.language} {len(one.message) / 1000:.0f} kB" for one in previews
    )
    warnings = dict.fromkeys(text for one in previews for text in one.warnings)
    return "; ".join([f"renders: {sizes}", *warnings])
