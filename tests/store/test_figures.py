"""Figures count the stored rows, and a page's mark changes with everything that the page shows."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.service.store import articles_by_theme, articles_by_week, sources_at_a_glance, totals
from digest.sources.store import Document, add_article, revise_article, save_document, save_source
from digest.store.backups import export_lines, import_lines
from digest.store.database import Database, open_database, text_from_moment
from digest.themes.store import count_filed_otherwise, save_filing, save_matches
from tests.desks import MADE_AT
from tests.factories import make_entry, make_match

START = datetime(2026, 11, 16, 6, 30, tzinfo=UTC)
THEMES = ("drugs", "customs", "youth")


def marks(db: Database) -> dict[int, int]:
    return {row["article_id"]: row["mark"] for row in db.rows("SELECT * FROM article_marks")}


@pytest.fixture
def furnished(db: Database) -> Database:
    """Two sources with a document each; four articles: 1 and 2 are of one story, 3 of another, 4 of
    none; 1 is under a theme.
    """
    moment = text_from_moment(START)
    document = Document(name="1", sha256="", size=1, encoding=None, error=None)
    with db.write():
        for i in (1, 2):
            save_source(db, f"wire{i}", "documents", "Wire", START)
            save_document(db, i, document, START)
            db.insert("stories", {"id": i, "made_at": moment})
        for i, theme in enumerate(THEMES):
            db.insert("themes", {"name": theme, "title": theme, "position": i})
        for i in range(1, 5):
            entry = make_entry(line=i, title=f"Title {i}")
            add_article(db, 1, "wire", 1, entry, archived=False, moment=START)
        db.run("UPDATE articles SET story_id = 1 WHERE id <= 2")
        db.run("UPDATE articles SET story_id = 2 WHERE id = 3")
        save_matches(db, 1, [make_match("drugs")])
    return db


@pytest.mark.parametrize(
    ("sql", "remarked"),
    [
        pytest.param("UPDATE articles SET title = 'x' WHERE id = 4", {4}, id="an article"),
        pytest.param("UPDATE articles SET title = 'x' WHERE id = 1", {1, 2}, id="its story's too"),
        pytest.param(
            "UPDATE articles SET story_id = 1 WHERE id = 3", {1, 2, 3}, id="another story"
        ),
        pytest.param("UPDATE articles SET story_id = NULL WHERE id = 1", {1, 2}, id="no story"),
        pytest.param("UPDATE stories SET lead_article_id = 2 WHERE id = 1", {1, 2}, id="a lead"),
        pytest.param("DELETE FROM matches WHERE article_id = 1", {1}, id="a theme taken"),
        pytest.param("UPDATE matches SET rank = 7 WHERE article_id = 1", {1}, id="themes in order"),
        pytest.param("UPDATE articles SET lexicon_version = 'x'", set(), id="nothing that shows"),
        pytest.param("UPDATE documents SET error = 'x'", set(), id="nothing of an article"),
    ],
)
def test_what_a_page_shows_cannot_change_unmarked(
    furnished: Database, sql: str, remarked: set[int]
) -> None:
    """Each change that a page shows changes its mark, and those of its story."""
    before = marks(furnished)
    with furnished.write():
        furnished.run(sql)
    after = marks(furnished)
    assert {i for i in before if before[i] != after[i]} == remarked


def test_every_column_of_an_article_may_show_but_the_lexicon_version(db: Database) -> None:
    """A new column must be among those whose change marks the page."""
    columns = {row["name"] for row in db.rows("PRAGMA table_info(articles)")}
    sql = db.value("SELECT sql FROM sqlite_master WHERE name = 'article_changed'")
    shown = set(re.findall(r"\w+", sql.partition("UPDATE OF")[2].partition("ON articles")[0]))
    assert columns == {*shown, "id", "lexicon_version"}


def test_a_deleted_article_has_no_mark(furnished: Database) -> None:
    """There is a mark for each article and for nothing else."""
    assert marks(furnished).keys() == {1, 2, 3, 4}
    with furnished.write():
        furnished.run("DELETE FROM article_versions WHERE article_id = 4")
        furnished.run("DELETE FROM articles WHERE id = 4")
    assert marks(furnished).keys() == {1, 2, 3}


def test_an_import_draws_marks(furnished: Database, tmp_path: Path) -> None:
    """An export has no marks, and the new store has them all."""
    lines = list(export_lines(furnished))
    assert not any('"table":"article_marks"' in line for line in lines)
    with open_database(tmp_path / "other.db", now=MADE_AT) as other:
        import_lines(other, lines, "export")
        assert marks(other).keys() == marks(furnished).keys()
        assert articles_by_theme(other) == articles_by_theme(furnished)


def test_articles_are_counted_by_theme_language_and_week(furnished: Database) -> None:
    """`digest status` and /metrics count an article under each of its themes, else under OTHER."""
    week = timedelta(weeks=1)
    with furnished.write():
        save_matches(furnished, 2, [make_match("drugs"), make_match("youth")])
        entry = make_entry(line=9, title="Пятый", language="ru")
        add_article(furnished, 1, "wire", 1, entry, archived=True, moment=START + week)
    assert articles_by_theme(furnished) == {
        ("drugs", "en"): 2,
        ("youth", "en"): 1,
        ("other", "en"): 2,
        ("other", "ru"): 1,
    }
    assert articles_by_week(furnished, "2026-11-16") == {
        ("drugs", "2026-11-16"): 2,
        ("youth", "2026-11-16"): 1,
        ("other", "2026-11-16"): 2,
        ("other", "2026-11-23"): 1,
    }
    assert articles_by_week(furnished, "2026-11-23") == {("other", "2026-11-23"): 1}


def test_an_article_in_another_language_is_counted_there(furnished: Database) -> None:
    """Once a corrected article is filed again, its theme has it in the new language."""
    with furnished.write():
        entry = make_entry(line=1, title="Title 1", language="ru")
        assert revise_article(furnished, 1, 1, entry, START)
        save_matches(furnished, 1, [make_match("drugs")])
    assert articles_by_theme(furnished) == {("drugs", "ru"): 1, ("other", "en"): 3}


def test_totals(furnished: Database) -> None:
    """`digest status` shows articles, summaries, undated ones, by source and by lexicon."""
    with furnished.write():
        furnished.run("UPDATE articles SET complete = 0, source_id = 2 WHERE id <= 2")
        furnished.run("UPDATE articles SET published_at = NULL WHERE id = 3")
        furnished.run("UPDATE documents SET error = 'no text' WHERE source_id = 2")
        save_filing(furnished, 1, [], "a")
        save_filing(furnished, 2, [], "c")
    row = totals(furnished, START)
    assert (row["articles"], row["summaries"], row["undated"]) == (4, 2, 1)
    rows = sources_at_a_glance(furnished)
    sources = [(row["documents"], row["faulty"], row["articles"]) for row in rows]
    assert sources == [(1, 0, 2), (1, 1, 2)]
    assert [count_filed_otherwise(furnished, version) for version in "abc"] == [3, 4, 3]
