"""An upgrade keeps every row: each schema that was ever on main becomes the newest one."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from digest.store.database import Database, open_database
from digest.store.keeping import own_tables
from digest.store.sqlite import sqlite3
from digest.store.summary import integrity_faults

SCHEMAS = sorted((Path(__file__).parents[1] / "data" / "schemas").glob("*.sql"))
EVERY = [pytest.param(path, id=path.stem) for path in SCHEMAS]
OPEN = """
import sys
from pathlib import Path
from digest.store.database import open_database
sys.stdin.readline()
with open_database(Path(sys.argv[1]), busy_timeout_seconds=20) as db:
    print(db.value("SELECT count(*) FROM _sqlite_migrations"))
"""


def make(path: Path, dump: Path) -> None:
    with contextlib.closing(sqlite3.connect(str(path))) as old:
        old.executescript(dump.read_text(encoding="utf-8"))


def shape(db: Database) -> dict[str, set[tuple[str, str, int, str | None]]]:
    """Each table's columns and each index, whatever their order."""
    found = {
        table: {
            (row["name"], row["type"], row["notnull"], row["dflt_value"])
            for row in db.rows(f"PRAGMA table_info({table})")
        }
        for table in own_tables(db)
    }
    indexes = db.rows("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    found["indexes"] = {(row["name"], row["sql"] or "", 0, None) for row in indexes}
    return found


def rows(db: Database, tables: dict[str, list[str]]) -> dict[str, list[tuple[object, ...]]]:
    read = {table: f"SELECT {', '.join(names)} FROM {table}" for table, names in tables.items()}  # noqa: S608 - ours
    return {table: [tuple(row.values()) for row in db.rows(query)] for table, query in read.items()}


@pytest.mark.parametrize("dump", EVERY)
def test_every_schema_of_main_becomes_the_newest(tmp_path: Path, dump: Path, db: Database) -> None:
    """For who upgrades: the same rows, sound references, and the tables of a new store."""
    path = tmp_path / "old.db"
    make(path, dump)
    with contextlib.closing(sqlite3.connect(str(path), isolation_level=None)) as connection:
        old = Database(connection, path, read_only=False)
        tables = {
            table: [str(row["name"]) for row in old.rows(f"PRAGMA table_info({table})")]
            for table in own_tables(old)
        }
        before = rows(old, tables)
    with open_database(path) as new:
        assert rows(new, tables) == before
        assert shape(new) == shape(db)
        assert integrity_faults(new) == []
        assert new.value("SELECT recipients FROM editions") in (0, 1)
        assert new.value("SELECT day FROM fingerprints") in (None, "2026-11-15")


def test_what_was_added_in_place_is_filled(tmp_path: Path) -> None:
    """For a store of the first day: the days and counts that later code reads are there."""
    path = tmp_path / "old.db"
    make(path, SCHEMAS[0])
    with open_database(path) as new:
        assert new.value("SELECT recipients FROM editions") == 1
        assert new.value("SELECT day FROM fingerprints") == "2026-11-15"


def test_the_newest_schema_of_main_is_kept() -> None:
    """For who changes the schema: run scripts/schemas once the change is on main."""
    assert len(SCHEMAS) >= 6
    assert len({path.read_text(encoding="utf-8") for path in SCHEMAS}) == len(SCHEMAS)


def test_processes_that_upgrade_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """For a service that starts beside a command after an upgrade: each step is done once."""
    path = tmp_path / "old.db"
    make(path, SCHEMAS[0])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=30) for process in started]
    assert len(set(said)) == 1, said
    assert [error for _, error in said] == ["", "", ""]
    with open_database(path) as new:
        assert integrity_faults(new) == []
