"""The outbox of notices; and how tries are handed over, settled and recovered, for deliveries too.

    queued -> handed -> sent | failed | uncertain, or queued again

`handed` and the sender's mark are on disk before a server gets the end of a body. What a crash may
cost is a column of a notice: "never twice" goes as a delivery does, handed over by the sole sender
(store.owner) alone. "rather twice" may be claimed by any process, with its next try on disk, and is
tried again after a crash.
"""

import json
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from digest.errors import SenderError, StoreError
from digest.mail.ledger import DELAYS
from digest.mail.outgoing import (
    LONGEST_DELAY,
    TO_READERS,
    DeliveryStatus,
    DueNotice,
    Kind,
    Notice,
    OutcomeKind,
    Settlement,
)
from digest.store.database import Database, Row, moment_from_text, text_from_moment
from digest.store.owner import Sender

DELIVERIES, NOTICES = "deliveries", "notices"
"""The two tables with the columns of a ledger: status, mark, attempts, due_at and so on."""

HAND = """
UPDATE {table} SET status = 'handed', mark = :mark, handed_at = :now, attempts = attempts + 1,
       first_tried_at = coalesce(first_tried_at, :now)
 WHERE id IN (SELECT value FROM json_each(:ids)) AND status = 'queued'
"""

SETTLE = """
UPDATE {table} SET status = ?, settled_at = ?, due_at = ?, server = ?, answer = ?, reason = ?,
       attempts = attempts + (status = 'queued') + ? - 1,  -- handed was counted already
       first_tried_at = coalesce(first_tried_at, ?)
 WHERE id = ? AND (status = 'queued' OR (status IN ('handed', 'uncertain') AND mark IS ?))
"""


def hand(
    db: Database, sender: Sender, ids: Sequence[int], now: datetime, *, table: str = DELIVERIES
) -> None:
    """Mark rows whose bodies are about to be ended. Call inside a write.

    Raises:
        SenderError: one is no longer queued, or this is not the sole sender any more; none may be ended.
    """
    sender.check(db)
    values = {"mark": sender.mark, "now": text_from_moment(now), "ids": json.dumps(list(ids))}
    if db.run(HAND.format(table=table), values) != len(ids):
        raise SenderError(
            "Some of this mail was cancelled while it was being sent. Messages under way were "
            "finished, nothing more is sent. Next: digest editions list."
        )


def settle(
    db: Database,
    mark: str,
    settlements: Sequence[Settlement],
    now: datetime,
    *,
    table: str = DELIVERIES,
) -> None:
    """Store how tries ended: of rows that are queued, or were handed over with this mark. Call inside
    a write."""
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
                mark,
            )
            for one in settlements
        ],
    )


RETRY_SECONDS = 1.0


def write_surely(
    db: Database, write: Callable[[], None], give_up: Callable[[], bool] = lambda: False
) -> None:
    """Write the answers of mail servers, which exist nowhere else: while another process writes or
    the disk is full, wait for as long as it takes. Meanwhile nothing more is handed over.

    Raises:
        StoreError: the database can never take them, because it is damaged or gone; or `give_up` says
            that there are none.
    """
    waits = False
    while True:
        try:
            with db.write():
                write()
        except StoreError as e:
            if not e.may_pass or give_up():
                raise
            if not waits:
                text = "The answers of mail servers wait until the database can be written: %s"
                logging.getLogger("digest").warning(text, e)
            waits = True
            time.sleep(RETRY_SECONDS)  # noqa: TID251 - an answer has no row to wait in
        else:
            return


def recover(
    db: Database,
    dead: Collection[str],
    fates: Mapping[int, OutcomeKind],
    now: datetime,
    *,
    table: str = DELIVERIES,
) -> int:
    """Settle what earlier senders left as handed, each by its fate (see Transport), without one as
    uncertain; how many. Call inside a write, as the sole sender.

    A sender whose mark is not among the `dead` may live although its lock file was removed. It hands
    over nothing more, but may still end what it has: that is never sent again, and its answers still
    count.
    """
    count = 0
    for row in db.rows(f"SELECT id, mark FROM {table} WHERE {LEFT[table]}"):  # noqa: S608 - ours
        fate = fates.get(row["id"])
        if fate is OutcomeKind.SENT:
            why = "found in the outbox after the sender died"
            one = Settlement(row["id"], DeliveryStatus.SENT, reason=why)
        elif fate is OutcomeKind.UNSENT and row["mark"] in dead:
            one = Settlement(row["id"], DeliveryStatus.QUEUED, due_at=now)
        else:
            why = "the sender died after the body was handed over"
            one = Settlement(row["id"], DeliveryStatus.UNCERTAIN, reason=why)
        settle(db, row["mark"], [one], now, table=table)
        count += 1
    return count


