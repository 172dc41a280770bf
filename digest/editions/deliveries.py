"""Deliveries: one row for each edition and recipient, and how it ended.

    queued -> handed -> sent | failed | uncertain, or queued again
    queued -> skipped

`handed` is on disk before a server gets the end of a body. Only one sender works on a database at a
time (see store.owner), so a queued row needs no claim.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from digest.audience.evidence import IS_BRAKED
from digest.editions.store import IS_DUE, NOW, WITHDRAWN, due_times, extras_from_text
from digest.errors import NotFoundError, NotReadyError
from digest.mail.outgoing import DeliveryStatus, Due, Kind
from digest.mail.store import DELIVERIES, NOTICES
from digest.store.articles import changes_of
from digest.store.database import Database, Row, moment_from_text, text_from_moment

PAGE = 100
NAMED = Kind.CORRECTION.value
"""The name of a notice of a correction begins with this, then article, version, recipient, and which change."""


def queue_deliveries(
    db: Database, edition_id: int, deliveries: Iterable[tuple[int, int]], moment: datetime
) -> int:
    """Queue a delivery for each recipient, with a segment; returns how many.

    Call inside the write that freezes the edition. A recipient has one delivery of an edition,
    whatever happens: UNIQUE (recipient_id, edition_id).
    """
    due_at = text_from_moment(moment)
    count = db.run_many(
        """INSERT INTO deliveries (edition_id, recipient_id, segment_id, status, due_at)
           VALUES (?, ?, ?, 'queued', ?)""",
        ((edition_id, recipient, segment, due_at) for recipient, segment in deliveries),
    )
    db.run("UPDATE editions SET recipients = ? WHERE id = ?", (count, edition_id))
    return count


DUE = f"""
SELECT deliveries.id, deliveries.edition_id, segment_id, recipient_id, address, name, attempts,
       first_tried_at
  FROM deliveries
  JOIN recipients ON recipients.id = recipient_id
 WHERE deliveries.edition_id = :edition AND deliveries.status = 'queued'
   AND {IS_DUE} AND deliveries.id > :last AND recipients.status = 'active'
   AND EXISTS (SELECT 1 FROM editions WHERE id = :edition AND status = 'composed')
   AND NOT EXISTS {WITHDRAWN.format(edition=":edition")}
   AND NOT {IS_BRAKED.format(edition=":edition")}
   AND NOT EXISTS (SELECT 1 FROM suppressions
                    WHERE suppressions.address_key = recipients.address_key)
 ORDER BY deliveries.id LIMIT {PAGE}
"""  # noqa: S608 - ours


def due_deliveries(db: Database, edition_id: int, now: datetime) -> Iterator[Due]:
    """The queued deliveries of an edition that are due, a page at a time: what another process writes
    meanwhile counts from the next page on, and before they are handed over (see `has_unwanted`).
    """
    last = 0
    while True:
        seen = db.version()
        rows = db.rows(DUE, {"edition": edition_id, "last": last, **due_times(now)})
        if not rows:
            return
        for row in rows:
            last = row["id"]
            tried = row["first_tried_at"]
            yield Due(
                id=row["id"],
                edition_id=row["edition_id"],
                segment_id=row["segment_id"],
                recipient_id=row["recipient_id"],
                address=row["address"],
                name=row["name"],
                attempts=row["attempts"],
                first_tried_at=moment_from_text(tried) if tried else None,
                seen=seen,
            )


def handed_deliveries(db: Database) -> list[Row]:
    """Rows of what was handed over without an answer: id, edition_id, recipient_id, address, handed_at."""
    sql = """SELECT deliveries.id, edition_id, recipient_id, address, handed_at
               FROM deliveries JOIN recipients ON recipients.id = recipient_id
              WHERE deliveries.status = 'handed' ORDER BY deliveries.id"""
    return db.rows(sql)


UNWANTED = f"""
SELECT 1
  FROM json_each(?) AS drawn
  JOIN deliveries ON deliveries.id = json_extract(drawn.value, '$[0]')
  JOIN recipients ON recipients.id = deliveries.recipient_id
  JOIN editions ON editions.id = deliveries.edition_id
 WHERE deliveries.status != 'handed'
   AND (deliveries.status != 'queued' OR deliveries.segment_id != json_extract(drawn.value, '$[1]')
        OR recipients.status != 'active'
        OR editions.status != 'composed' OR EXISTS {WITHDRAWN.format(edition="deliveries.edition_id")}
        OR {IS_BRAKED.format(edition="deliveries.edition_id")}
        OR EXISTS (SELECT 1 FROM suppressions
                    WHERE suppressions.address_key = recipients.address_key))
 LIMIT 1
