"""Stores tries to deliver, for editions and notices alike, and the outbox of notices.

    queued -> handed -> sent | failed | uncertain, or queued again      an edition, a report
    queued, with its next try on disk -> sent | failed                  an alarm

Only the sole sender (store.owner) hands over editions and reports. Any process may claim an alarm and
hand it over; after a crash it is tried again.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from digest.errors import SenderError
from digest.mail.ledger import DELAYS
from digest.mail.outgoing import (
    LONGEST_DELAY,
    DeliveryStatus,
    DueNotice,
    Kind,
    Notice,
    OutcomeKind,
    Settlement,
)
from digest.model import RenderedMail
from digest.store.database import Database, Row, moment_from_text, text_from_moment

TABLE = "notice_deliveries"

MARK_HANDED = """
UPDATE {table} SET status = 'handed', handed_at = :now, attempts = attempts + 1,
       first_tried_at = coalesce(first_tried_at, :now)
 WHERE id IN (SELECT value FROM json_each(:ids)) AND status = 'queued'
"""

SETTLE = """
UPDATE {table} SET status = ?, settled_at = ?, due_at = ?, server = ?, answer = ?, reason = ?,
       attempts = attempts + (status = 'queued') + ? - 1,  -- handed was counted already
       first_tried_at = coalesce(first_tried_at, ?)
 WHERE id = ? AND status IN ('queued', 'handed')
