"""What the service asks the database: alarms, troubles, the editors' week, and counts for status and metrics."""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from digest.editions.store import delivery_counts
from digest.model import OTHER, Trouble, Window
from digest.store.database import Database, Row, moment_from_text, text_from_moment


@dataclass(frozen=True, slots=True)
class Alarm:
    """One trouble as it is kept. `raised_at`: since when it is an alarm; `gone_at`: since when it is
    not seen any more.
    """

    id: int
    trouble: Trouble
    raised_at: datetime | None
    gone_at: datetime | None


def open_alarms(db: Database) -> dict[str, Alarm]:
    """Every trouble that is not over, by its key."""
    return {
        row["key"]: Alarm(
            row["id"],
            Trouble(row["key"], row["said"], moment_from_text(row["began_at"]), row["advice"]),
            row["raised_at"] and moment_from_text(row["raised_at"]),
            row["gone_at"] and moment_from_text(row["gone_at"]),
        )
        for row in db.rows("SELECT * FROM alarms WHERE closed_at IS NULL ORDER BY id")
    }


def newest_alarms(db: Database, limit: int) -> list[Row]:
    """Alarms as rows, the open ones first, then the newest."""
    sql = """SELECT id, key, said, advice, began_at, seen_at, raised_at, gone_at, closed_at
               FROM alarms ORDER BY closed_at IS NOT NULL, id DESC LIMIT ?"""
    return db.rows(sql, (limit,))


def see(db: Database, trouble: Trouble, known: Alarm | None, now: datetime) -> None:
    """The trouble lasts; one that had gone has come back. Call inside a write."""
    at = text_from_moment(now)
    if known is None:
        values: Row = {"key": trouble.key, "said": trouble.said, "advice": trouble.advice}
        values |= {"began_at": text_from_moment(min(trouble.since, now)), "seen_at": at}
        db.insert("alarms", values)
        return
    # Once it is raised, its notices are named by when it began.
    sql = """UPDATE alarms SET said = ?, advice = ?, seen_at = ?, gone_at = NULL,
                    began_at = iif(raised_at IS NULL, min(began_at, ?), began_at) WHERE id = ?"""
    db.run(sql, (trouble.said, trouble.advice, at, at, known.id))


def miss(db: Database, alarm: Alarm, now: datetime) -> None:
    """The trouble is not seen any more. Call inside a write."""
    at = text_from_moment(now)
    sql = "UPDATE alarms SET gone_at = ? WHERE id = ? AND (gone_at IS NULL OR gone_at > ?)"
    db.run(sql, (at, alarm.id, at))


def mark_raised(db: Database, alarm: Alarm, now: datetime) -> None:
    """It has lasted long enough. Call inside a write."""
    db.run("UPDATE alarms SET raised_at = ? WHERE id = ?", (text_from_moment(now), alarm.id))


def mark_closed(db: Database, alarm: Alarm, now: datetime) -> None:
    """It is over. Call inside a write."""
    db.run("UPDATE alarms SET closed_at = ? WHERE id = ?", (text_from_moment(now), alarm.id))


SHOWN = 20
"""So many of each kind are shown; how many there are is told."""
NEAR = 1.25
"""A match whose score is below so many times its threshold is weak."""


@dataclass(frozen=True, slots=True)
class Week:
    """How much came in, and the first SHOWN of what was filed under nothing or weakly."""

    articles: int
    unfiled: int
    weak: int
    unfiled_ids: tuple[int, ...]
    weak_matches: tuple[tuple[int, str], ...]
    """Each an article's id and the theme, the weakest first."""


_NEW = """articles.first_seen_at >= ? AND articles.first_seen_at < ? AND articles.archived = 0
   AND articles.withdrawn_at IS NULL"""

_BARE = "NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)"

_WEAK = f"""FROM articles JOIN matches ON matches.article_id = articles.id
 WHERE {_NEW} AND decided_by = 'lexicon' AND score < threshold * {NEAR}"""


def week_of(db: Database, window: Window) -> Week:
    """What was first seen within the window."""
    within = (text_from_moment(window.starts_at), text_from_moment(window.ends_at))
    counts = f"SELECT count(*) AS articles, total({_BARE}) AS unfiled FROM articles WHERE {_NEW}"  # noqa: S608 - ours
    bare = (
        f"SELECT id FROM articles WHERE {_NEW} AND {_BARE} ORDER BY first_seen_at DESC, id LIMIT ?"  # noqa: S608 - ours
    )
    weak = (
        f"SELECT articles.id, theme {_WEAK} ORDER BY score / threshold, articles.id, theme LIMIT ?"
    )
    row = db.row(counts, within) or {}
    return Week(
        articles=int(row["articles"]),
        unfiled=int(row["unfiled"]),
        weak=int(db.value(f"SELECT count(*) {_WEAK}", within)),
        unfiled_ids=tuple(one["id"] for one in db.rows(bare, (*within, SHOWN))),
        weak_matches=tuple((one["id"], one["theme"]) for one in db.rows(weak, (*within, SHOWN))),
    )


