"""What `digest doctor` looks at: each check gives a finding, and none stops the others."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from digest.store.summary import faulty_documents, integrity_faults

SOUND_SQLITE = (3, 51, 3)
"""Before it, two connections that write and checkpoint at once can damage a WAL database."""
LEAST_FREE_MB = 200
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """`grade` is green, yellow (look at it) or red (must be mended)."""

    name: str
    grade: str
    said: str
    advice: str = ""

    def as_data(self) -> dict[str, str]:
        return {"name": self.name, "grade": self.grade, "said": self.said, "advice": self.advice}


def examine(room: Runtime) -> list[Finding]:
    """Every finding, in the order in which news travels. The configuration itself was read before."""
    settings = room.settings
    return [
        Finding("configuration", "green", f"{settings.path} has no fault"),
        *_example_values(settings),
        _sqlite(),
        *_sources(settings),
        _folder("store", settings.store.path.parent),
        _folder("feeds", settings.feeds.path),
        *_lexicon(room),
        *_with_store(room),
    ]


def _example_values(settings: Settings) -> Iterator[Finding]:
    host = settings.site.base_url.partition("://")[2]
    if host.endswith(("example.org", "example.com", "example.net")):
        yield Finding(
            "site",
            "yellow",
            f"base_url is still {settings.site.base_url}",
            "Set site.base_url to where your readers find you; links in feeds and mail use it.",
        )


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


def _folder(name: str, folder: Path) -> Finding:
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(existing).free // MB
    if free < LEAST_FREE_MB:
        return Finding(name, "red", f"{folder}: only {free} MB are free", "Make room on the disk.")
    return Finding(name, "green", f"{folder}, {free:,} MB free")


def _lexicon(room: Runtime) -> Iterator[Finding]:
    yield _checked(
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
        yield from _database(db)
        yield from _filing(db, room)
        yield from _mail(db, room)


def _database(db: Database) -> Iterator[Finding]:
    faults = integrity_faults(db)
    if faults:
        advice = "Restore the last backup; see docs/operating.md, “The database”."
        yield Finding("database", "red", "; ".join(faults), advice)
    else:
        yield Finding("database", "green", f"{db.path} is sound")
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
            rendering = partial(_render, room, digest, edition)
            yield _checked(f"digest {digest.name}", rendering, "Mend the template it names.")


def _render(room: Runtime, digest: DigestConfig, edition: Edition) -> str:
    segments = [
        Segment(everything(room.settings, digest, language), 0)
        for language in room.settings.digest_languages(digest)
    ]
    previews = preview_segments(room.settings, digest, edition, segments, room.templates)
    sizes = ", ".join(
        f"{one.segment.choice.language} {len(one.message) / 1000:.0f} kB" for one in previews
    )
    return "; ".join([f"renders: {sizes}", *(text for one in previews for text in one.warnings)])


def _checked(name: str, check: Callable[[], str], advice: str) -> Finding:
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        return Finding(name, "green", check())
    except TemplateSyntaxError as e:
        return Finding(name, "red", f"{e.name}, line {e.lineno}: {e.message}", advice)
    except (DigestError, TemplateError) as e:
        return Finding(name, "red", str(e), advice)