"""


def mark_handed(
    db: Database, delivery_ids: Sequence[int], now: datetime, *, table: str = "deliveries"
) -> None:
    """Mark deliveries whose bodies are about to be ended. Call inside a write.

    Raises:
        SenderError: one of them is no longer queued; none of them may be ended.
    """
    ids = json.dumps(list(delivery_ids))
    marked = db.run(MARK_HANDED.format(table=table), {"now": text_from_moment(now), "ids": ids})
    if marked != len(delivery_ids):
        raise SenderError(
            "Some of this mail was cancelled while it was being sent. Messages under way were "
            "finished, nothing more is sent. Next: digest editions list."
        )


def settle(
    db: Database, settlements: Sequence[Settlement], now: datetime, *, table: str = "deliveries"
) -> None:
    """Store how tries ended. Call inside a write."""
    at = text_from_moment(now)
    db.run_many(
        SETTLE.format(table=table),
        [
            (
                one.status.value,
                None if one.status is DeliveryStatus.QUEUED else at,
                text_from_moment(one.due_at) if one.due_at else None,
                one.server or None,
                one.answer or None,
                one.reason,
                one.counts_as_try,
                at if one.counts_as_try else None,
                one.delivery_id,
            )
            for one in settlements
        ],
    )


def recover_handed(
    db: Database, fates: Mapping[int, OutcomeKind], now: datetime, *, table: str = "deliveries"
) -> int:
    """Settle what a dead sender left as handed, each by its fate (see Transport), without one as
    uncertain; how many. Call inside a write, as the only sender.
    """
    settlements = []
    for row in db.rows(f"SELECT id FROM {table} WHERE status = 'handed'"):  # noqa: S608 - ours
        match fates.get(row["id"]):
            case OutcomeKind.SENT:
                why = "found in the outbox after the sender died"
                settlements.append(Settlement(row["id"], DeliveryStatus.SENT, reason=why))
            case OutcomeKind.UNSENT:
                settlements.append(Settlement(row["id"], DeliveryStatus.QUEUED, due_at=now))
            case _:
                why = "the sender died after the body was handed over"
                settlements.append(Settlement(row["id"], DeliveryStatus.UNCERTAIN, reason=why))
    settle(db, settlements, now, table=table)
    return len(settlements)


def handed_notices(db: Database) -> list[Row]:
    """Rows of what was handed over without an answer: id, name, place."""
    sql = """SELECT notice_deliveries.id, name, place
               FROM notice_deliveries JOIN notices ON notices.id = notice_id
              WHERE status = 'handed' ORDER BY notice_deliveries.id"""
    return db.rows(sql)


def queue(db: Database, notice: Notice, places: Collection[str], now: datetime) -> int:
    """Store a notice and queue it for each place; its id. Call inside a write.

    A known notice and its deliveries stay as they are; only a failed delivery is queued again.
    """
    at = text_from_moment(now)
    sql = """INSERT INTO notices (kind, name, composed_at, dated_at, subject, text, html, payload)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"""
    mail, dated_at = notice.mail, text_from_moment(notice.dated_at)
    payload = None if notice.payload is None else json.dumps(notice.payload, ensure_ascii=False)
    values = (notice.kind, notice.name, at, dated_at, mail.subject, mail.text, mail.html, payload)
    db.run(sql, values)
    notice_id = int(db.value("SELECT id FROM notices WHERE name = ?", (notice.name,)))
    sql = """INSERT INTO notice_deliveries (notice_id, place, status, due_at)
             VALUES (?, ?, 'queued', ?) ON CONFLICT (notice_id, place) DO UPDATE
                SET status = 'queued', due_at = excluded.due_at, settled_at = NULL, attempts = 0,
                    first_tried_at = NULL, reason = NULL WHERE status = 'failed'"""
    db.run_many(sql, [(notice_id, place, at) for place in dict.fromkeys(places)])
    return notice_id


def due_notices(db: Database, kinds: Collection[Kind], now: datetime) -> list[DueNotice]:
    """The deliveries that may be handed over now, the oldest notice first.

    A due time later than the longest delay was written by a clock that ran ahead, so it is due.
    """
    longest = DELAYS[-1] if Kind.REPORT in kinds else LONGEST_DELAY
    sql = """
    SELECT notices.*, notice_deliveries.id AS delivery_id, place, attempts, first_tried_at, due_at
      FROM notice_deliveries JOIN notices ON notices.id = notice_id
     WHERE status = 'queued' AND (due_at <= ? OR due_at > ?)
       AND kind IN (SELECT value FROM json_each(?))
     ORDER BY notice_id, notice_deliveries.id
    """
    soon, late = text_from_moment(now), text_from_moment(now + longest)
    return [
        DueNotice(
            row["delivery_id"],
            Notice(
                Kind(row["kind"]),
                row["name"],
                moment_from_text(row["dated_at"]),
                RenderedMail(row["subject"], "", row["text"], row["html"]),
                row["payload"] and json.loads(row["payload"]),
            ),
            row["place"],
            row["attempts"],
            row["first_tried_at"] and moment_from_text(row["first_tried_at"]),
            moment_from_text(row["due_at"]),
        )
        for row in db.rows(sql, (soon, late, json.dumps(list(kinds))))
    ]


def claim(db: Database, due: DueNotice, now: datetime) -> bool:
    """Take an alarm to hand it over, with its next try on disk. False: another process took it."""
    sql = """UPDATE notice_deliveries SET attempts = attempts + 1, due_at = ?,
                    first_tried_at = coalesce(first_tried_at, ?)
              WHERE id = ? AND status = 'queued' AND due_at = ?"""
    again, was = text_from_moment(now + due.delay), text_from_moment(due.due_at)
    with db.write():
        return bool(db.run(sql, (again, text_from_moment(now), due.id, was)))


def give_up(
    db: Database,
    kinds: Collection[Kind],
    reason: str,
    now: datetime,
    *,
    but_for: Collection[str] = (),
    name: str | None = None,
    tried_before: datetime | None = None,
) -> None:
    """Mark queued deliveries of these kinds as failed, except to these places. Call inside a write.

    With `name` only those of that notice, with `tried_before` only those first tried before then.
    """
    at = text_from_moment(now)
    sql = """UPDATE notice_deliveries SET status = 'failed', settled_at = ?, due_at = NULL, reason = ?
              WHERE status = 'queued' AND place NOT IN (SELECT value FROM json_each(?))
                AND notice_id IN (SELECT id FROM notices WHERE name = coalesce(?, name)
                                     AND kind IN (SELECT value FROM json_each(?)))
                AND (? IS NULL OR first_tried_at < ?)"""
    before = None if tried_before is None else text_from_moment(tried_before)
    places, of = json.dumps(list(but_for)), json.dumps(list(kinds))
    db.run(sql, (at, reason, places, name, of, before, before))


def has_open(db: Database, kinds: Collection[Kind]) -> bool:
    """Whether a notice is queued, or was handed over and has no answer."""
    sql = """SELECT 1 FROM notice_deliveries JOIN notices ON notices.id = notice_id
              WHERE status IN ('queued', 'handed') AND kind IN (SELECT value FROM json_each(?))
              LIMIT 1"""
    return db.value(sql, (json.dumps(list(kinds)),)) is not None


def last_dated_at(db: Database, kind: Kind) -> datetime | None:
    """The date of the newest notice; None where there is none."""
    newest = db.value("SELECT max(dated_at) FROM notices WHERE kind = ?", (kind,))
    return None if newest is None else moment_from_text(str(newest))


def deliveries_of(db: Database, names: Collection[str]) -> list[Row]:
    """Rows: id, kind, place, status, attempts, due_at, settled_at, answer, reason."""
    sql = """SELECT notice_deliveries.id, kind, place, status, attempts, due_at, settled_at, answer,
                    reason
               FROM notices JOIN notice_deliveries ON notice_id = notices.id
              WHERE name IN (SELECT value FROM json_each(?)) ORDER BY notice_deliveries.id"""
    return db.rows(sql, (json.dumps(list(names)),))
