"""What grows is let go with time, and nothing else is touched."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.audience.suppressions import Report, keep_report, raw_return
from digest.errors import StoreError
from digest.newsroom import Newsroom
from digest.service.jobs import Worker
from digest.service.plan import Verb
from digest.store.backups import Pruned, backups_in, export_lines, prune, would_prune
from digest.store.database import Database
from tests.desks import Desk
from tests.mailing import Office

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = {"bounce_days": 90, "answer_days": 365}


def letter(db: Database, raw: bytes, read_at: datetime) -> int:
    with db.write():
        keep_report(
            db,
            Report(
                sha256=raw.hex(),
                kind="hard",
                found_by="verp",
                recipient_id=None,
                edition_id=None,
                status_code="5.1.1",
                diagnostic="no such user",
                raw=raw,
            ),
            read_at,
        )
    return int(db.value("SELECT max(id) FROM bounces"))


@pytest.fixture
def mailed(filled: Desk) -> Database:
    """A store with an edition that went out two years ago."""
    db = filled.open()
    office = Office(filled, db, now=NOW)
    office.add("a@reader.example", "b@reader.example", "c@reader.example")
    office.compose()
    with db.write():
        db.run("UPDATE deliveries SET server = 'relay', answer = '250 ok', status = 'sent'")
    return db


def test_old_letters_lose_their_bytes_and_nothing_else(db: Database) -> None:
    """For the operator: what came back stays known, also to who reads the same letter again."""
    old = letter(db, b"old letter", NOW - 91 * DAY)
    young = letter(db, b"young letter", NOW - 89 * DAY)
    before = db.rows("SELECT id, sha256, kind, status_code, diagnostic, read_at FROM bounces")
    assert would_prune(db, NOW, **DAYS) == Pruned(1, len(b"old letter"), 0)
    assert prune(db, NOW, **DAYS) == Pruned(1, len(b"old letter"), 0)
    assert (raw_return(db, old), raw_return(db, young)) == (b"", b"young letter")
    after = db.rows("SELECT id, sha256, kind, status_code, diagnostic, read_at FROM bounces")
    assert after == before
    assert prune(db, NOW, **DAYS) == Pruned(0, 0, 0)


def test_many_letters_go_some_a_write(db: Database) -> None:
    """Others who write need not wait for all of them; a stop ends it between two writes."""
    with db.write():
        db.run_many(
            """INSERT INTO bounces (sha256, kind, read_at, raw)
               VALUES (?, 'unknown', '2020-01-01T00:00:00.000000Z', x'00')""",
            [(str(n),) for n in range(450)],
        )
    asked = iter([False, True, True, True])
    assert prune(db, NOW, **DAYS, stop=lambda: next(asked)).letters == 200
    assert prune(db, NOW, **DAYS).letters == 250


def test_what_servers_said_goes_once_all_of_an_edition_have_ended(mailed: Database) -> None:
    """How each ended stays; what is not settled keeps what helps to settle it."""
    then = NOW + 366 * DAY
    with mailed.write():
        mailed.run("UPDATE deliveries SET status = 'uncertain' WHERE id = 2")
    assert prune(mailed, NOW + 364 * DAY, **DAYS).answers == 0
    assert would_prune(mailed, then, **DAYS).answers == 2
    assert prune(mailed, then, **DAYS).answers == 2
    rows = mailed.rows("SELECT status, server, answer FROM deliveries ORDER BY id")
    assert [row["answer"] for row in rows] == [None, "250 ok", None]
    assert [row["status"] for row in rows] == ["sent", "uncertain", "sent"]
    with mailed.write():
        mailed.run("UPDATE deliveries SET status = 'sent' WHERE id = 2")
    assert prune(mailed, then, **DAYS).answers == 1
    assert mailed.value("SELECT answers_gone_at FROM editions") is not None
    assert would_prune(mailed, then, **DAYS).answers == 0


def test_articles_and_editions_stay(mailed: Database) -> None:
    """For the newsroom: after a hundred years everything that was told is there."""
    kept = ("articles", "article_versions", "entries", "editions", "placements", "recipients")

    def lines() -> list[str]:
        marks = tuple(f'{{"table":"{table}"' for table in kept)
        told = [line for line in export_lines(mailed) if line.startswith(marks)]
        return [line for line in told if not line.startswith(marks[3])]

    before = lines()
    count = mailed.value("SELECT count(*) FROM editions")
    prune(mailed, NOW + 36500 * DAY, **DAYS)
    assert lines() == before
    assert mailed.value("SELECT count(*) FROM editions") == count


def test_a_dry_run_changes_nothing(filled: Desk) -> None:
    """`digest prune --dry-run` tells what `digest prune` does."""
    with filled.open() as db:
        letter(db, b"x" * 100, NOW - 900 * DAY)
    before = filled.files()
    told = filled.json("prune", "--dry-run")
    assert filled.files() == before
    done = filled.json("prune")
    assert told == {**done, "dry_run": True}
    assert done["letters"] == 1
    assert "Deleted the bytes of 0 bounces" in filled.run("prune").stdout
    gone = filled.run("bounces", "show", "1")
    assert gone.exit_code == 1
    assert "bounce_days" in gone.stderr


def worker(desk: Desk, now: datetime) -> Worker:
    return Worker(Newsroom(desk.settings, lambda: now))


def test_the_service_makes_one_backup_a_day(filled: Desk) -> None:
    """Only where it is asked to; a clock that was put back makes no heap of copies."""
    folder = filled.folder / "backups"
    assert "backup" not in worker(filled, NOW).run(Verb.PRUNE, lambda: False)
    config = filled.config.read_text("utf-8")
    filled.config.write_text(config.replace("daily_backup = false", "daily_backup = true"), "utf-8")
    hours = [0, 1, 23, 24, 25, 49, 25, 26, 27, 50]
    for hour in hours:
        worker(filled, NOW + timedelta(hours=hour)).run(Verb.PRUNE, lambda: False)
    assert [path.stem[-16:] for path in backups_in(filled.store, folder)] == [
        "20261123T030000Z",
        "20261124T030000Z",
        "20261125T040000Z",
    ]


def test_a_backup_that_cannot_be_made_keeps_nothing_else_from_being_put_in_order(
    filled: Desk,
) -> None:
    """For the operator whose disk of backups is away: told at each run, and the store stays small."""
    filled.configure(daily_backup="true")
    (filled.folder / "backups").write_text("no folder")
    with filled.open() as db:
        letter(db, b"old", NOW - 91 * DAY)
    for _ in range(2):
        with pytest.raises(StoreError, match="backups: cannot be written to"):
            worker(filled, NOW).run(Verb.PRUNE, lambda: False)
    with filled.open() as db:
        assert db.value("SELECT count(*) FROM bounces WHERE let_go_at IS NULL") == 0