"""  # noqa: S608 - ours


def has_unwanted(db: Database, drawn: Sequence[tuple[int, int]]) -> bool:
    """Whether one of these (id, segment), read as due a while ago and not handed yet, would not be read
    now, or would get something else."""
    return db.value(UNWANTED, (json.dumps(list(drawn)),)) is not None


SKIP_UNWANTED = """
UPDATE deliveries SET status = 'skipped', settled_at = :now, due_at = NULL,
       reason = CASE WHEN EXISTS (SELECT 1 FROM suppressions
                                   WHERE suppressions.address_key = recipients.address_key)
                     THEN 'suppressed' ELSE 'subscription ended' END
  FROM recipients
 WHERE recipients.id = deliveries.recipient_id AND deliveries.edition_id = :edition
   AND deliveries.status = 'queued'
   AND (recipients.status != 'active'
        OR EXISTS (SELECT 1 FROM suppressions
                    WHERE suppressions.address_key = recipients.address_key))
"""


def skip_unwanted(db: Database, edition_id: int, now: datetime) -> int:
    """Skip the recipients who must not, or no longer want to, be mailed; returns how many."""
    return db.run(SKIP_UNWANTED, {"edition": edition_id, "now": text_from_moment(now)})


def skip_segment(db: Database, segment_id: int, reason: str, now: datetime) -> int:
    """Skip the queued deliveries of a segment that has no articles; returns how many."""
    sql = """UPDATE deliveries SET status = 'skipped', settled_at = ?, due_at = NULL, reason = ?
              WHERE segment_id = ? AND status = 'queued'"""
    return db.run(sql, (text_from_moment(now), reason, segment_id))


def queue_refused(db: Database, refused: Iterable[tuple[int, int]], now: datetime) -> int:
    """Queue again, with all their tries, deliveries (edition, recipient) that a server refused, when the
    operator does not believe it; how many. What was accepted is never sent again. Call inside a write."""
    sql = """UPDATE deliveries SET status = 'queued', due_at = ?, attempts = 0, first_tried_at = NULL,
                    settled_at = NULL, reason = 'the refusal was discarded by the operator'
              WHERE edition_id = ? AND recipient_id = ? AND status = 'failed'
                AND EXISTS (SELECT 1 FROM editions WHERE id = edition_id AND status != 'cancelled')"""
    at = text_from_moment(now)
    return db.run_many(sql, [(at, edition, recipient) for edition, recipient in refused])


def settle_uncertain(
    db: Database,
    column: str,
    value: int | None,
    *,
    sent: bool,
    now: datetime,
    table: str = DELIVERIES,
) -> int:
    """Settle uncertain deliveries, by their "id" or "edition_id", as the operator decides: sent, or queued
    again with all their tries. Of NOTICES one, or all. Returns how many. Call inside a write.

    Raises:
        NotReadyError: they are to be sent again, but the edition was cancelled.
    """
    sql = f"""SELECT edition_id FROM {DELIVERIES} JOIN editions ON editions.id = edition_id
               WHERE deliveries.{column} = ? AND editions.status = 'cancelled'"""  # noqa: S608 - ours
    if not sent and table == DELIVERIES and (edition := db.value(sql, (value,))):
        raise NotReadyError(
            f"edition {edition} was cancelled, so none of it is sent again. Use --sent for mail that did "
            "arrive."
        )
    at = text_from_moment(now)
    due_at, settled_at = (None, at) if sent else (at, None)
    status, reason = ("sent", "settled") if sent else ("queued", "resent")
    whole = " AND body != x''" if table == NOTICES and not sent else ""
    sql = f"""UPDATE {table} SET status = ?, due_at = ?, reason = ?, settled_at = ?,
                     attempts = iif(?, attempts, 0), first_tried_at = iif(?, first_tried_at, NULL)
               WHERE status = 'uncertain' AND {column} = coalesce(?, {column}){whole}"""  # noqa: S608 - ours
    return db.run(sql, (status, due_at, f"{reason} by the operator", settled_at, sent, sent, value))


LISTED = """
SELECT deliveries.*, recipients.address, editions.digest, editions.number
  FROM deliveries
  JOIN recipients ON recipients.id = deliveries.recipient_id
  JOIN editions ON editions.id = deliveries.edition_id
"""
LISTED_NOTICES = """
SELECT deliveries.*, recipient AS address, kind AS digest, NULL AS number, NULL AS recipient_id
  FROM (SELECT *, NULL AS edition_id FROM notices) AS deliveries
