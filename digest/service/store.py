"""What the service asks the database: alarms, troubles, the editors' week, and counts for status and metrics."""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from digest.editions.store import delivery_counts
from digest.model import OTHER, UNSURE, Trouble, Window
from digest.store.articles import within
from digest.store.database import Database, Row, moment_from_text, text_from_moment


@dataclass(frozen=True, slots=True)
class Alarm:
    """A recorded trouble; since when it is an alarm, and since when it is not seen any more."""

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


def record_trouble(db: Database, trouble: Trouble, known: Alarm | None, now: datetime) -> None:
    """Insert a trouble, or update the known one, which is no longer gone. Call inside a write."""
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


def mark_alarm(
    db: Database, alarm: Alarm, column: Literal["raised_at", "gone_at", "closed_at"], at: datetime
) -> None:
    """Set one of its moments. Call inside a write."""
    db.run(f"UPDATE alarms SET {column} = ? WHERE id = ?", (text_from_moment(at), alarm.id))  # noqa: S608 - ours


def refused_by_policy(db: Database, since: datetime, least: int, share: float) -> list[Row]:
    """Id, digest and number of editions that many servers refused for us, not for the address, in
    proven reports since then: how many (`count`), since when (`since`)."""
    sql = """
    SELECT editions.id, digest, number, count(*) AS count, min(read_at) AS since
      FROM bounces JOIN editions ON editions.id = edition_id
     WHERE edition_id IN (SELECT id FROM editions ORDER BY id DESC LIMIT 20)
       AND kind = 'policy' AND found_by IN ('verp', 'envelope', 'message-id') AND read_at > ?
     GROUP BY editions.id HAVING count(*) >= ? AND count(*) >= ? * recipients ORDER BY editions.id
    """
    return db.rows(sql, (text_from_moment(since), least, share))


def first_sent(db: Database) -> datetime | None:
    """When the first edition began to go out; None if none ever did."""
    sql = "SELECT dated_at FROM editions WHERE dated_at IS NOT NULL ORDER BY id LIMIT 1"
    value = db.value(sql)
    return None if value is None else moment_from_text(str(value))


SAMPLE = 100


def unreadable_documents(db: Database, source: str, before: datetime) -> list[Row]:
    """Documents of a source that could not be read already `before`: name, error and read_at, which
    is when the error was first seen; the oldest first, at most SAMPLE.
    """
    sql = """
    SELECT documents.name, error, read_at FROM documents
     WHERE source_id = (SELECT id FROM sources WHERE name = ?)
       AND error IS NOT NULL AND read_at <= ? ORDER BY read_at, documents.id LIMIT ?
    """
    return db.rows(sql, (source, text_from_moment(before), SAMPLE))


def unclear_embargoes(db: Database, now: datetime) -> list[Row]:
    """Articles that ask to wait and name no hour, or ask after readers saw them, at most SAMPLE: id, title,
    embargo_words, received_at, and `state`."""
    sql = """SELECT id, title, embargo_words, received_at,
                    iif(opens_at > :now, 'is embargoed, and names no hour',
                        'was published before it asked to wait') AS state
               FROM articles
              WHERE embargo_words IS NOT NULL AND released_by IS NULL AND withdrawn_at IS NULL
                AND coalesce(embargo_until, '9') > :now
                AND (embargo_until IS NULL OR coalesce(opens_at, '') <= :now)
              ORDER BY coalesce(embargo_until, '9'), id LIMIT :sample"""
    return db.rows(sql, {"now": text_from_moment(now), "sample": SAMPLE})


def held_editions(db: Database) -> list[Row]:
    """Id, digest, number, note, composed_at and approved_at of each that waits for a person; the newest
    first."""
    sql = """SELECT id, digest, number, note, composed_at, approved_at FROM editions
              WHERE status = 'held' ORDER BY id DESC"""
    return db.rows(sql)


def uncertain_editions(db: Database) -> list[Row]:
    """Id, digest and number of each with uncertain deliveries, how many those are, and since when
    (`uncertain`, `uncertain_since`); the newest first. Then that of the notices, if any, without an id.
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
     UNION ALL SELECT NULL, NULL, NULL, count(*), min(coalesce(settled_at, queued_at))
      FROM notices WHERE status = 'uncertain' GROUP BY status
     ORDER BY id DESC
    """
    return db.rows(sql)


def open_editions(db: Database) -> list[Row]:
    """Id, digest, number and recipients of each that still has mail to send; the newest first."""
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


def last_sent(db: Database, edition_id: int) -> datetime | None:
    """When a server accepted the last message of an edition; deliveries go out in their order."""
    sql = """SELECT settled_at FROM deliveries
              WHERE edition_id = ? AND status = 'sent' ORDER BY id DESC LIMIT 1"""
    value = db.value(sql, (edition_id,))
    return None if value is None else moment_from_text(str(value))


def refused_notices(db: Database, addresses: Collection[str]) -> Row | None:
    """The notice to one of these that is deferred for longest, or the ping that was given up: since when,
    and the server's answer; None if there is none.
    """
    sql = """
    SELECT coalesce(first_tried_at, queued_at) AS since, answer  -- a server that is away is no try
      FROM notices
     WHERE (status IN ('queued', 'handed') OR (kind = 'ping' AND status = 'failed' AND settled_at >
            (SELECT coalesce(max(settled_at), '') FROM notices WHERE kind = 'ping' AND status = 'sent')))
       AND (first_tried_at IS NOT NULL OR answer IS NOT NULL)
       AND recipient IN (SELECT value FROM json_each(?))
     ORDER BY 1 LIMIT 1
    """
    return db.row(sql, (json.dumps(list(addresses)),))


def editions_of_others(db: Database, digests: Collection[str]) -> list[Row]:
    """Id, digest and number of each edition of any other digest that still has mail to send, and how
    much (`queued`); the oldest first.
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
    """How many active, mailable recipients chose by `what` ("digest", "theme" or "language") only
    names that are not known, and those names. Checks the `newest` recipients, or all for None.
    """
    table, column = f"recipient_{what}s", what
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


SHOWN = 20
"""How many of each kind the report lists."""

_NEW = """articles.first_seen_at >= ? AND articles.first_seen_at < ? AND articles.archived = 0
   AND articles.withdrawn_at IS NULL"""


def new_articles(db: Database, window: Window) -> int:
    """How many articles were first seen within the window."""
    return int(db.value(f"SELECT count(*) FROM articles WHERE {_NEW}", within(window)))  # noqa: S608 - ours


def unfiled_articles(db: Database, window: Window) -> tuple[int, list[int]]:
    """How many articles of the window have no theme, and the ids of the newest SHOWN."""
    bounds = within(window)
    bare = f"""FROM articles
                WHERE {_NEW} AND NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)"""  # noqa: S608 - ours
    sql = f"SELECT id {bare} ORDER BY first_seen_at DESC, id LIMIT ?"
    ids = [row["id"] for row in db.rows(sql, (*bounds, SHOWN))]
    return int(db.value(f"SELECT count(*) {bare}", bounds)), ids


def weak_matches(db: Database, window: Window) -> tuple[int, list[tuple[int, str]]]:
    """How many matches of the window's articles are unsure; article and theme of the weakest SHOWN."""
    bounds = within(window)
    weak = f"""FROM articles JOIN matches ON matches.article_id = articles.id
                WHERE {_NEW} AND decided_by = 'lexicon' AND score < threshold * {UNSURE}"""
    sql = f"SELECT articles.id, theme {weak} ORDER BY score / threshold, articles.id, theme LIMIT ?"
    matches = [(row["id"], row["theme"]) for row in db.rows(sql, (*bounds, SHOWN))]
    return int(db.value(f"SELECT count(*) {weak}", bounds)), matches


def documents_not_read(db: Database, limit: int) -> tuple[int, list[Row]]:
    """How many documents cannot be read, and the newest of them: source, document, error."""
    sql = """
    SELECT sources.name AS source, documents.name AS document, error
      FROM documents JOIN sources ON sources.id = source_id
     WHERE error IS NOT NULL ORDER BY read_at DESC, documents.id LIMIT ?
    """
    count = db.value("SELECT count(*) FROM documents WHERE error IS NOT NULL")
    return int(count), db.rows(sql, (limit,))


def new_suppressions(db: Database, window: Window) -> dict[str, int]:
    """How many addresses were suppressed within the window, by cause; the most frequent first."""
    sql = """SELECT cause, count(*) AS count FROM suppressions
              WHERE since >= ? AND since < ? GROUP BY cause ORDER BY count DESC, cause"""
    return {row["cause"]: row["count"] for row in db.rows(sql, within(window))}


def new_bounces(db: Database, window: Window) -> dict[str, int]:
    """How many bounces were read within the window, by kind; the most frequent first."""
    sql = """SELECT kind, count(*) AS count FROM bounces
              WHERE read_at >= ? AND read_at < ? GROUP BY kind ORDER BY count DESC, kind"""
    return {row["kind"]: row["count"] for row in db.rows(sql, within(window))}


def last_edition(db: Database, digest: str) -> Row | None:
    """The newest edition of a digest: id, digest, number, status, composed_at, articles, recipients;
    `counts` of its deliveries by state; `failed`, the five most frequent reasons and how often each.
    """
    sql = """SELECT id, digest, number, status, composed_at, recipients,
                    (SELECT count(*) FROM placements WHERE edition_id = editions.id) AS articles
               FROM editions WHERE digest = ? ORDER BY number DESC LIMIT 1"""
    row = db.row(sql, (digest,))
    if row is not None:
        sql = """SELECT coalesce(reason, 'no reason kept') AS reason, count(*) AS count
                   FROM deliveries WHERE edition_id = ? AND status = 'failed'
                  GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"""
        row["failed"] = {one["reason"]: one["count"] for one in db.rows(sql, (row["id"],))}
        row["counts"] = delivery_counts(db, row["id"])
    return row


