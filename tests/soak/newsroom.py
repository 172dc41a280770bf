"""What people do at the desk of a soak: copy comes and goes, recipients too, settings change."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner, Result

from digest.cli.editions import deliveries, editions
from digest.cli.recipients import recipients
from digest.errors import RecipientError
from digest.newsroom import Clock
from digest.store.database import Database, open_database
from tests.desks import ROOT, Desk
from tests.mailing import use_smtp
from tests.soak.press import BROKEN, Piece, Press
from tests.soak.serve import FastDesk, write_clock

CONNECTIONS = 4
SOURCES = ("wire", "press")
THEMES = ("drugs", "customs", "corruption", "youth", "other")
OPERATOR = "operator@newsroom.test"
BY_HAND = "settled by the operator"
MOST_ENTRIES = 50
MOST_DOCUMENTS = 240
"""Older ones are cleared out of the folders, as a newsroom does."""
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
    """A file of copy. `since`: when it took its present form; `broken`: no copy is in it now."""

    path: Path
    pieces: list[Piece]
    full: bool
    since: datetime
    encoding: str = "utf-8"
    broken: bool = False
    gone: bool = False

    def data(self) -> bytes:
        told = [one.full() if self.full else one.teaser() for one in self.pieces]
        return "\n".join(told).encode(self.encoding)

    def write(self, data: bytes, now: datetime) -> None:
        """In one piece, as a careful program does it."""
        draft = self.path.with_suffix(".part")
        draft.write_bytes(data)
        draft.rename(self.path)
        self.since = now


@dataclass
class Newsroom:
    """`settled` is how long copy must lie before every service has surely read it."""

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
        shutil.copy(ROOT / "config.toml", self.folder)
        with self.desk.config.open("a", encoding="utf-8") as file:
            file.write(MORE)
        use_smtp(self.desk, port, connections=CONNECTIONS)
        text = self.desk.config.read_text("utf-8")
        text = text.replace('name = "seeds" ', 'name = "wire" ').replace(
            'path = "seeds" ', 'path = "wire" '
        )
        text = text.replace("mail_to = []", f'mail_to = ["{OPERATOR}"]')
        text = text.replace("daily_backup = false", "daily_backup = true")
        self.desk.config.write_text(text.replace("# bounces =", "bounces ="), "utf-8")
        seconds = f"{timeout}"
        self.desk.configure(
            command_timeout_seconds=seconds, data_timeout_seconds=seconds, **service
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
        """To look, not to write."""
        return open_database(self.desk.store, busy_timeout_seconds=30, read_only=True)

    def run(self, command: click.Command, *words: str) -> Result:
        """A command as an operator gives it, by the soak's clock."""
        obj = FastDesk(self.clock, self.desk.config)
        return CliRunner().invoke(command, words, obj=obj)

    # Copy

    def new(self) -> None:
        """One article; some come broken first, or half written, or as Windows-1251."""
        now, source = self.now(), self.chance.choice(SOURCES)
        piece = self.press.piece(now.date())
        document = self._place(source, [piece], full=True)
        if piece.language == "ru" and self.chance.random() < 0.2:
            document.encoding = "windows-1251"
        fate = self.chance.random()
        if fate < 0.05:
            self._spoil(document)
        elif fate < 0.1:
            data = document.data()
            document.path.write_bytes(data[: len(data) * 2 // 3].rpartition(b"\n\n")[0])
        else:
            document.write(document.data(), now)
        self._clear()

    def finish_writing(self) -> None:
        """What was half written is whole now."""
        for document in self.documents:
            if not document.broken and not document.gone and self._differs(document):
                document.write(document.data(), self.now())

    def listing(self) -> None:
        """Several teasers in one document; the full text of one follows some time later."""
        now, source = self.now(), self.chance.choice(SOURCES)
        language = self.chance.choice(("en", "ru"))
        pieces = [self.press.piece(now.date(), language) for _ in range(self.chance.randint(3, 6))]
        self._place(source, pieces, full=False).write(self.documents[-1].data(), now)
        if self.chance.random() < 0.5:
            follows = self._place(source, [self.chance.choice(pieces)], full=True)
            follows.broken = True  # until it is mended it is not there
            follows.path.write_bytes(b"")

    def correct(self) -> None:
        """A sentence is added to an article."""
        if (document := self._some(lambda one: one.full and not one.broken)) is not None:
            document.pieces[0].correct()
            document.write(document.data(), self.now())

    def spoil(self) -> None:
        """A document that was read loses its copy."""
        if (document := self._some(lambda one: not one.broken)) is not None:
            self._spoil(document)

    def mend(self) -> None:
        """Every broken document is whole again, but for those broken just now."""
        for document in self.documents:
            if document.broken and not document.gone and self._settled(document):
                document.broken = False
                document.write(document.data(), self.now())

    def _place(self, source: str, pieces: list[Piece], *, full: bool) -> Document:
        path = self.folder / source / f"{len(self.documents):05}.txt"
        self.documents.append(Document(path, pieces, full, self.now()))
        return self.documents[-1]

    def _spoil(self, document: Document) -> None:
        document.broken = True
        document.write(self.chance.choice(BROKEN), self.now())

    def _differs(self, document: Document) -> bool:
        return document.path.read_bytes() != document.data()

    def _settled(self, document: Document) -> bool:
        return self.now() - document.since > self.settled

    def _some(self, fits: Callable[[Document], bool]) -> Document | None:
        """A document of the last weeks that the services have read."""
        found = [
            one for one in self.documents[-60:] if not one.gone and self._settled(one) and fits(one)
        ]
        return self.chance.choice(found) if found else None

    def _clear(self) -> None:
        present = [one for one in self.documents if not one.gone]
        for document in present[: max(0, len(present) - MOST_DOCUMENTS)]:
            if not document.broken and self._settled(document):
                document.gone = True
                document.path.unlink()

    # People

    def add(self) -> None:
        """A new recipient with a choice."""
        number = len(self.addresses)
        self.addresses.append(f"r{number:04}@reader{number % 7}.test")
        assert self._choose(self.addresses[-1]).exit_code == 0

    def choose_anew(self) -> None:
        """Somebody is given another choice; who has left is not taken back."""
        if not self.addresses:
            return
        result = self._choose(self.chance.choice(self.addresses))
        if result.exit_code != 0:
            assert isinstance(result.exception, RecipientError), result.exception
            self.refused += 1

    def _choose(self, address: str) -> Result:
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
        """The operator looks at what is held, and lets it go."""
        with self.open() as db:
            held = db.rows("SELECT id FROM editions WHERE status = 'held'")
        for row in held:
            assert self.run(editions, "release", str(row["id"])).exit_code == 0
            self.released += 1

    def settle(self) -> None:
        """The operator asks around, and gives a word on what is uncertain."""
        with self.open() as db:
            found = db.rows("SELECT DISTINCT edition_id FROM deliveries WHERE status = 'uncertain'")
        for row in found:
            words = ("settle", "--edition", str(row["edition_id"]), "--sent")
            assert self.run(deliveries, *words).exit_code == 0

    def reachable(self) -> int:
        """How many may still be mailed."""
        sql = """SELECT count(*) FROM recipients WHERE status = 'active' AND NOT EXISTS (
                  SELECT 1 FROM suppressions WHERE suppressions.address_key = recipients.address_key)"""
        with self.open() as db:
            count: Any = db.value(sql)
        return int(count)
