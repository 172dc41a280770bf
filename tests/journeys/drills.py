"""Desks for the drills, each just before a verb has much to do, and what is true of them afterwards."""

import hashlib
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.audience.store import ChosenRecipient, add_recipient
from digest.editions.compose import compose_now
from digest.store.backups import backup, export_lines
from digest.store.database import open_database
from digest.store.owner import set_way_out, token_key
from tests.desks import Desk, opened

WEDNESDAY = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)
ASIDE = "digest-before-"
MONDAY = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
KEY = b"a key of 32 bytes for the tests."
LETTER = """From: mailer-daemon@mx.reader.example
To: leave@news.example.org
Subject: leave

{n}
"""


def people(desk: Desk, count: int = 30) -> None:
    """Recipients, and a token key that is known."""
    with desk.open() as db, db.write():
        token_key(db, lambda: KEY)
        set_way_out(db, f"maildir {desk.folder / 'outbox'}")
        for n in range(count):
            add_recipient(
                db,
                ChosenRecipient(
                    address=f"r{n}@reader.example",
                    name=None,
                    languages=("en", "ru"),
                    themes=None,
                    digests=("weekly",),
                ),
                WEDNESDAY,
            )


def news(desk: Desk) -> None:
    """A corrected document and two new ones wait, and feeds are published."""
    desk.publish()
    for n in range(2):
        text = (
            f"Customs seize heroin at post {n}\n\nCustoms officers seized {n + 3} kg of heroin.\n"
        )
        (desk.seeds / f"new{n}.txt").write_text(text, "utf-8")
    first = min(desk.seeds.glob("0*.txt"))
    first.write_text(first.read_text("utf-8") + "\nA last line that was forgotten.\n", "utf-8")


def edition(desk: Desk) -> None:
    people(desk)
    with desk.open() as db:
        compose_now(opened(db, desk.settings, clock=lambda: MONDAY), desk.settings.digests[0])


def letters(desk: Desk) -> None:
    """A maildir with mails of people who leave."""
    people(desk)
    for name in ("new", "cur", "tmp"):
        (desk.folder / "bounces" / name).mkdir(parents=True)
    for n in range(8):
        text = LETTER.format(n=n).replace("mailer-daemon@mx.", f"r{n}@")
        (desk.folder / "bounces" / "new" / f"{n}.letter").write_text(text, "utf-8")
    config = desk.config.read_text("utf-8")
    desk.config.write_text(config.replace("# bounces =", "bounces ="), "utf-8")


def old_letters(desk: Desk) -> None:
    """Letters and answers that are old, and no backup of today."""
    edition(desk)
    config = desk.config.read_text("utf-8")
    desk.config.write_text(config.replace("daily_backup = false", "daily_backup = true"), "utf-8")
    with desk.open() as db, db.write():
        db.run_many(
            """INSERT INTO bounces (sha256, kind, read_at, raw)
               VALUES (?, 'unknown', '2020-01-01T00:00:00.000000Z', zeroblob(1000))""",
            [(str(n),) for n in range(450)],
        )


def copy_beside(desk: Desk) -> None:
    """A backup of yesterday, before the recipients came."""
    with desk.open() as db:
        made = backup(db, desk.folder / "away", WEDNESDAY, keep=1)
    made.path.rename(desk.folder / "copy.db")
    people(desk)


def export_beside(desk: Desk) -> None:
    """An export, and no store."""
    people(desk)
    desk.run("export", str(desk.folder / "in.jsonl"))
    desk.store.unlink()


def other_terms(desk: Desk) -> None:
    """config.toml has a term that files articles elsewhere."""
    desk.publish()
    config = desk.config.read_text("utf-8")
    term = '[themes.terms.en]\nstrong = ["meeting"]\n'
    desk.config.write_text(
        config.replace('[[themes]]\nname = "customs"', f'{term}\n[[themes]]\nname = "customs"', 1),
        "utf-8",
    )


def trouble(desk: Desk) -> None:
    """An edition is held, and an operator and an editor are to hear of it by mail."""
    edition(desk)
    desk.configure(mail_to='["editor@reader.example"]', after_minutes="0.0")
    desk.run("editions", "hold", "1")


@dataclass(frozen=True)
class Drill:
    """A verb, the desk before it, when it is run, and how much later each time that it is run again."""

    verb: str
    prepare: Callable[[Desk], None]
    now: datetime
    later: timedelta = timedelta(0)


DRILLS = [
    Drill("read", news, MONDAY - timedelta(days=1)),
    Drill("compose", people, MONDAY + timedelta(minutes=1)),
    Drill("send", edition, MONDAY + timedelta(minutes=2)),
    Drill("bounces", letters, MONDAY),
    Drill("prune", old_letters, MONDAY),
    Drill("desk", trouble, MONDAY + timedelta(hours=2)),
    Drill("restore", copy_beside, MONDAY, later=timedelta(seconds=1)),
    Drill("export", people, MONDAY),
    Drill("import", export_beside, MONDAY),
    Drill("themes apply", other_terms, MONDAY),
]


def copied(desk: Desk, to: Path) -> Desk:
    """The desk once more, at the same place for its database's home: only the folder differs."""
    shutil.copytree(desk.folder, to, symlinks=True)
    return Desk(to)


def state(desk: Desk) -> dict[str, object]:
    """Everything that is kept and published, in a form that two desks can be compared by.

    How often a delivery was tried, and what restores kept aside, is not in it.
    """
    found: dict[str, object] = {}
    for path in sorted(desk.folder.rglob("*")):
        name = str(path.relative_to(desk.folder))
        if path.is_dir() or name.startswith(("digest.db", ASIDE)) or name.endswith(".published"):
            continue
        if name.endswith(".db"):
            found[name] = rows(path)
        elif not is_left_over(path):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    found["store"] = rows(desk.store) if desk.store.exists() else None
    return found


def rows(store: Path) -> list[str]:
    with closing(open_database(store, read_only=True)) as db:
        lines = list(export_lines(db))
    made = re.compile(r'"key":"(created_at|way_out)"')
    told = [line for line in lines if not made.search(line)]
    folder = str(store.parent)
    return [re.sub(r'"attempts":\d+', '"attempts":_', one.replace(folder, "")) for one in told]


def is_left_over(path: Path) -> bool:
    """A file that is only half made."""
    return ".part" in path.name or path.parent.name in (".half", "tmp")


def left_over(desk: Desk) -> list[Path]:
    return [path for path in desk.folder.rglob("*") if path.is_file() and is_left_over(path)]


def feeds(desk: Desk) -> dict[str, str]:
    """Every file that readers can fetch, by its sha256."""
    folder = desk.folder / "feeds"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }
