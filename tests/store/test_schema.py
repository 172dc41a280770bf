"""The tables read well in any SQLite tool: plain names, valid references."""

import re

import pytest

from digest.store.backups import own_tables
from digest.store.database import (
    Database,
    integrity_faults,
    moment_from_text,
    sqlite3,
    text_from_moment,
)
from tests.desks import Desk

FROZEN = {("placements", "story_id"), ("articles", "atom_id")}
"""The story as it was when the edition was frozen; and an id that is not a row's."""

PLURALS = {"story": "stories", "entry": "entries", "delivery": "deliveries", "other": "articles"}


def columns(db: Database, table: str) -> list[str]:
    return [row["name"] for row in db.rows(f"PRAGMA table_info({table})")]


def test_names_are_plain_words(db: Database) -> None:
    """Small letters and whole words, for people who open the file in Datasette."""
    for table in own_tables(db):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", table)
        for column in columns(db, table):
            assert re.fullmatch(r"[a-z]+[0-9]*(_[a-z]+)*", column), (table, column)


def test_a_column_that_ends_in_id_points_at_its_table(db: Database) -> None:
    """Each reference is declared, and named after its table."""
    for table in own_tables(db):
        keys = db.rows(f"PRAGMA foreign_key_list({table})")
        declared = {key["from"]: key["table"] for key in keys}
        for column in columns(db, table):
            if column.endswith("_id") and (table, column) not in FROZEN:
                assert column in declared, (table, column)
                word = column.removesuffix("_id").rpartition("_")[2]
                if (table, column) == ("placements", "article_id"):
                    word = "article_version"  # frozen: the version that the edition shows
                assert declared[column] == PLURALS.get(word, f"{word}s"), (table, column)


def test_a_column_that_ends_in_at_holds_an_instant_in_utc(filled: Desk) -> None:
    """Every instant has the same form, so that its text sorts right."""
    count = 0
    with filled.open(read_only=True) as db:
        for table in own_tables(db):
            for column in columns(db, table):
                if not column.endswith("_at") or column == "published_at":
                    continue
                sql = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608
                for row in db.rows(sql):
                    count += 1
                    assert text_from_moment(moment_from_text(row[column])) == row[column]
    assert count


def test_every_reference_holds_after_an_ingest(filled: Desk) -> None:
    """No row refers to a missing one."""
    with filled.open(read_only=True) as db:
        assert integrity_faults(db) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("complete = 2", id="yes or no"),
        pytest.param("date_source = 'guessed'", id="how a date is known"),
        pytest.param("atom_id = (SELECT max(atom_id) FROM articles)", id="one id once"),
        pytest.param("source_id = 99", id="a source that is not there"),
    ],
)
def test_the_tables_hold_the_rules(filled: Desk, change: str) -> None:
    """SQLite refuses a wrong value that somebody writes by hand."""
    with filled.open() as db, pytest.raises(sqlite3.IntegrityError), db.write():
        db.run(f"UPDATE articles SET {change}")  # noqa: S608 - a fault made by hand
