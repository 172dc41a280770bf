"""Figures for whoever watches the service: bounded queries, whatever the size of the store."""

from datetime import datetime

from digest.store.database import Database, Row, moment_from_text

NEWEST = 20
"""Deliveries are counted for so many editions: those before them do not change any more."""


def articles_by_source(db: Database) -> list[Row]:
    """How many articles each source has, and how many of its documents cannot be read."""
    sql = """
    SELECT name AS source,
           (SELECT count(*) FROM articles WHERE source_id = sources.id) AS articles,
           (SELECT count(*) FROM documents
             WHERE source_id = sources.id AND error IS NOT NULL) AS faulty
      FROM sources ORDER BY name
    """
    return db.rows(sql)


def deliveries_by_state(db: Database) -> list[Row]:
    """Deliveries of the newest editions by digest and state."""
    sql = """
    SELECT editions.digest, deliveries.status, count(*) AS count
      FROM (SELECT id, digest FROM editions ORDER BY id DESC LIMIT ?) AS editions
      JOIN deliveries ON deliveries.edition_id = editions.id
     GROUP BY 1, 2 ORDER BY 1, 2
    """
    return db.rows(sql, (NEWEST,))


def editions_by_state(db: Database) -> list[Row]:
    sql = "SELECT digest, status, count(*) AS count FROM editions GROUP BY 1, 2 ORDER BY 1, 2"
    return db.rows(sql)


def oldest_due(db: Database) -> datetime | None:
    """Since when the delivery that waits longest is due, of editions that go out; None if none is."""
    sql = """
    SELECT min(due_at) FROM deliveries
     WHERE status = 'queued'
       AND edition_id IN (SELECT id FROM editions WHERE status = 'composed')
    """
    found = db.value(sql)
    return None if found is None else moment_from_text(str(found))


def has_handed(db: Database) -> bool:
    """Whether a delivery was handed over and has no answer yet."""
    return db.value("SELECT 1 FROM deliveries WHERE status = 'handed' LIMIT 1") is not None


def content_mark(db: Database) -> str:
    """Another text as soon as what is published may have changed: articles, themes, stories."""
    sql = """
    SELECT (SELECT count(*) || ' ' || coalesce(max(updated_at), '') || ' ' || count(withdrawn_at)
                   || ' ' || total(story_id) FROM articles) || ' ' ||
           (SELECT count(*) || ' ' || total(score * (rank + 1)) FROM matches) || ' ' ||
           (SELECT count(*) || ' ' || total(lead_article_id) FROM stories)
    """
    return str(db.value(sql))
