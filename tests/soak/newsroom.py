"""What people do at the desk of a soak: copy and recipients come and go, settings change."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import click
from click.testing import CliRunner, Result

from digest.cli.editions import deliveries, editions
from digest.cli.recipients import recipients
from digest.errors import RecipientError
from digest.newsroom import Clock
from digest.store.database import Database, open_database
from tests.desks import CONFIG, Desk
from tests.mailing import use_smtp
from tests.soak.press import BROKEN, Piece, Press
from tests.soak.services import fast_desk, write_clock

CONNECTIONS = 4
SOURCES = ("wire", "press")
THEMES = ("drugs", "customs", "corruption", "youth", "other")
OPERATOR = "operator@newsroom.test"
BY_HAND = "settled by the operator"
MOST_ENTRIES = 50
MOST_DOCUMENTS = 240
"""Older ones are deleted from the folders, as a newsroom does."""
MORE = """
[[sources]]
name = "press"
path = "press"

[[digests]]
name = "daily"
title = { en = "The day", ru = "День" }
schedule = "30 6 * * *"
time_zone = "Europe/Vienna"
per_theme = 5
max_lateness_hours = 24.0
"""


@dataclass
class Document:
    """A file of copy. `since`: when it got its present content; `broken`: it contains no copy now."""

    path: Path
    pieces: list[Piece]
    full: bool
    since: datetime
    encoding: str = "utf-8"
    broken: bool = False
    gone: bool = False

    def data(self) -> bytes:
        texts = [piece.full() if self.full else piece.teaser() for piece in self.pieces]
        return "\n".join(texts).encode(self.encoding)

    def write(self, data: bytes, now: datetime) -> None:
        """In one piece, as a careful program does."""
        draft = self.path.with_suffix(".part")
        draft.write_bytes(data)
        draft.rename(self.path)
        self.since = now


@dataclass
class Newsroom:
    """`settled` is how long it takes until every service has surely read a document."""

    folder: Path
    clock: Clock
    chance: random.Random
    settled: timedelta
    press: Press
    documents: list[Document] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    refused: int = 0
    released: int = 0

    def furnish(self, port: int, timeout: float, **service: str) -> None:
        """The folder with config.toml, as the services find it; `port` is the mail server's."""
        for name in SOURCES:
            (self.folder / name).mkdir()
        shutil.copy(CONFIG, self.folder)
        with self.desk.config.open("a", encoding="utf-8") as file:
            file.write(MORE)
        use_smtp(self.desk, port, connections=CONNECTIONS)
        self.desk.open_reports()
        self.desk.edit_config('name = "seeds" ', 'name = "wire" ')
        self.desk.edit_config('path = "seeds" ', 'path = "wire" ')
        self.desk.configure(
            mail_to=f'["{OPERATOR}"]',
            daily_backup="true",
            command_timeout_seconds=str(timeout),
            data_timeout_seconds=str(timeout),
            **service,
        )
        write_clock(self.folder / "clock.json", self.clock)
        with open_database(self.desk.store, now=self.now()):
            pass

    @property
    def desk(self) -> Desk:
        return Desk(self.folder)

    def now(self) -> datetime:
        return self.clock()

    def open(self) -> Database:
        return open_database(self.desk.store, busy_timeout_seconds=30, read_only=True)

    def run(self, command: click.Command, *words: str) -> Result:
        """A command of the operator, by the soak's clock."""
        return CliRunner().invoke(command, words, obj=fast_desk(self.clock, self.desk.config))

    # Copy

    def new(self) -> None:
        """One article; some are broken or half written at first, or in Windows-1251."""
        now, source = self.now(), self.chance.choice(SOURCES)
        piece = self.press.piece(now.date())
        document = self.place(source, [piece], full=True)
        if piece.language == "ru" and self.chance.random() < 0.2:
            document.encoding = "windows-1251"
        fate = self.chance.random()
        if fate < 0.05:
            self.break_(document)
        elif fate < 0.1:
            data = document.data()
            document.path.write_bytes(data[: len(data) * 2 // 3].rpartition(b"\n\n")[0])
        else:
            document.write(document.data(), now)
        present = [document for document in self.documents if not document.gone]
        for document in present[: max(0, len(present) - MOST_DOCUMENTS)]:
            if not document.broken and self.is_settled(document):
                document.gone = True
                document.path.unlink()

    def finish_writing(self) -> None:
        """Write the rest of every half-written document."""
        for document in self.documents:
            present = not document.broken and not document.gone
            if present and document.path.read_bytes() != document.data():
                document.write(document.data(), self.now())

    def listing(self) -> None:
        """Several teasers in one document; the full text of one follows some time later."""
        now, source = self.now(), self.chance.choice(SOURCES)
        language = self.chance.choice(("en", "ru"))
        pieces = [self.press.piece(now.date(), language) for _ in range(self.chance.randint(3, 6))]
        document = self.place(source, pieces, full=False)
        document.write(document.data(), now)
        if self.chance.random() < 0.5:
            document = self.place(source, [self.chance.choice(pieces)], full=True)
            document.broken = True  # until its text comes
            document.path.write_bytes(b"")

    def correct(self) -> None:
        """A sentence is added to an article."""
        if (document := self.some(lambda one: one.full and not one.broken)) is not None:
            document.pieces[0].correct()
            document.write(document.data(), self.now())

    def spoil(self) -> None:
        """A document that was read is overwritten with something else."""
        if (document := self.some(lambda one: not one.broken)) is not None:
            self.break_(document)

    def repair(self) -> None:
        """Restore every broken document but those broken just now."""
        for document in self.documents:
            if document.broken and not document.gone and self.is_settled(document):
                document.broken = False
                document.write(document.data(), self.now())

    def place(self, source: str, pieces: list[Piece], *, full: bool) -> Document:
        path = self.folder / source / f"{len(self.documents):05}.txt"
        self.documents.append(Document(path, pieces, full, self.now()))
        return self.documents[-1]

    def break_(self, document: Document) -> None:
        document.broken = True
        document.write(self.chance.choice(BROKEN), self.now())

    def is_settled(self, document: Document) -> bool:
        return self.now() - document.since > self.settled

    def some(self, fits: Callable[[Document], bool]) -> Document | None:
        """A document of the last weeks that the services have read."""
        present = [document for document in self.documents[-60:] if not document.gone]
        candidates = [one for one in present if self.is_settled(one) and fits(one)]
        return self.chance.choice(candidates) if candidates else None

    # People

    def add(self) -> None:
        """A new recipient with a choice."""
        number = len(self.addresses)
        self.addresses.append(f"r{number:04}@reader{number % 7}.test")
        assert self.choose(self.addresses[-1]).exit_code == 0

    def choose_again(self) -> None:
        """Somebody is given another choice; a person who unsubscribed is not added again."""
        if not self.addresses:
            return
        result = self.choose(self.chance.choice(self.addresses))
        if result.exit_code != 0:
            assert isinstance(result.exception, RecipientError), result.exception
            self.refused += 1

    def choose(self, address: str) -> Result:
        chance = self.chance
        words = ["add", address, "--digest", "weekly"]
        if chance.random() < 0.25:
            words += ["--digest", "daily"]
        for language in chance.choice((("en",), ("ru",), ("en", "ru"), ("ru", "en"))):
            words += ["--language", language]
        if chance.random() < 0.4:
            for theme in chance.sample(THEMES, chance.randint(1, 3)):
                words += ["--theme", theme]
        return self.run(recipients, *words)

    def release(self) -> None:
        """The operator releases what is held."""
        with self.open() as db:
            rows = db.rows("SELECT id FROM editions WHERE status = 'held'")
        for row in rows:
            assert self.run(editions, "release", str(row["id"])).exit_code == 0
            self.released += 1

    def settle(self) -> None:
        """The operator asks around, and settles what is uncertain."""
        with self.open() as db:
            rows = db.rows("SELECT DISTINCT edition_id FROM deliveries WHERE status = 'uncertain'")
        for row in rows:
            words = ("settle", "--edition", str(row["edition_id"]), "--sent")
            assert self.run(deliveries, *words).exit_code == 0

    def reachable(self) -> int:
        """How many may still be mailed."""
        sql = """SELECT count(*) FROM recipients WHERE status = 'active' AND NOT EXISTS (
                  SELECT 1 FROM suppressions WHERE suppressions.address_key = recipients.address_key)"""
        with self.open() as db:
            return int(db.value(sql))
