"""The editors' rulings in the database."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.model import Correction, Verdict
from digest.store.database import sqlite3
from digest.stories.store import forget_splits, rule_pair, story_corrections
from digest.themes.store import (
    corrected_articles,
    forget_theme_corrections,
    rule_theme,
    theme_corrections,
)
from tests.desks import Desk

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ON_THEME = "INSERT INTO theme_corrections VALUES (?, ?, ?, ?, ?)"
ON_STORY = "INSERT INTO story_corrections VALUES (?, ?, ?, ?, ?)"
LATER = AT + timedelta(days=1)


def test_a_ruling_is_stored_with_who_and_when(filled: Desk) -> None:
    """For the next editor: who ruled, and when."""
    with filled.open() as db:
        rule_theme(db, 3, "customs", Verdict.ADD, "Maral", AT)
        rule_theme(db, 3, "youth", Verdict.REMOVE, "Jan", LATER)
        assert theme_corrections(db, 3) == {
            "customs": Correction(Verdict.ADD, "Maral", AT),
            "youth": Correction(Verdict.REMOVE, "Jan", LATER),
        }
        assert corrected_articles(db) == [3]
        assert forget_theme_corrections(db, 3) == 2
        assert theme_corrections(db, 3) == {}


def test_the_same_ruling_again_changes_nothing_and_another_does(filled: Desk) -> None:
    """For a command that runs twice: the first editor stays named."""
    with filled.open() as db:
        for by, at in (("Maral", AT), ("Jan", LATER)):
            rule_theme(db, 3, "customs", Verdict.ADD, by, at)
            rule_pair(db, 5, 3, Verdict.JOIN, by, at)
        assert theme_corrections(db, 3)["customs"] == Correction(Verdict.ADD, "Maral", AT)
        assert story_corrections(db, 3) == {5: Correction(Verdict.JOIN, "Maral", AT)}
        rule_theme(db, 3, "customs", Verdict.REMOVE, "Jan", LATER)
        rule_pair(db, 3, 5, Verdict.SPLIT, "Jan", LATER)
        assert theme_corrections(db, 3)["customs"].by == "Jan"
        assert story_corrections(db, 5) == {3: Correction(Verdict.SPLIT, "Jan", LATER)}


def test_only_splits_among_the_given_are_deleted(filled: Desk) -> None:
    """For the editor who joins: rulings on other articles stay."""
    with filled.open() as db:
        rule_pair(db, 1, 2, Verdict.SPLIT, "Maral", AT)
        rule_pair(db, 2, 3, Verdict.SPLIT, "Maral", AT)
        rule_pair(db, 1, 4, Verdict.JOIN, "Maral", AT)
        forget_splits(db, {1, 2, 4})
        assert story_corrections(db, 1).keys() == {4}
        assert story_corrections(db, 2).keys() == {3}


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        pytest.param(ON_THEME, (3, "customs", "perhaps", "M", "t"), id="no such verdict"),
        pytest.param(ON_THEME, (3, "unknown", "add", "M", "t"), id="no such theme"),
        pytest.param(ON_STORY, (5, 3, "join", "M", "t"), id="the lower id comes first"),
        pytest.param(ON_STORY, (3, 999, "join", "M", "t"), id="no such article"),
    ],
)
def test_the_tables_refuse_what_makes_no_sense(
    filled: Desk, sql: str, values: tuple[object, ...]
) -> None:
    """For writes into the file with other tools."""
    with filled.open() as db, pytest.raises(sqlite3.IntegrityError):
        db.run(sql, values)