NEWEST = 20
"""Editions whose deliveries are counted: those of older ones do not change any more."""


def totals(db: Database, now: datetime) -> dict[str, Any]:
    """How much there is of everything; `newest` is when readers first saw the newest article."""
    sql = """
    SELECT (SELECT count(*) FROM articles) AS articles,
           (SELECT count(*) FROM articles WHERE complete = 0) AS summaries,
           (SELECT count(*) FROM articles WHERE published_at IS NULL) AS undated,
           (SELECT count(*) FROM stories) AS stories,
           (SELECT count(*) FROM recipients WHERE status = 'active') AS recipients,
           (SELECT count(*) FROM editions) AS editions,
           (SELECT first_seen_at FROM articles WHERE coalesce(opens_at, '') <= ?
             ORDER BY first_seen_at DESC LIMIT 1) AS newest
    """
    return db.row(sql, (text_from_moment(now),)) or {}


def articles_by_week(db: Database, first: str) -> Counter[tuple[str, str]]:
    """Articles by theme and week since the week of this Monday (2026-11-16), in UTC; a week is named
    by its Monday, OTHER are those without a theme.
    """
    sql = """
    SELECT coalesce(theme, ?) AS theme, substr(first_seen_at, 1, 10) AS day, count(*) AS count
      FROM articles LEFT JOIN matches ON matches.article_id = articles.id
     WHERE first_seen_at >= ? GROUP BY 1, 2
    """
    counts: Counter[tuple[str, str]] = Counter()
    for row in db.rows(sql, (OTHER, first)):
        day = date.fromisoformat(row["day"])
        counts[row["theme"], str(day - timedelta(days=day.weekday()))] += row["count"]
    return counts


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


def other_languages(db: Database, known: Collection[str]) -> list[str]:
    """How many articles are in each language that is not among these: "2 in de"."""
    sql = "SELECT language, count(*) AS count FROM articles GROUP BY language ORDER BY count DESC"
    return [
        f"{row['count']:,} in {row['language'] or 'an unknown language'}"
        for row in db.rows(sql)
        if row["language"] not in known
    ]


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


def newest_editions(db: Database, limit: int) -> list[Row]:
    """The newest editions, newest first, with how many of their deliveries are in each state."""
    sql = "SELECT id, digest, number, ends_at, status FROM editions ORDER BY id DESC LIMIT ?"
    editions = db.rows(sql, (limit,))
    for row in editions:
        row["deliveries"] = delivery_counts(db, row["id"])
    return editions


def editions_by_state(db: Database) -> dict[tuple[str, str], int]:
    """Editions by (digest, state)."""
    sql = "SELECT digest, status, count(*) AS count FROM editions GROUP BY 1, 2"
    return {(row["digest"], row["status"]): row["count"] for row in db.rows(sql)}


def deliveries_by_state(db: Database) -> dict[tuple[str, str], int]:
    """Deliveries of the newest editions by (digest, state)."""
    counts: Counter[tuple[str, str]] = Counter()
    for edition in newest_editions(db, NEWEST):
        for state, count in edition["deliveries"].items():
            counts[edition["digest"], state] += count
    return counts


def oldest_due(db: Database) -> datetime | None:
    """When the longest waiting delivery of a composed edition was due; None if none is queued."""
    sql = """
    SELECT min((SELECT min(due_at) FROM deliveries
                 WHERE edition_id = editions.id AND status = 'queued'))
      FROM editions WHERE status = 'composed'
    """
    value = db.value(sql)
    return None if value is None else moment_from_text(str(value))


def check_readable(db: Database) -> None:
    """Read one table, so that a database that cannot be read raises its error."""
    db.value("SELECT count(*) FROM sources")


def last_window_end(db: Database) -> datetime | None:
    """When the newest edition's window ends; None if there is no edition."""
    value = db.value("SELECT max(ends_at) FROM editions")
    return None if value is None else moment_from_text(str(value))


def sending_at_a_glance(db: Database, overdue_before: datetime) -> Row:
    """How many editions are held, deliveries and notices uncertain, and deliveries overdue: queued in a composed
    edition, and due before then.
    """
    sql = """
    SELECT (SELECT count(*) FROM editions WHERE status = 'held') AS held,
           (SELECT count(*) FROM editions CROSS JOIN deliveries
             WHERE edition_id = editions.id AND deliveries.status = 'uncertain')
           + (SELECT count(*) FROM notices WHERE status = 'uncertain') AS uncertain,
           (SELECT count(*) FROM editions JOIN deliveries ON deliveries.edition_id = editions.id
             WHERE editions.status = 'composed' AND deliveries.status = 'queued'
               AND deliveries.due_at < ?) AS overdue
    """
    return db.row(sql, (text_from_moment(overdue_before),)) or {}
