"""Figures for /metrics and `digest status`: queries of the newest rows, bounded by an index."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from digest.model import OTHER
from digest.store.database import Database, Row, moment_from_text
from digest.store.editions import delivery_counts

NEWEST = 20
"""Deliveries are told of so many editions: those before them do not change any more."""


def articles_by_week(db: Database, first: str) -> Counter[tuple[str, str]]:
    """Articles by theme and week since the week of this Monday (2026-11-16), in UTC; a week is named
    by its Monday, OTHER are those without a theme.
    """
    sql = """
    SELECT coalesce(theme, ?) AS theme, substr(first_seen_at, 1, 10) AS day, count(*) AS count
      FROM articles LEFT JOIN matches ON matches.article_id = articles.id
     WHERE first_seen_at >= ? GROUP BY 1, 2
    """
    found: Counter[tuple[str, str]] = Counter()
    for row in db.rows(sql, (OTHER, first)):
        day = date.fromisoformat(row["day"])
        found[row["theme"], str(day - timedelta(days=day.weekday()))] += row["count"]
    return found


def deliveries_by_state(db: Database) -> dict[tuple[str, str], int]:
    """Deliveries of the newest editions by (digest, state)."""
    found: Counter[tuple[str, str]] = Counter()
    for edition in newest_editions(db, NEWEST):
        for state, count in edition["deliveries"].items():
            found[edition["digest"], state] += count
    return found


def editions_by_state(db: Database) -> dict[tuple[str, str], int]:
    """Editions by (digest, state)."""
    sql = "SELECT digest, status, count(*) AS count FROM editions GROUP BY 1, 2"
    return {(row["digest"], row["status"]): row["count"] for row in db.rows(sql)}


def newest_editions(db: Database, limit: int) -> list[Row]:
    """The newest editions, newest first, with how many of their deliveries stand in each state."""
    sql = "SELECT id, digest, number, ends_at, status FROM editions ORDER BY id DESC LIMIT ?"
    found = db.rows(sql, (limit,))
    for row in found:
        row["deliveries"] = delivery_counts(db, row["id"])
    return found


def oldest_due(db: Database) -> datetime | None:
    """Since when the delivery that waits longest is due, of editions that go out; None if none is."""
    sql = """
    SELECT min((SELECT min(due_at) FROM deliveries
                 WHERE edition_id = editions.id AND status = 'queued'))
      FROM editions WHERE status = 'composed'
    """
    found = db.value(sql)
    return None if found is None else moment_from_text(str(found))


def has_handed(db: Database) -> bool:
    """Whether a delivery was handed over and has no answer yet."""
    return db.value("SELECT 1 FROM deliveries WHERE status = 'handed' LIMIT 1") is not None


def content_mark(db: Database) -> str:
    """Another text as soon as what is published may have changed: articles, themes, stories."""
    return str(db.value("SELECT count(*) || ' ' || total(mark) FROM article_marks"))


def article_marks(db: Database) -> dict[int, int]:
    """For each article, by its id, a number that is another as soon as its page may have changed.

    Numbers are drawn at random, so that a store that was restored or copied never has one of ours
    for something else.
    """
    return {
        int(row["article_id"]): int(row["mark"])
        for row in db.each("SELECT article_id, mark FROM article_marks ORDER BY article_id")
    }


def first_seen_of(db: Database, article_ids: Sequence[int]) -> list[datetime]:
    """When these articles came in, but for those that belong to no edition."""
    sql = "SELECT first_seen_at FROM articles WHERE archived = 0 AND id = ?"
    found = (db.value(sql, (article_id,)) for article_id in article_ids)
    return [moment_from_text(text) for text in found if text is not None]
