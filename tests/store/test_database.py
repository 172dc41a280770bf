"""Opening the store and writing to it: nothing half written, nothing lost, every fault explained."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from digest.errors import StoreError
from digest.store.database import (
    SCHEMA_VERSION,
    Database,
    Parameters,
    created_at,
    is_empty,
    open_database,
    sqlite3,
)
from tests.desks import MADE_AT

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}
DIE_WHILE_WRITING = """
import os, sys
from pathlib import Path
from digest.store.database import open_database
db = open_database(Path(sys.argv[1]))
with db.write():
    db.insert("meta", {"key": "half", "value": "written"})
    os._exit(9)
"""


def meta(db: Database) -> set[str]:
    return {row["key"] for row in db.rows("SELECT key FROM meta")}


def test_all_of_a_write_is_kept_or_nothing(db: Database) -> None:
    """After a write that raises, the next one works, and the next connection sees it."""
    rows = [{"key": "half", "value": "written"}, {"key": None, "value": "not allowed"}]
    insert = "INSERT INTO meta (key, value) VALUES (:key, :value)"
    with pytest.raises(sqlite3.IntegrityError), db.write():
        db.run_many(insert, rows)
    with db.write():
        db.insert("meta", {"key": "whole", "value": "written"})
    with open_database(db.path, read_only=True) as other:
        assert meta(db) == meta(other) == {"created_at", "whole"}


def test_a_process_that_dies_in_a_write_leaves_nothing_of_it(db: Database) -> None:
    """A kill or a power cut needs no repair."""
    db.close()
    died = subprocess.run(
        [sys.executable, "-c", DIE_WHILE_WRITING, str(db.path)], check=False, timeout=30
    )
    assert died.returncode == 9
    with open_database(db.path) as again:
        assert meta(again) == {"created_at"}
        assert again.value("PRAGMA integrity_check") == "ok"


def test_a_held_lock_is_reported_after_the_busy_timeout(db: Database) -> None:
    """The second writer says what to do, and the first one's work stays."""
    refused = pytest.raises(StoreError, match=r"another process is writing.*busy_timeout_seconds")
    with open_database(db.path, busy_timeout_seconds=0.1) as other, db.write():
        db.insert("meta", {"key": "first", "value": "1"})
        with refused, other.write():
            pytest.fail("the lock was given twice")
    assert "first" in meta(db)


def test_a_snapshot_sees_one_moment(db: Database) -> None:
    """Publish and the dry run do not see half of what comes in meanwhile."""
    with open_database(db.path, read_only=True) as reader, reader.snapshot():
        before = meta(reader)
        with db.write():
            db.insert("meta", {"key": "late", "value": "1"})
        assert meta(reader) == before
    assert "late" in meta(db)


def test_a_read_only_store_cannot_be_written(db: Database) -> None:
    """A dry run cannot change one byte, whatever the code does."""
    refused = pytest.raises(StoreError, match="cannot be written to")
    with open_database(db.path, read_only=True) as reader, refused, reader.write():
        reader.insert("meta", {"key": "a", "value": "1"})


def test_many_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    """One makes the store, the others wait: a service may start beside a command."""
    together = Barrier(4)

    def opened(path: Path, thread: int) -> str:
        together.wait()
        now = MADE_AT + timedelta(seconds=thread)
        with open_database(path, now=now, busy_timeout_seconds=10) as db:
            return created_at(db).isoformat()

    with ThreadPoolExecutor(4) as pool:
        for i in range(8):
            assert len(set(pool.map(opened, [tmp_path / f"{i}.db"] * 4, range(4)))) == 1


def test_a_store_made_while_we_look_is_ours(tmp_path: Path) -> None:
    """Another process may make the tables between any two of our questions."""

    class Looking(Database):
        def value(self, sql: str, parameters: Parameters = ()) -> Any:
            answer = super().value(sql, parameters)
            open_database(self.path, now=MADE_AT).close()
            return answer

    path = tmp_path / "digest.db"
    with Looking(sqlite3.connect(path), path, read_only=False) as looking:
        assert is_empty(looking)  # then the maker's lock is waited for, and it is asked again
        assert not is_empty(looking)


@pytest.mark.parametrize("how", [{"now": MADE_AT, "read_only": True}, {}])
def test_a_missing_database_names_the_command_that_makes_it(tmp_path: Path, how) -> None:
    """Newcomers may list before they ingest; no empty file is left behind."""
    path = tmp_path / "digest.db"
    with pytest.raises(StoreError, match=r"there is no database yet.*digest ingest"):
        open_database(path, **how)
    assert not path.exists()


def test_a_wrong_store_path_is_reported(tmp_path: Path) -> None:
    """It is mistyped, or names the folder of the database."""
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"is a folder\. Name a file in store\.path"):
            open_database(tmp_path, now=MADE_AT, read_only=read_only)
    with pytest.raises(StoreError, match=r"its folder does not exist.*store\.path"):
        open_database(tmp_path / "nowhere" / "digest.db", now=MADE_AT)


def make_other_database(path: Path) -> None:
    other = sqlite3.connect(str(path))
    other.execute("CREATE TABLE cats (name TEXT)")
    other.close()


def make_other_version(path: Path) -> None:
    with open_database(path, now=MADE_AT) as db:
        db.run(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("No database. " * 400), r"file is not a database.*digest doctor"),
        (make_other_database, "another program"),
        (make_other_version, r"another version of this one.*Move the file.*digest ingest"),
    ],
    ids=["no database", "another program", "another version"],
)  # fmt: skip
def test_a_file_that_is_not_ours_is_left_alone(
    tmp_path: Path, make: Callable[[Path], object], message: str, read_only: bool
) -> None:
    """The message says what to do, and nothing is written."""
    path = tmp_path / "other.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=message):
        open_database(path, now=MADE_AT, read_only=read_only)
    assert path.read_bytes() == before


def test_a_store_knows_when_it_was_made(db: Database, tmp_path: Path) -> None:
    """The moment is the first caller's, and stays."""
    with open_database(db.path, now=MADE_AT + timedelta(days=1)) as again:
        assert created_at(again) == MADE_AT


def test_one_process_has_one_sqlite() -> None:
    """We choose the same library as sqlite-utils, without loading it: two break each other's locks."""
    assert sqlite3 is importlib.import_module("sqlite_utils.utils").sqlite3


def test_the_store_is_opened_with_its_pragmas(db: Database) -> None:
    """WAL, every commit on the disk, foreign keys on, triggers for replaced rows."""
    assert {name: db.value(f"PRAGMA {name}") for name in PRAGMAS} == PRAGMAS
    with pytest.raises(sqlite3.IntegrityError), db.write():
        db.insert("recipient_themes", {"recipient_id": 77, "theme": "drugs"})