"""


def list_deliveries(
    db: Database,
    *,
    edition_id: int | None = None,
    status: DeliveryStatus | None = None,
    limit: int | None = None,
    notices: bool = False,
) -> Iterator[Row]:
    """Deliveries with their recipient's address, in the order in which they were queued. Or `notices`, with
    their kind as `digest`."""
    conditions: list[str] = []
    values: list[object] = []
    for column, value in (("deliveries.edition_id", edition_id), ("deliveries.status", status)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"{LISTED_NOTICES if notices else LISTED} {where} ORDER BY deliveries.id LIMIT ?"
    return db.each(sql, (*values, -1 if limit is None else limit))


def trace_of(db: Database, recipient_id: int, *, edition_id: int | None, limit: int) -> list[Row]:
    """The deliveries of a recipient, the newest first: as LISTED, with the segment's languages and
    themes, and `articles`, those of the mail as (theme, id, title as it was then); what only some got as `extras`, and of
    these what was `corrected` as (withdrawn, id, title)."""
    sql = f"""
    SELECT deliveries.*, editions.digest, editions.number, editions.composed_at,
           editions.status AS edition_status, segments.languages, segments.themes, segments.layout,
           segments.extras,
           {IS_BRAKED.format(edition="deliveries.edition_id")} AS braked
      FROM deliveries JOIN editions ON editions.id = deliveries.edition_id
      JOIN recipients ON recipients.id = deliveries.recipient_id
      JOIN segments ON segments.id = deliveries.segment_id
     WHERE deliveries.recipient_id = ? AND (? IS NULL OR deliveries.edition_id = ?)
     ORDER BY deliveries.edition_id DESC LIMIT ?
    """  # noqa: S608 - ours
    rows = db.rows(sql, (recipient_id, edition_id, edition_id, limit))
    for row in rows:
        sections = json.loads(row.pop("layout"))
        wanted = [i for _, _, ids in sections for i in ids]
        sql = """SELECT article_id, title FROM placements JOIN article_versions
                  USING (article_id, version) WHERE edition_id = ? AND article_id IN
                        (SELECT value FROM json_each(?))"""
        shown = db.rows(sql, (row["edition_id"], json.dumps(wanted)))
        titles = {one["article_id"]: one["title"] for one in shown}
        row["articles"] = [(theme, i, titles.get(i, "")) for theme, _, ids in sections for i in ids]
        row["extras"] = asdict(extras := extras_from_text(row["extras"]))
        row["corrected"] = [
            (change.of.version == 0, one.article_id, change.article.title)
            for one, change in changes_of(db, extras.corrected).items()
        ]
    return rows


NUMBERS = f"""(CASE kind WHEN '{NAMED}'
  THEN '[' || replace(substr(name, {len(NAMED) + 2}), '.', ',') || ']' END)"""
"""Those in the name of a notice of a correction, as JSON."""

OWED = f"""
WITH which AS (SELECT articles.id, {NOW} AS now FROM articles WHERE {{which}}),
said AS (
  SELECT recipient_id, s.article_id, s.version, composed_at AS at,
         CASE WHEN deliveries.status IN ('sent', 'uncertain') THEN s.segment_id END AS sent,
         CASE WHEN deliveries.status IN ('sent', 'uncertain') THEN coalesce(dated_at, composed_at) END AS got_at
    FROM which CROSS JOIN segment_articles AS s CROSS JOIN deliveries  -- in this order: few articles first
    JOIN editions ON editions.id = deliveries.edition_id
   WHERE s.article_id = which.id AND deliveries.segment_id = s.segment_id
     AND deliveries.status NOT IN ('failed', 'skipped')
  UNION ALL
  SELECT {NUMBERS} ->> 2, which.id, {NUMBERS} ->> 1, queued_at, NULL, NULL
    FROM which CROSS JOIN notices ON name > '{NAMED}.' || which.id || '.' AND name < '{NAMED}.' || which.id || '/'
   WHERE status != 'failed' AND (status != 'queued' OR {NUMBERS} ->> 1 = which.now)
  UNION ALL
  SELECT recipient_id, which.id, coalesce((SELECT max(version) FROM article_versions
           WHERE article_id = which.id AND article_versions.made_at <= found_at), 1), found_at, NULL,
         CASE WHEN status IN ('sent', 'uncertain') THEN found_at END
    FROM which CROSS JOIN follow_finds ON follow_finds.article_id = which.id
    CROSS JOIN follows ON follows.id = follow_id
    CROSS JOIN notices ON name > 'alert.' || follow_id || '.' AND name < 'alert.' || follow_id || '/'
                AND +queued_at = found_at  -- by the name, not the time
   WHERE status != 'failed'),
last AS (
  SELECT recipient_id, article_id, version AS seen, max(sent) OVER each AS sent,
         max(got_at) OVER each AS sent_at,
         row_number() OVER (each ORDER BY at DESC, version = 0 DESC, version DESC) AS nth
    FROM said WINDOW each AS (PARTITION BY recipient_id, article_id))