def documents_not_read(db: Database) -> tuple[int, list[Row]]:
    """How many documents cannot be read, and the newest SHOWN of them: source, document, error."""
    sql = """
    SELECT sources.name AS source, documents.name AS document, error
      FROM documents JOIN sources ON sources.id = source_id
     WHERE error IS NOT NULL ORDER BY read_at DESC, documents.id LIMIT ?
    """
    count = db.value("SELECT count(*) FROM documents WHERE error IS NOT NULL")
    return int(count), db.rows(sql, (SHOWN,))


def came_back(db: Database, window: Window) -> list[Row]:
    """Addresses that were suppressed within the window, by cause: cause, count."""
    sql = """SELECT cause, count(*) AS count FROM suppressions
              WHERE since >= ? AND since < ? GROUP BY cause ORDER BY count DESC, cause"""
    return db.rows(sql, (text_from_moment(window.starts_at), text_from_moment(window.ends_at)))


def letters(db: Database, window: Window) -> list[Row]:
    """Letters that were taken in within the window, by kind: kind, count."""
    sql = """SELECT kind, count(*) AS count FROM bounces
              WHERE read_at >= ? AND read_at < ? GROUP BY kind ORDER BY count DESC, kind"""
    return db.rows(sql, (text_from_moment(window.starts_at), text_from_moment(window.ends_at)))


def failures(db: Database, edition_id: int) -> list[Row]:
    """Why deliveries of an edition failed: reason, count; the most frequent first."""
    sql = """SELECT coalesce(reason, 'no reason kept') AS reason, count(*) AS count FROM deliveries
              WHERE edition_id = ? AND status = 'failed' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"""
    return db.rows(sql, (edition_id,))


def last_of(db: Database, digest: str) -> Row | None:
    """The newest edition of a digest with how many articles it holds; None: there is none."""
    sql = """SELECT id, number, starts_at, ends_at, status, note, composed_at, recipients,
                    (SELECT count(*) FROM placements WHERE edition_id = editions.id) AS articles
               FROM editions WHERE digest = ? ORDER BY number DESC LIMIT 1"""
    return db.row(sql, (digest,))


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
      FROM deliveries
     WHERE edition_id = ? AND status = 'queued' ORDER BY id {"DESC" if last else "ASC"} LIMIT ?
    """  # noqa: S608 - the direction is ours
    return db.rows(sql, (edition_id, SAMPLE))


def last_taken(db: Database, edition_id: int) -> datetime | None:
    """When a server took the last message of an edition; deliveries go out in their order."""
    sql = """SELECT settled_at FROM deliveries
              WHERE edition_id = ? AND status = 'sent' ORDER BY id DESC LIMIT 1"""
    found = db.value(sql, (edition_id,))
    return None if found is None else moment_from_text(str(found))


def unreadable_documents(db: Database, source: str, before: datetime) -> list[Row]:
    """Documents of a source that could not be read already `before`: name, error and read_at, which
    is when it was first so; the oldest first, at most SAMPLE.
    """
    sql = """
    SELECT documents.name, error, read_at FROM documents
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


CHOICES = {
    "digest": ("recipient_digests", "digest"),
    "theme": ("recipient_themes", "theme"),
    "language": ("recipient_languages", "language"),
}
"""Of each thing that a recipient chooses the table and the column that keep it."""


def editions_of_others(db: Database, digests: Collection[str]) -> list[Row]:
    """Id, digest and number of each edition of a digest that is not among these and has deliveries
    to come, and how many (`queued`); the oldest first.
    """
    sql = """
    SELECT editions.id, digest, number, count(*) AS queued
      FROM editions JOIN deliveries ON edition_id = editions.id
     WHERE deliveries.status IN ('queued', 'handed') AND editions.status != 'cancelled'
       AND digest NOT IN (SELECT value FROM json_each(?))
     GROUP BY editions.id ORDER BY editions.id
    """
    return db.rows(sql, (json.dumps(list(digests)),))


def without_any_of(
    db: Database, what: str, known: Collection[str], *, newest: int | None
) -> tuple[int, list[str]]:
    """Of the active recipients that may be mailed, the `newest` so many or all: how many chose by
    `what` (a key of CHOICES), but nothing that is known; and what they chose instead, by name.
    """
    table, column = CHOICES[what]
    sql = f"""
    SELECT gone, count(*) AS recipients FROM (
      SELECT (SELECT json_group_array({column}) FROM (
               SELECT {column} FROM {table}
                WHERE recipient_id = looked.id ORDER BY {column})) AS gone
        FROM (SELECT id, address_key FROM recipients
               WHERE status = 'active' ORDER BY id DESC LIMIT ?) AS looked
       WHERE EXISTS (SELECT 1 FROM {table} WHERE recipient_id = looked.id)
         AND NOT EXISTS (SELECT 1 FROM {table}
                          WHERE recipient_id = looked.id
                            AND {column} IN (SELECT value FROM json_each(?)))
         AND NOT EXISTS (SELECT 1 FROM suppressions
                          WHERE suppressions.address_key = looked.address_key))
     GROUP BY gone
    """  # noqa: S608 - names are ours
    rows = db.rows(sql, (-1 if newest is None else newest, json.dumps(list(known))))
    names = {name for row in rows for name in json.loads(row["gone"])}
    return sum(row["recipients"] for row in rows), sorted(names)


def check_readable(db: Database) -> None:
    """Read one table, so that a database that cannot be read raises its error."""
    db.value("SELECT count(*) FROM sources")