LEFT = {DELIVERIES: "status = 'handed'", NOTICES: "status = 'handed' AND crash = 'never twice'"}
"""What a dead sender has left."""


def handed_notices(db: Database) -> list[Row]:
    """Rows of what was handed over without an answer: id, sender, recipient."""
    where = LEFT[NOTICES]
    return db.rows(f"SELECT id, sender, recipient FROM notices WHERE {where} ORDER BY id")  # noqa: S608 - ours


def queue(db: Database, notices: Collection[Notice], now: datetime) -> int:
    """Queue notices; how many. Call inside a write.

    One that is known stays as it is; only a failed one is queued again, as it is now.
    """
    at = text_from_moment(now)
    sql = """
    INSERT INTO notices (kind, name, way, recipient, sender, body, crash, dated_at, queued_at, status,
                         due_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?) ON CONFLICT (name, way, recipient) DO UPDATE
       SET status = 'queued', due_at = excluded.due_at, settled_at = NULL, attempts = 0,
           first_tried_at = NULL, reason = NULL, sender = excluded.sender, body = excluded.body,
           dated_at = excluded.dated_at WHERE status = 'failed'
    """
    rows = [
        (
            *(one.kind, one.name, one.way, one.recipient, one.sender, one.body, one.crash),
            *(text_from_moment(one.dated_at), at, at),
        )
        for one in notices
    ]
    db.run_many(sql, rows)
    return len(rows)


def due_notices(
    db: Database, kinds: Collection[Kind], now: datetime, *, limit: int | None = None
) -> list[DueNotice]:
    """The notices that may be handed over now, the oldest first, at most `limit`.

    A due time later than the longest delay was written by a clock that ran ahead, so it is due.
    """
    sql = f"""
    SELECT * FROM notices
     WHERE {OPEN} AND (due_at <= ? OR due_at > iif(crash = 'never twice', ?, ?))
       AND kind IN (SELECT value FROM json_each(?))
     ORDER BY dated_at, name, id LIMIT ?
    """  # noqa: S608 - ours
    late = (text_from_moment(now + longest) for longest in (DELAYS[-1], LONGEST_DELAY))
    return [
        DueNotice(
            row["id"],
            Notice(
                Kind(row["kind"]),
                row["name"],
                row["way"],
                row["recipient"],
                row["sender"],
                row["body"],
                moment_from_text(row["dated_at"]),
                row["crash"],
            ),
            row["attempts"],
            row["first_tried_at"] and moment_from_text(row["first_tried_at"]),
            moment_from_text(row["due_at"]),
        )
        for row in db.rows(
            sql, (text_from_moment(now), *late, json.dumps(list(kinds)), limit or -1)
        )
    ]


OPEN = "(status = 'queued' OR (status = 'handed' AND crash = 'rather twice'))"
"""What may be claimed, given up, or handed over; one that may come twice also after a crash."""


def claim(db: Database, due: DueNotice, mark: str, now: datetime) -> bool:
    """Take a notice that may come twice, with its next try on disk. False: another process took it."""
    sql = f"""
    UPDATE notices SET status = 'handed', mark = ?, handed_at = ?, attempts = attempts + 1, due_at = ?,
           first_tried_at = coalesce(first_tried_at, ?) WHERE id = ? AND {OPEN} AND due_at = ?
    """  # noqa: S608 - ours
    at, again, was = map(text_from_moment, (now, now + due.delay, due.due_at))
    with db.write():
        return bool(db.run(sql, (mark, at, again, at, due.id, was)))


