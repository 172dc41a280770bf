"""Opening the store and writing to it: nothing half written, nothing lost, every fault in words."""

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from digest.errors import StoreError
from digest.store.database import SCHEMA_VERSION, Database, created_at, open_database, sqlite3
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


def test_a_write_is_kept_when_its_block_ends(db: Database) -> None:
    """For every verb: what was written is there for the next connection."""
    with db.write():
        db.insert("meta", {"key": "a", "value": "1"})
    with open_database(db.path, read_only=True) as other:
        assert "a" in meta(other)


def test_a_write_that_raises_keeps_nothing(db: Database) -> None:
    """For every verb: all of a write or none of it, and the next write works."""
    rows = [{"key": "half", "value": "written"}, {"key": None, "value": "what no row may hold"}]
    insert = "INSERT INTO meta (key, value) VALUES (:key, :value)"
    with pytest.raises(sqlite3.IntegrityError), db.write():
        db.run_many(insert, rows)
    with db.write():
        db.insert("meta", {"key": "whole", "value": "written"})
    assert meta(db) == {"created_at", "whole"}


def test_a_process_that_dies_in_a_write_leaves_nothing_of_it(db: Database) -> None:
    """For the operator: a kill or a power cut in the middle needs no repair."""
    db.close()
    died = subprocess.run(
        [sys.executable, "-c", DIE_WHILE_WRITING, str(db.path)], check=False, timeout=30
    )
    assert died.returncode == 9
    with open_database(db.path) as again:
        assert meta(again) == {"created_at"}
        assert again.value("PRAGMA integrity_check") == "ok"


def test_a_held_lock_is_told_after_the_busy_timeout(db: Database) -> None:
    """For the operator: the second writer says what to do, and the first one's work stays."""
    said = pytest.raises(StoreError, match=r"another process is writing.*busy_timeout_seconds")
    with open_database(db.path, busy_timeout_seconds=0.1) as other, db.write():
        db.insert("meta", {"key": "first", "value": "1"})
        with said, other.write():
            pytest.fail("the lock was given twice")
    assert "first" in meta(db)


def test_a_snapshot_sees_one_moment(db: Database) -> None:
    """For publish and the dry run: what comes in meanwhile is not half seen."""
    with open_database(db.path, read_only=True) as reader, reader.snapshot():
        before = meta(reader)
        with db.write():
            db.insert("meta", {"key": "late", "value": "1"})
        assert meta(reader) == before
    assert "late" in meta(db)


def test_a_read_only_store_cannot_be_written(db: Database) -> None:
    """For the dry run: not one byte can change, whatever the code does."""
    said = pytest.raises(StoreError, match="cannot be written to")
    with open_database(db.path, read_only=True) as reader, said, reader.write():
        reader.insert("meta", {"key": "a", "value": "1"})


def test_many_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    """For a service that starts beside a command: one makes the store, the others wait."""
    together = Barrier(4)

    def opened(path: Path, thread: int) -> str:
        together.wait()
        with open_database(
            path, now=MADE_AT + timedelta(seconds=thread), busy_timeout_seconds=10
        ) as db:
            return created_at(db).isoformat()

    with ThreadPoolExecutor(4) as pool:
        for i in range(8):
            assert len(set(pool.map(opened, [tmp_path / f"{i}.db"] * 4, range(4)))) == 1


def test_no_database_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    """For a newcomer who lists before ingesting; and no empty file is left behind."""
    path = tmp_path / "digest.db"
    with pytest.raises(StoreError, match=r"there is no database yet.*digest ingest"):
        open_database(path, now=MADE_AT, read_only=True)
    with pytest.raises(StoreError, match=r"there is no database yet.*digest ingest"):
        open_database(path)
    assert not path.exists()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """For the operator who mistyped store.path, or named the folder that it should lie in."""
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"is a folder\. Name a file in store\.path"):
            open_database(tmp_path, now=MADE_AT, read_only=read_only)
    with pytest.raises(StoreError, match=r"its folder does not exist.*store\.path"):
        open_database(tmp_path / "nowhere" / "digest.db", now=MADE_AT)


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, read_only: bool) -> None:
    """For the operator who named a wrong file: it is told and stays as it was."""
    path = tmp_path / "letter.txt"
    path.write_text("This is a letter and no database at all. " * 50)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"file is not a database.*digest doctor"):
        open_database(path, now=MADE_AT, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
def test_a_database_of_another_program_is_left_alone(tmp_path: Path, read_only: bool) -> None:
    """For the operator who named a wrong file: no table of ours gets into it."""
    path = tmp_path / "cats.db"
    other = sqlite3.connect(str(path))
    other.execute("CREATE TABLE cats (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_database(path, now=MADE_AT, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
def test_a_database_of_another_version_is_refused(db: Database, read_only: bool) -> None:
    """For the operator: the message says what to do, and nothing is written."""
    db.run(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    with pytest.raises(
        StoreError, match=r"another version of this one.*Move the file.*digest ingest"
    ):
        open_database(db.path, now=MADE_AT, read_only=read_only)


def test_a_store_knows_when_it_was_made(db: Database, tmp_path: Path) -> None:
    """For windows that began before it: the moment is the one of the caller, and stays."""
    with open_database(db.path, now=MADE_AT + timedelta(days=1)) as again:
        assert created_at(again) == MADE_AT


def test_one_process_has_one_sqlite() -> None:
    """For the locks: the choice is the same as that of sqlite-utils, without loading it."""
    assert sqlite3 is importlib.import_module("sqlite_utils.utils").sqlite3


def test_the_store_is_opened_as_it_must_be(db: Database) -> None:
    """For durability: WAL, every commit on the disk, foreign keys that hold, triggers that count what
    is replaced."""
    assert {name: db.value(f"PRAGMA {name}") for name in PRAGMAS} == PRAGMAS
    with pytest.raises(sqlite3.IntegrityError), db.write():
        db.insert("recipient_themes", {"recipient_id": 77, "theme": "drugs"})
