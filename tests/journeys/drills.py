"""Desks just before a verb has much to do, for the drills, and what must be true of them afterwards."""

import hashlib
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.feeds.files import MANIFEST
from digest.store.backups import backup, export_lines
from digest.store.database import open_database
from digest.store.owner import add_token_key, set_way_out
from tests.desks import Desk
from tests.journeys.returns import make_maildir
from tests.mailing import KEY, MONDAY, Office

WEDNESDAY = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)
EARLY = "2020-01-01T00:00:00.000000Z"
ASIDE = "digest-before-"


def people(desk: Desk, count: int = 30) -> None:
    """Recipients, and a token key that is known."""
    with desk.open() as db:
        with db.write():
            add_token_key(db, KEY)
            set_way_out(db, f"maildir {desk.folder / 'outbox'}")
        addresses = [f"r{n}@reader.example" for n in range(count)]
        Office(desk, db, now=WEDNESDAY).add(*addresses, languages=("en", "ru"))


def news(desk: Desk) -> None:
    """A corrected document and two new ones wait, and feeds are published."""
    desk.publish()
    for n in range(2):
        write(
            desk, f"new{n}", f"heroin at post {n}\n\nCustoms officers seized {n + 3} kg of heroin."
        )
    first = min(desk.seeds.glob("0*.txt"))
    first.write_text(first.read_text("utf-8") + "\nA last line that was forgotten.\n", "utf-8")


def write(desk: Desk, name: str, text: str) -> None:
    """A new document about a seizure arrives, in one piece."""
    draft = desk.folder / name
    draft.write_text(f"Customs seize {text}\n", "utf-8")
    draft.rename(desk.seeds / f"{name}.txt")


def edition(desk: Desk, count: int = 30) -> None:
    """An edition waits to be sent."""
    people(desk, count)
    with desk.open() as db:
        Office(desk, db, now=MONDAY).compose()


def bounces(desk: Desk) -> None:
    """A maildir with requests to unsubscribe."""
    people(desk)
    make_maildir(desk.folder / "bounces")
    for n in range(8):
        text = f"From: r{n}@reader.example\nTo: leave@news.example.org\nSubject: leave\n\n{n}\n"
        (desk.folder / "bounces" / "new" / f"{n}.letter").write_text(text, "utf-8")
    desk.edit_config("# bounces =", "bounces =")


def old_bounces(desk: Desk) -> None:
    """Old bounces and server answers, and no backup of today."""
    edition(desk)
    desk.configure(daily_backup="true")
    add_old_bounces(desk)


def add_old_bounces(desk: Desk) -> None:
    with desk.open() as db, db.write():
        db.run_many(
            """INSERT INTO bounces (sha256, kind, state, read_at, raw)
               VALUES (?, 'unknown', 'noted', ?, zeroblob(1000))""",
            [(str(n), EARLY) for n in range(450)],
        )


def copy_beside(desk: Desk) -> None:
    """A backup of yesterday, before the recipients came."""
    with desk.open() as db:
        made = backup(db, desk.folder / "away", WEDNESDAY, keep=1)
    made.path.rename(desk.folder / "copy.db")
    people(desk)


def export_beside(desk: Desk) -> None:
    """An export, and no store."""
    desk.run("export", str(desk.folder / "in.jsonl"))
    desk.store.resolve().unlink()


def people_exported(desk: Desk) -> None:
    people(desk)
    export_beside(desk)


def other_terms(desk: Desk) -> None:
    """config.toml has a term that files articles elsewhere."""
    desk.publish()
    customs = '[[themes]]\nname = "customs"'
    desk.edit_config(customs, f'[themes.terms.en]\nstrong = ["meeting"]\n\n{customs}')


def trouble(desk: Desk) -> None:
    """An edition is held, and an operator and an editor are to be notified by mail."""
    edition(desk)
    desk.configure(mail_to='["editor@reader.example"]', after_minutes="0.0")
    desk.run("editions", "hold", "1")


@dataclass(frozen=True)
class Drill:
    """A verb, the desk before it, when it runs, and how much later each further run is."""

    verb: str
    prepare: Callable[[Desk], None]
    now: datetime
    later: timedelta = timedelta(0)


DRILLS = [
    Drill("read", news, MONDAY - timedelta(days=1)),
    Drill("compose", people, MONDAY + timedelta(minutes=1)),
    Drill("send", edition, MONDAY + timedelta(minutes=2)),
    Drill("bounces", bounces, MONDAY),
    Drill("prune", old_bounces, MONDAY),
    Drill("desk", trouble, MONDAY + timedelta(hours=2)),
    Drill("restore", copy_beside, MONDAY, later=timedelta(seconds=1)),
    Drill("export", people, MONDAY),
    Drill("import", people_exported, MONDAY),
    Drill("themes apply", other_terms, MONDAY),
]


def copied(desk: Desk, to: Path) -> Desk:
    """The same desk in another folder."""
    shutil.copytree(desk.folder, to, symlinks=True)
    return Desk(to)


def state(desk: Desk) -> dict[str, object]:
    """Everything stored and published, so that two desks can be compared.

    Without the attempts and marks of senders, how one learnt what was delivered, and the stores that
    restores kept.
    """
    contents: dict[str, object] = {}
    for path in sorted(desk.folder.rglob("*")):
        name = str(path.relative_to(desk.folder))
        if path.is_dir() or name.startswith(("digest.db", ASIDE)) or MANIFEST in path.parts:
            continue
        if name.endswith(".db"):
            contents[name] = rows(path)
        elif not is_left_over(path):
            contents[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    contents["store"] = rows(desk.store) if desk.store.exists() else None
    return contents


def rows(store: Path) -> list[str]:
    with closing(open_database(store, read_only=True)) as db:
        lines = list(export_lines(db))
    made = re.compile(r'"key":"(created_at|way_out|sender)"')
    lines = [line.replace(str(store.parent), "") for line in lines if not made.search(line)]
    own = re.compile(r'"(attempts|mark|server)":(\d+|"[^"]*"|null)')
    found = '"reason":"found in the outbox after the sender died"'
    return [own.sub(r'"\1":_', line).replace(found, '"reason":null') for line in lines]


def is_left_over(path: Path) -> bool:
    """Whether a writer did not finish this file."""
    return ".part" in path.name or path.parent.name in (".half", "tmp")


def left_over(desk: Desk) -> list[Path]:
    return [path for path in desk.folder.rglob("*") if path.is_file() and is_left_over(path)]


def feeds(desk: Desk) -> dict[str, str]:
    """The sha256 of every file that readers can fetch."""
    folder = desk.folder / "feeds"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }
