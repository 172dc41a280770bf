"""What tells whether an operator must act: queries that take as long on a large store as on a small.

Every edition is looked at, so that none is forgotten while its trouble lasts: they are thousands at
most, and an index finds the deliveries that are not settled. Of those a fixed number is looked at.
"""

import json
from collections.abc import Collection
from datetime import datetime

from digest.model import OTHER, Window
from digest.store.database import Database, Row, moment_from_text, text_from_moment

SAMPLE = 100


def held_editions(db: Database) -> list[Row]:
    """Id, digest, number, note and composed_at of each that waits for a person; the newest first."""
    sql = """SELECT id, digest, number, note, composed_at FROM editions
              WHERE status = 'held' ORDER BY id DESC"""
    return db.rows(sql)


def uncertain_editions(db: Database) -> list[Row]:
    """Id, digest and number of each with deliveries that are uncertain, how many those are, and
    since when (`uncertain`, `uncertain_since`); the newest first.
    """
    sql = """
    SELECT id, digest, number,
           (SELECT count(*) FROM deliveries
             WHERE edition_id = editions.id AND status = 'uncertain') AS uncertain,
           (SELECT settled_at FROM deliveries
             WHERE edition_id = editions.id AND status = 'uncertain' ORDER BY id LIMIT 1)
             AS uncertain_since
      FROM editions
     WHERE EXISTS (SELECT 1 FROM deliveries
                    WHERE edition_id = editions.id AND status = 'uncertain')
     ORDER BY id DESC
    """
    return db.rows(sql)


def open_editions(db: Database) -> list[Row]:
    """Id, digest, number and recipients of each that goes out and is not through; the newest first."""
    sql = """
    SELECT id, digest, number, recipients
      FROM editions
     WHERE status = 'composed'
       AND EXISTS (SELECT 1 FROM deliveries WHERE edition_id = editions.id AND status = 'queued')
     ORDER BY id DESC
    """
    return db.rows(sql)


def queued_sample(db: Database, edition_id: int, *, last: bool) -> list[Row]:
    """At most SAMPLE queued deliveries of an edition, the first or the last in its order: attempts,
    due_at, first_tried_at, answer and server.
    """
    sql = f"""
    SELECT attempts, due_at, first_tried_at, answer, server
      FROM deliveries INDEXED BY deliveries_by_edition
     WHERE edition_id = ? AND status = 'queued' ORDER BY id {"DESC" if last else "ASC"} LIMIT ?
    """  # noqa: S608 - the direction is ours
    return db.rows(sql, (edition_id, SAMPLE))


def last_taken(db: Database, edition_id: int) -> datetime | None:
    """When a server took the last message of an edition; deliveries go out in their order."""
    sql = """SELECT settled_at FROM deliveries INDEXED BY deliveries_by_edition
              WHERE edition_id = ? AND status = 'sent' ORDER BY id DESC LIMIT 1"""
    found = db.value(sql, (edition_id,))
    return None if found is None else moment_from_text(str(found))


def unreadable_documents(db: Database, source: str, before: datetime) -> list[Row]:
    """Documents of a source that could not be read already `before`: name, error and read_at, which
    is when it was first so; the oldest first, at most SAMPLE.
    """
    sql = """
    SELECT documents.name, error, read_at FROM documents INDEXED BY documents_unreadable
     WHERE source_id = (SELECT id FROM sources WHERE name = ?)
       AND error IS NOT NULL AND read_at <= ? ORDER BY read_at, documents.id LIMIT ?
    """
    return db.rows(sql, (source, text_from_moment(before), SAMPLE))


def has_news(
    db: Database, window: Window, languages: Collection[str], themes: Collection[str]
) -> bool:
    """Whether an edition of this window would hold an article."""
    spoken = ", ".join("?" * len(languages))
    chosen = ", ".join("?" * len(themes))
    sql = f"""
    SELECT 1 FROM articles
     WHERE first_seen_at >= ? AND first_seen_at < ? AND archived = 0 AND withdrawn_at IS NULL
       AND language IN ({spoken})
       AND (EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id AND theme IN ({chosen}))
            OR (? AND NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)))
     LIMIT 1
    """  # noqa: S608 - only question marks are put in
    bounds = (text_from_moment(window.starts_at), text_from_moment(window.ends_at))
    return db.value(sql, (*bounds, *languages, *themes, OTHER in themes)) is not None


def refused_notices(db: Database, addresses: Collection[str]) -> Row | None:
    """The notice to one of these that is put off for longest: since when, and what was said; None
    where none is put off.
    """
    sql = """
    SELECT coalesce(first_tried_at, composed_at) AS since, answer  -- a server that is away is no try
      FROM notice_deliveries JOIN notices ON notices.id = notice_id
     WHERE status IN ('queued', 'handed') AND (first_tried_at IS NOT NULL OR answer IS NOT NULL)
       AND place IN (SELECT value FROM json_each(?))
     ORDER BY 1 LIMIT 1
    """
    return db.row(sql, (json.dumps(list(addresses)),))
