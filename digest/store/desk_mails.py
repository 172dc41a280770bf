"""The mails to the editors as they were set, and how each one's sending ended: one row for each week,
one for each week and editor.

    queued -> handed -> sent | failed | uncertain, or queued again

As with digests, `handed` is on disk before the end of a body is given to a server, and what has no
answer is not sent again. Only the sole sender (see store.sender) works on them.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.errors import SenderError
from digest.model import RenderedMail, Window
from digest.store.database import Database, Row, moment_from_text, text_from_moment
from digest.store.deliveries import Due, Settlement


@dataclass(frozen=True, slots=True)
class KeptDeskMail:
    """A week's mail, frozen: a later try sends the same bytes."""

    id: int
    window: Window
    mail: RenderedMail


def last_desk_end(db: Database) -> datetime | None:
    """When the week of the newest mail ends; None: there was none."""
    found = db.value("SELECT max(ends_at) FROM desk_mails")
    return None if found is None else moment_from_text(str(found))


def freeze(
    db: Database, window: Window, mail: RenderedMail, addresses: Collection[str], now: datetime
) -> int:
    """Keep a week's mail and queue it for each editor; its id. Call inside a write.

    What is still queued of an earlier week is given up: its place is taken.
    """
    at = text_from_moment(now)
    give_up(db, "the next week came", now)
    values: Row = {
        "starts_at": text_from_moment(window.starts_at),
        "ends_at": text_from_moment(window.ends_at),
        "composed_at": at,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
    }
    mail_id = db.insert("desk_mails", values)
    sql = """INSERT INTO desk_deliveries (desk_mail_id, address, status, due_at)
             VALUES (?, ?, 'queued', ?)"""
    db.run_many(sql, [(mail_id, address, at) for address in dict.fromkeys(addresses)])
    return mail_id


def give_up(db: Database, reason: str, now: datetime, *, but_for: Collection[str] = ()) -> None:
    """Send nothing more of what is queued, but for these addresses. Call inside a write."""
    sql = """UPDATE desk_deliveries SET status = 'failed', settled_at = ?, due_at = NULL, reason = ?
              WHERE status = 'queued' AND address NOT IN (SELECT value FROM json_each(?))"""
    db.run(sql, (text_from_moment(now), reason, json.dumps(list(but_for))))


def has_open(db: Database) -> bool:
    """Whether something is queued, or was handed over and has no answer."""
    sql = "SELECT 1 FROM desk_deliveries WHERE status IN ('queued', 'handed') LIMIT 1"
    return db.value(sql) is not None


def newest_desk_mail(db: Database) -> KeptDeskMail | None:
    row = db.row("SELECT * FROM desk_mails ORDER BY ends_at DESC LIMIT 1")
    if row is None:
        return None
    window = Window(moment_from_text(row["starts_at"]), moment_from_text(row["ends_at"]))
    # The preheader stands in the HTML already.
    return KeptDeskMail(
        row["id"], window, RenderedMail(row["subject"], "", row["text"], row["html"])
    )


def desk_deliveries(db: Database, mail_id: int) -> list[Row]:
    """Of one mail: address, status, due_at, settled_at, answer and reason."""
    sql = """SELECT id, address, status, attempts, due_at, settled_at, answer, reason
               FROM desk_deliveries WHERE desk_mail_id = ? ORDER BY id"""
    return db.rows(sql, (mail_id,))


def due_desk_deliveries(db: Database, mail_id: int, now: datetime) -> list[Due]:
    """What may be handed over now."""
    sql = """SELECT id, address, attempts, first_tried_at FROM desk_deliveries
              WHERE desk_mail_id = ? AND status = 'queued' AND due_at <= ? ORDER BY id"""
    return [
        Due(
            id=row["id"],
            edition_id=mail_id,
            segment_id=0,
            recipient_id=0,
            address=row["address"],
            name=None,
            attempts=row["attempts"],
            first_tried_at=row["first_tried_at"] and moment_from_text(row["first_tried_at"]),
        )
        for row in db.rows(sql, (mail_id, text_from_moment(now)))
    ]


def mark_desk_handed(db: Database, ids: Sequence[int], now: datetime) -> None:
    """These bodies are about to be ended. Call inside a write.

    Raises:
        SenderError: one of them is not queued any more; none of them may be ended.
    """
    sql = """UPDATE desk_deliveries SET status = 'handed', handed_at = :now,
                    attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, :now)
              WHERE id IN (SELECT value FROM json_each(:ids)) AND status = 'queued'"""
    marked = db.run(sql, {"now": text_from_moment(now), "ids": json.dumps(list(ids))})
    if marked != len(ids):
        raise SenderError("another process has sent the mail to the editors meanwhile.")


def settle_desk(db: Database, settlements: Sequence[Settlement], now: datetime) -> None:
    """Keep how tries ended. Call inside a write."""
    at = text_from_moment(now)
    sql = """UPDATE desk_deliveries SET status = ?, settled_at = ?, due_at = ?, server = ?,
                    answer = ?, reason = ?, first_tried_at = coalesce(first_tried_at, ?),
                    attempts = attempts + (status = 'queued') + ? - 1  -- handed was counted already
              WHERE id = ? AND status IN ('queued', 'handed')"""
    db.run_many(
        sql,
        [
            (
                one.status.value,
                None if one.due_at else at,
                text_from_moment(one.due_at) if one.due_at else None,
                one.server or None,
                one.answer or None,
                one.reason,
                at if one.counts_as_try else None,
                one.counts_as_try,
                one.delivery_id,
            )
            for one in settlements
        ],
    )


def recover_desk(db: Database, *, repeatable: bool, now: datetime) -> int:
    """What a sender that died left as handed: uncertain, or queued where the transport is
    `repeatable`. How many. Call inside a write, as the only sender."""
    at = text_from_moment(now)
    if repeatable:
        sql = "UPDATE desk_deliveries SET status = 'queued', due_at = ? WHERE status = 'handed'"
        return db.run(sql, (at,))
    sql = """UPDATE desk_deliveries SET status = 'uncertain', settled_at = ?, due_at = NULL,
               reason = 'the sender died after the body was handed over' WHERE status = 'handed'"""
    return db.run(sql, (at,))
