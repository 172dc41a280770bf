"""The counts that triggers keep are what counting would give, whatever is written, and by whom."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.store import intake
from digest.store.counting import SHOWN
from digest.store.database import Database, open_database, text_from_moment
from digest.store.exporting import export_lines, import_lines
from digest.store.measures import miscounted
from tests.desks import MADE_AT
from tests.factories import make_entry, make_match

START = datetime(2026, 11, 16, 6, 30, tzinfo=UTC)
THEMES = ("drugs", "customs", "youth")
LANGUAGES = ("en", "ru")


def furnish(db: Database) -> None:
    """Two sources with a document each, themes, an edition, and its recipients."""
    moment = text_from_moment(START)
    with db.write():
        for i in (1, 2):
            intake.save_source(db, f"wire{i}", "documents", "Wire", START)
            intake.save_document(
                db, i, name="1", sha256="", size=1, encoding=None, error=None, moment=START
            )
        for i, theme in enumerate(THEMES):
            db.insert("themes", {"name": theme, "title": theme, "position": i})
        for i in range(1, 6):
            db.insert("stories", {"id": i, "made_at": moment})
            db.insert(
                "recipients",
                {
                    "address": f"{i}@example.org",
                    "address_key": f"{i}@example.org",
                    "language": "en",
                    "status": "active",
                    "added_at": moment,
                },
            )
        for i in (1, 2):
            ends_at = text_from_moment(START + timedelta(days=i))
            row = {"digest": "weekly", "number": i, "starts_at": moment, "ends_at": ends_at}
            db.insert("editions", {**row, "status": "composed", "hash": "", "composed_at": moment})
            db.insert(
                "segments", {"edition_id": i, "language": "en", "languages": "", "themes": ""}
            )


def add_article(db: Database, draw: Callable[[int], int]) -> None:
    entry = make_entry(line=draw(10_000), language=LANGUAGES[draw(2)], complete=bool(draw(2)))
    moment = START + timedelta(days=draw(30))
    source = 1 + draw(2)
    intake.add_article(db, source, "wire", source, entry, archived=bool(draw(2)), moment=moment)


def some(db: Database, table: str, draw: Callable[[int], int]) -> int:
    """The id of a row; 0 where there is none."""
    ids = [row["id"] for row in db.rows(f"SELECT id FROM {table} ORDER BY id")]  # noqa: S608 - ours
    return ids[draw(len(ids))] if ids else 0


def file_article(db: Database, draw: Callable[[int], int]) -> None:
    if article := some(db, "articles", draw):
        chosen = [theme for theme in THEMES if draw(2)]
        intake.save_matches(db, article, [make_match(theme) for theme in chosen])


def move_match(db: Database, draw: Callable[[int], int]) -> None:
    sql = "UPDATE OR IGNORE matches SET theme = ?, article_id = ? WHERE article_id = ?"
    if article := some(db, "articles", draw):
        db.run(sql, (THEMES[draw(3)], some(db, "articles", draw), article))


def take_match(db: Database, draw: Callable[[int], int]) -> None:
    db.run(
        "DELETE FROM matches WHERE theme = ? OR article_id = ?",
        (THEMES[draw(3)], some(db, "articles", draw)),
    )


CHANGES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("source_id", (1, 2)),
    ("language", LANGUAGES),
    ("complete", (0, 1)),
    ("published_at", (None, "2026-11-15", "2026-11-16")),
    ("lexicon_version", (None, "a", "b")),
    ("story_id", (None, 1, 2)),
    ("title", ("one", "two")),
    ("first_seen_at", tuple(text_from_moment(START + timedelta(days=i)) for i in (0, 6, 7, 50))),
)


def change_article(db: Database, draw: Callable[[int], int]) -> None:
    sets = [(column, values[draw(len(values))]) for column, values in CHANGES if draw(2)]
    if sets:
        named = ", ".join(f"{column} = ?" for column, _ in sets)
        sql = f"UPDATE articles SET {named} WHERE id % ? = 0"  # noqa: S608 - ours
        db.run(sql, (*(value for _, value in sets), 1 + draw(3)))


def remove_article(db: Database, draw: Callable[[int], int]) -> None:
    article = some(db, "articles", draw)
    for table in ("matches", "article_versions"):
        db.run(f"DELETE FROM {table} WHERE article_id = ?", (article,))  # noqa: S608 - ours
    db.run("DELETE FROM articles WHERE id = ?", (article,))


def change_documents(db: Database, draw: Callable[[int], int]) -> None:
    error = (None, "no text")[draw(2)]
    name = str(1 + draw(3))
    intake.save_document(
        db, 1 + draw(2), name=name, sha256="", size=1, encoding=None, error=error, moment=START
    )
    db.run("DELETE FROM documents WHERE name = '3' AND source_id = ?", (1 + draw(2),))


STATES = ("queued", "handed", "sent", "failed", "uncertain", "skipped")


def change_deliveries(db: Database, draw: Callable[[int], int]) -> None:
    edition = 1 + draw(2)
    db.run(
        """INSERT INTO deliveries (edition_id, recipient_id, segment_id, status)
             SELECT ?, id, ?, ? FROM recipients WHERE id > ?
               ON CONFLICT DO UPDATE SET status = excluded.status""",
        (edition, edition, STATES[draw(6)], draw(6)),
    )
    db.run("UPDATE deliveries SET status = ? WHERE id % 2 = ?", (STATES[draw(6)], draw(2)))
    db.run("DELETE FROM deliveries WHERE recipient_id = ?", (draw(12),))


ACTS = (
    add_article,
    file_article,
    move_match,
    take_match,
    change_article,
    remove_article,
    change_documents,
    change_deliveries,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store for all examples; each begins and ends without a row of its own."""
    with open_database(tmp_path_factory.mktemp("counting") / "digest.db", now=MADE_AT) as store:
        furnish(store)
        yield store


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_counts_are_what_counting_gives(kept: Database, data: st.DataObject) -> None:
    """For whoever reads a figure: rows added, changed, moved and removed in any order are counted."""

    def draw(below: int) -> int:
        return data.draw(st.integers(0, below - 1))

    acts = data.draw(st.lists(st.sampled_from(ACTS), max_size=12))
    kept.connection.execute("BEGIN")
    try:
        add_article(kept, draw)
        for act in acts:
            act(kept, draw)
            assert miscounted(kept) == []
        assert marks(kept).keys() == {row["id"] for row in kept.rows("SELECT id FROM articles")}
    finally:
        kept.connection.execute("ROLLBACK")