SELECT recipient_id, article_id, seen, now, sent, sent_at
  FROM last CROSS JOIN which ON which.id = article_id
 WHERE nth = 1 AND sent_at IS NOT NULL AND seen != now
 ORDER BY recipient_id, article_id
"""  # noqa: S608 - ours


def owed(db: Database, since: datetime) -> Iterator[Row]:
    """Whom an edition or alert was sent with an article, and whose newest mail about it does not say what
    is so now: recipient_id, article_id; the version that they know as `seen`, and the one of `now`, each 0
    for withdrawn; the last edition's segment (`sent`), None for who had only alerts; when they last got
    the article (`sent_at`). Of all articles that were corrected since then. What may have been sent counts
    as sent, and what is queued as if it had been."""
    which = "articles.corrected_at > ?"
    return db.each(OWED.format(which=which), (text_from_moment(since),))


def owed_readers(db: Database, article_id: int, now: datetime) -> list[Row]:
    """As `owed`, of one article, those who get mail: also address, whether they are `paused`, edition_id and
    digest of their last edition, and the columns of a choice. Those who got the same follow each other.
    Who had only alerts goes by the newest edition of their digests, and waits where there is none."""
    sql = f"""
    SELECT owed.*, address, coalesce(paused_until, '') > :now AS paused, editions.id AS edition_id, digest,
           coalesce(segments.language, recipients.language) AS language,
           coalesce(languages, '') AS languages, coalesce(themes, '') AS themes, '{{}}' AS extras
      FROM ({OWED.format(which="articles.id = :article")}) AS owed
      CROSS JOIN recipients ON recipients.id = recipient_id
      LEFT JOIN segments ON segments.id = sent
      JOIN editions ON editions.id = coalesce(segments.edition_id, (
           SELECT max(id) FROM editions AS e JOIN recipient_digests AS d ON d.digest = e.digest
            WHERE d.recipient_id = owed.recipient_id))
     WHERE recipients.status = 'active' AND NOT EXISTS (
           SELECT 1 FROM suppressions WHERE suppressions.address_key = recipients.address_key
                                        AND (cause != 'soft' OR since > :lapsed))
     ORDER BY sent, seen, sent_at, edition_id, language, recipient_id"""  # noqa: S608 - ours
    return db.rows(sql, {"article": article_id, **due_times(now)})


def outdated_notices(db: Database) -> list[int]:
    """The articles of which a queued notice tells what is not so any more."""
    sql = f"""SELECT DISTINCT articles.id FROM notices JOIN articles ON articles.id = {NUMBERS} ->> 0
               WHERE notices.status = 'queued' AND {NUMBERS} ->> 1 != {NOW}"""  # noqa: S608 - ours
    return [row["id"] for row in db.rows(sql)]


def replace_notices(db: Database, article_id: int, version: int, now: datetime) -> None:
    """Send no queued notice of an older correction of an article. Call inside a write."""
    sql = """UPDATE notices SET status = 'failed', settled_at = ?, due_at = NULL,
                    reason = 'there is a newer correction'
              WHERE kind = ? AND status = 'queued' AND name LIKE ? AND name NOT LIKE ?"""
    named = f"{NAMED}.{article_id}."
    values = text_from_moment(now), NAMED, f"{named}%", f"{named}{version}.%"
    db.run(sql, values)


def missed_by(db: Database, recipient_id: int, *, edition_id: int | None, limit: int) -> list[Row]:
    """The editions since a recipient was added for which nothing was queued for them, the newest first:
    digest, number, composed_at, and the end of the pause in which it fell, None if that is not known."""
    sql = """
    SELECT e.id AS edition_id, digest, number, composed_at,
           CASE WHEN composed_at < paused_until THEN paused_until END AS paused_until
      FROM editions AS e JOIN recipients AS r ON r.id = ? AND composed_at >= added_at
     WHERE e.status IN ('composed', 'held') AND (? IS NULL OR e.id = ?) AND NOT EXISTS (
           SELECT 1 FROM deliveries WHERE edition_id = e.id AND recipient_id = r.id)
     ORDER BY e.id DESC LIMIT ?"""
    return db.rows(sql, (recipient_id, edition_id, edition_id, limit))


def delivery_by_id(db: Database, delivery_id: int) -> Row:
    """One delivery with its recipient's address and its edition.

    Raises:
        NotFoundError: there is no such delivery.
    """
    row = db.row(f"{LISTED} WHERE deliveries.id = ?", (delivery_id,))
    if row is None:
        raise NotFoundError(f"there is no delivery {delivery_id}; see `digest deliveries list`")
    return row