def give_up(
    db: Database,
    kinds: Collection[Kind],
    reason: str,
    now: datetime,
    *,
    but_for: Collection[str] = (),
    name: str | None = None,
    tried_before: datetime | None = None,
    status: DeliveryStatus = DeliveryStatus.FAILED,
) -> None:
    """Mark what is open of these kinds as failed, or so, except to these recipients. Call inside a write.

    With `name` only that notice, with `tried_before` only those first tried before then.
    """
    sql = f"""
    UPDATE notices SET status = '{status}', settled_at = ?, due_at = NULL, reason = ?
     WHERE {OPEN} AND recipient NOT IN (SELECT value FROM json_each(?))
       AND name = coalesce(?, name) AND kind IN (SELECT value FROM json_each(?))
       AND (? IS NULL OR first_tried_at < ?)
    """  # noqa: S608 - ours
    before = None if tried_before is None else text_from_moment(tried_before)
    recipients, of = json.dumps(list(but_for)), json.dumps(list(kinds))
    db.run(sql, (text_from_moment(now), reason, recipients, name, of, before, before))


def make_room(db: Database, pings: Sequence[Notice], topics: Collection[str]) -> None:
    """Let these pings be new where one of that name is sent, or under way; forget those of other topics
    and of another hub. One that waits stays, with its tries. Call inside a write."""
    names = [ping.name for ping in pings]
    values = {"names": json.dumps(names), "topics": json.dumps(list(topics))}
    sql = """DELETE FROM notices WHERE kind = 'ping' AND status != 'handed'
                AND (recipient != :hub OR name NOT IN (SELECT value FROM json_each(:topics))
                     OR status = 'sent' AND name IN (SELECT value FROM json_each(:names)))"""
    db.run(sql, values | {"hub": pings[0].recipient})
    sql = """UPDATE notices SET name = name || ' ' || id WHERE kind = 'ping' AND status = 'handed'
                AND name IN (SELECT value FROM json_each(:names))"""
    db.run(sql, values)


def put_off(db: Database, kind: Kind, now: datetime, until: datetime) -> None:
    """Let nothing of this kind be due before then. Call inside a write."""
    sql = "UPDATE notices SET due_at = ? WHERE kind = ? AND status = 'queued' AND due_at <= ?"
    db.run(sql, (text_from_moment(until), kind.value, text_from_moment(now)))


def unsent(db: Database, kinds: Collection[Kind] = TO_READERS) -> int:
    """How many notices are queued, or were handed over without an answer."""
    sql = """SELECT count(*) FROM notices WHERE status IN ('queued', 'handed')
                AND kind IN (SELECT value FROM json_each(?))"""
    return int(db.value(sql, (json.dumps(list(kinds)),)))


def last_dated_at(db: Database, kind: Kind) -> datetime | None:
    """The date of the newest notice; None where there is none."""
    newest = db.value("SELECT max(dated_at) FROM notices WHERE kind = ?", (kind,))
    return None if newest is None else moment_from_text(str(newest))


def notices_since(
    db: Database, kind: Kind, since: datetime, *, recipient: str | None = None
) -> int:
    """How many notices of a kind are dated later, to all or to one address."""
    sql = """SELECT count(*) FROM notices
              WHERE kind = ? AND dated_at > ? AND (? IS NULL OR recipient = ?)"""
    return int(db.value(sql, (kind, text_from_moment(since), recipient, recipient)))


def notices_to(db: Database, address: str, limit: int) -> list[Row]:
    """The last alerts and corrections to an address, the newest first: as `notices_named`, and the name."""
    sql = """SELECT id, kind, name, recipient, status, attempts, due_at, settled_at, answer, reason
               FROM notices WHERE kind IN ('alert', 'correction') AND recipient = ?
              ORDER BY id DESC LIMIT ?"""
    return db.rows(sql, (address, limit))


def notices_named(db: Database, names: Collection[str]) -> list[Row]:
    """Rows: id, kind, recipient, status, attempts, due_at, settled_at, answer, reason."""
    sql = """SELECT id, kind, recipient, status, attempts, due_at, settled_at, answer, reason
               FROM notices WHERE name IN (SELECT value FROM json_each(?)) ORDER BY id"""
    return db.rows(sql, (json.dumps(list(names)),))
