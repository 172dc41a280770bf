"""Counts of what is kept, for `status`, `themes list` and `doctor`."""

from datetime import datetime
from typing import Any

from digest.errors import StoreError
from digest.model import OTHER
from digest.store.database import Database, Row, text_from_moment


def articles_by_theme(db: Database) -> dict[tuple[str, str], int]:
    """How many articles each (theme, language) has; OTHER are those without a theme."""
    sql = """
    SELECT theme, language, count(*) AS count FROM matches GROUP BY theme, language
     UNION ALL
    SELECT ?, language, count - (SELECT count(*) FROM matches
                               WHERE language = found.language AND rank = 1)
      FROM (SELECT language, count(*) AS count FROM articles GROUP BY language) AS found
    """
    rows = db.rows(sql, (OTHER,))
    return {(row["theme"], row["language"]): row["count"] for row in rows if row["count"]}


def sources_at_a_glance(db: Database) -> list[Row]:
    """Each source with its documents, articles, faulty documents and when it last changed."""
    sql = """
    SELECT sources.name, sources.kind, sources.last_changed_at,
           (SELECT count(*) FROM documents WHERE source_id = sources.id) AS documents,
           (SELECT count(*) FROM documents
             WHERE source_id = sources.id AND error IS NOT NULL) AS faulty,
           (SELECT count(*) FROM articles WHERE source_id = sources.id) AS articles
      FROM sources ORDER BY sources.name
    """
    return db.rows(sql)


def faulty_documents(db: Database) -> list[Row]:
    """Documents that could not be read, with the reason."""
    sql = """
    SELECT sources.name AS source, documents.name AS document, documents.error
      FROM documents JOIN sources ON sources.id = documents.source_id
     WHERE documents.error IS NOT NULL ORDER BY 1, 2
    """
    return db.rows(sql)


def totals(db: Database) -> dict[str, Any]:
    """How much there is of everything."""
    sql = """
    SELECT (SELECT count(*) FROM articles) AS articles,
           (SELECT count(*) FROM articles WHERE complete = 0) AS summaries,
           (SELECT count(*) FROM articles WHERE published_at IS NULL) AS undated,
           (SELECT count(*) FROM stories) AS stories,
           (SELECT count(*) FROM recipients WHERE status = 'active') AS recipients,
           (SELECT count(*) FROM editions) AS editions,
           (SELECT max(first_seen_at) FROM articles) AS newest
    """
    return db.row(sql) or {}


def integrity_faults(db: Database) -> list[str]:
    """What SQLite finds wrong with the file: damaged pages, broken references; [] is sound."""
    if found := _checked(db, "integrity_check"):
        return found  # where pages are damaged, references cannot be followed
    broken = db.rows("PRAGMA foreign_key_check")
    return [f"{row['table']} row {row['rowid']} points at no {row['parent']}" for row in broken]


def damaged_pages(db: Database) -> list[str]:
    """As `integrity_faults`, but without a look whether each index has each row of its table, so that
    it takes a fraction of the time.
    """
    return _checked(db, "quick_check")


def _checked(db: Database, pragma: str) -> list[str]:
    try:
        found = [str(row[pragma]) for row in db.rows(f"PRAGMA {pragma}(20)")]
    except StoreError as e:
        return [str(e)]
    return [] if found == ["ok"] else found


def last_window_end(db: Database) -> str | None:
    """When the newest edition's window ends, as it is kept; None where there is no edition."""
    value = db.value("SELECT max(ends_at) FROM editions")
    return None if value is None else str(value)


def sending_at_a_glance(db: Database, overdue_before: datetime) -> Row:
    """How many editions are held, deliveries uncertain, and deliveries overdue: queued in an edition
    that may go out, and due before then.
    """
    sql = """
    SELECT (SELECT count(*) FROM editions WHERE status = 'held') AS held,
           (SELECT count(*) FROM editions CROSS JOIN deliveries
             WHERE edition_id = editions.id AND deliveries.status = 'uncertain') AS uncertain,
           (SELECT count(*) FROM editions JOIN deliveries ON deliveries.edition_id = editions.id
             WHERE editions.status = 'composed' AND deliveries.status = 'queued'
               AND deliveries.due_at < ?) AS overdue
    """
    return db.row(sql, (text_from_moment(overdue_before),)) or {}
