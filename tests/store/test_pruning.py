"""Old bounces and server answers are deleted, and nothing else is touched."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.audience.evidence import Evidence, raw_return, take_evidence
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


def add_bounce(db: Database, raw: bytes, read_at: datetime) -> int:
    said = Evidence(
        key=raw, kind="hard", proven=False, status="5.1.1", diagnostic="no such user", raw=raw
    )
    with db.write():
        take_evidence(db, said, read_at)
    return int(db.value("SELECT max(id) FROM bounces"))


@pytest.fixture
def mailed(filled: Desk) -> Database:
    """A store with a delivered edition."""
    db = filled.open()
    office = Office(filled, db, now=NOW)
    office.add("a@reader.example", "b@reader.example", "c@reader.example")
    office.compose()
    with db.write():
        db.run("UPDATE deliveries SET server = 'relay', answer = '250 ok', status = 'sent'")
    return db


def test_old_bounces_lose_their_bytes_and_nothing_else(db: Database) -> None:
    """The bounce stays known, so that the same message is not read twice."""
    old = add_bounce(db, b"old bounce", NOW - 91 * DAY)
    young = add_bounce(db, b"young bounce", NOW - 89 * DAY)
    rows = "SELECT id, sha256, kind, status_code, diagnostic, read_at FROM bounces"
    before = db.rows(rows)
    assert would_prune(db, NOW, **DAYS) == Pruned(1, len(b"old bounce"), 0)
    assert prune(db, NOW, **DAYS) == Pruned(1, len(b"old bounce"), 0)
    assert (raw_return(db, old), raw_return(db, young)) == (b"", b"young bounce")
    assert db.rows(rows) == before
    assert prune(db, NOW, **DAYS) == Pruned(0, 0, 0)


def test_many_bounces_are_pruned_in_short_writes(db: Database) -> None:
    """Other writers need not wait for all of them; a stop ends it between two writes."""
    with db.write():
        db.run_many(
            """INSERT INTO bounces (sha256, kind, state, read_at, raw)
               VALUES (?, 'unknown', 'noted', '2020-01-01T00:00:00.000000Z', x'00')""",
            [(str(n),) for n in range(450)],
        )
    asked = iter([False, True, True, True])
    assert prune(db, NOW, **DAYS, stop=lambda: next(asked)).bounces == 200
    assert prune(db, NOW, **DAYS).bounces == 250


def test_an_uncertain_delivery_keeps_its_answer(mailed: Database) -> None:
    """Deliveries that ended lose theirs, but keep how they ended."""
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
    """After a hundred years everything that was published is there."""
    tables = ("articles", "article_versions", "entries", "placements", "recipients")
    starts = tuple(f'{{"table":"{table}"' for table in tables)

    def stored() -> tuple[list[str], int]:
        lines = [line for line in export_lines(mailed) if line.startswith(starts)]
        return lines, mailed.value("SELECT count(*) FROM editions")

    before = stored()
    prune(mailed, NOW + 36500 * DAY, **DAYS)
    assert stored() == before


def test_a_dry_run_changes_nothing(filled: Desk) -> None:
    """`digest prune --dry-run` shows what `digest prune` does."""
    with filled.open() as db:
        add_bounce(db, b"x" * 100, NOW - 900 * DAY)
    before = filled.files()
    shown = filled.json("prune", "--dry-run")
    assert filled.files() == before
    done = filled.json("prune")
    assert shown == {**done, "dry_run": True}
    assert done["letters"] == 1
    assert "Deleted the bytes of 0 bounces" in filled.run("prune").stdout
    pruned = filled.run("bounces", "show", "1")
    assert pruned.exit_code == 1
    assert "bounce_days" in pruned.stderr


def run_prune(desk: Desk, now: datetime) -> dict[str, object]:
    return Worker(Newsroom(desk.settings, lambda: now)).run(Verb.PRUNE, lambda: False)


def test_the_service_makes_one_backup_a_day(filled: Desk) -> None:
    """Only if configured, and also when the clock is put back."""
    assert "backup" not in run_prune(filled, NOW)
    filled.configure(daily_backup="true")
    for hour in (0, 1, 23, 24, 25, 49, 25, 26, 27, 50):
        run_prune(filled, NOW + timedelta(hours=hour))
    copies = backups_in(filled.store, filled.folder / "backups")
    days = ["20261123T030000Z", "20261124T030000Z", "20261125T040000Z"]
    assert [path.stem[-16:] for path in copies] == days


def test_a_failed_backup_does_not_stop_pruning(filled: Desk) -> None:
    """If the disk of backups is missing, each run reports it, and the store stays small."""
    filled.configure(daily_backup="true")
    (filled.folder / "backups").write_text("no folder")
    with filled.open() as db:
        add_bounce(db, b"old", NOW - 91 * DAY)
    for _ in range(2):
        with pytest.raises(StoreError, match="backups: cannot be written to"):
            run_prune(filled, NOW)
    with filled.open() as db:
        assert db.value("SELECT count(*) FROM bounces WHERE let_go_at IS NULL") == 0