def marks(db: Database) -> dict[int, int]:
    return {row["article_id"]: row["mark"] for row in db.rows("SELECT * FROM article_marks")}


@pytest.fixture
def furnished(db: Database) -> Database:
    """Four articles: 1 and 2 tell one story, 3 another, 4 none; 1 is under a theme."""
    furnish(db)
    with db.write():
        for i in range(1, 5):
            entry = make_entry(line=i, title=f"Title {i}")
            intake.add_article(db, 1, "wire", 1, entry, archived=False, moment=START)
        db.run("UPDATE articles SET story_id = 1 WHERE id <= 2")
        db.run("UPDATE articles SET story_id = 2 WHERE id = 3")
        intake.save_matches(db, 1, [make_match("drugs")])
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
    """For readers of a page: each change that it shows marks it, and those of its story."""
    before = marks(furnished)
    with furnished.write():
        furnished.run(sql)
    after = marks(furnished)
    assert {i for i in before if before[i] != after[i]} == remarked


def test_every_column_of_an_article_may_show_but_the_lexicon_version(db: Database) -> None:
    """For who adds a column: it must be among those whose change marks the page."""
    columns = {row["name"] for row in db.rows("PRAGMA table_info(articles)")}
    assert columns == {*SHOWN, "id", "lexicon_version"}


def test_an_import_counts_anew(furnished: Database, tmp_path: Path) -> None:
    """For who moves by an export: it holds no count, and the new store has them all."""
    lines = list(export_lines(furnished))
    assert not any('"table":"article_counts"' in line for line in lines)
    with open_database(tmp_path / "other.db", now=MADE_AT) as other:
        import_lines(other, lines, "export")
        assert miscounted(other) == []
        assert marks(other).keys() == marks(furnished).keys()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        pytest.param("UPDATE article_counts SET count = 9", "article_counts", id="another number"),
        pytest.param("DELETE FROM theme_counts", "theme_counts", id="none"),
        pytest.param("INSERT INTO document_counts VALUES (2, 1, 3)", "document_counts", id="more"),
    ],
)
def test_a_wrong_count_is_found(furnished: Database, sql: str, told: str) -> None:
    """For the doctor: counts that a hand changed are told by their table."""
    with furnished.write():
        furnished.run(sql)
    assert miscounted(furnished) == [told]
