"""What the operator was told of: a row for each trouble, and one for each message about it.

    seen -> raised (it has lasted long enough) -> gone -> closed (it has stayed away long enough)

A message's next try is on disk before it is handed over, so a crash costs no alarm; it may double one.
What a clock that ran ahead has written is taken as of now, else an alarm would wait for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.model import Trouble
from digest.store.database import Database, Row, moment_from_text, text_from_moment

WEBHOOK = "webhook"
"""The place that is no address."""
FIRST_DELAY = timedelta(minutes=2)
LONGEST_DELAY = timedelta(hours=1)
LAST_TRY = timedelta(days=7)
"""That a trouble is over is tried for so long."""
DUE = "status = 'due' AND (due_at <= ? OR due_at > ?)"
"""With now, and a moment for which `claim` never puts a message off."""


class Occasion(StrEnum):
    BEGUN = "begun"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One trouble as it is kept. `raised_at`: since when it is told; `gone_at`: since when it is not
    seen any more; `closed_at`: since when it counts as over.
    """

    id: int
    trouble: Trouble
    seen_at: datetime
    raised_at: datetime | None
    gone_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DueMessage:
    """One message that is to be handed over now, to an address or to WEBHOOK."""

    id: int
    alarm: Alarm
    occasion: Occasion
    place: str
    attempts: int
    due_at: datetime


def open_alarms(db: Database) -> dict[str, Alarm]:
    """Every trouble that is not over, by its key."""
    rows = db.rows("SELECT * FROM alarms WHERE closed_at IS NULL ORDER BY id")
    return {row["key"]: _alarm(row) for row in rows}


def began_before(db: Database) -> dict[str, datetime]:
    """Since when the watch has known each open trouble."""
    return {key: alarm.trouble.since for key, alarm in open_alarms(db).items()}


def list_alarms(db: Database, limit: int) -> list[Row]:
    """Alarms as rows, the open ones first, then the newest, each with its `messages`."""
    sql = """SELECT id, key, said, advice, began_at, seen_at, raised_at, gone_at, closed_at
               FROM alarms ORDER BY closed_at IS NOT NULL, id DESC LIMIT ?"""
    messages = """SELECT occasion, place, status, attempts, due_at, settled_at, answer
                    FROM alarm_messages WHERE alarm_id = ? ORDER BY id"""
    found = db.rows(sql, (limit,))
    for row in found:
        row["messages"] = db.rows(messages, (row["id"],))
    return found


def has_due(db: Database, now: datetime) -> bool:
    return db.value(f"SELECT 1 FROM alarm_messages WHERE {DUE} LIMIT 1", _due_at(now)) is not None  # noqa: S608 - ours


def see(db: Database, trouble: Trouble, known: Alarm | None, now: datetime) -> None:
    """The trouble lasts; one that had gone has come back. Call inside a write."""
    at = text_from_moment(now)
    if known is None:
        values: Row = {"key": trouble.key, "said": trouble.said, "advice": trouble.advice}
        values |= {"began_at": text_from_moment(min(trouble.since, now)), "seen_at": at}
        db.insert("alarms", values)
        return
    # Once it is told, its messages are named by when it began.
    sql = """UPDATE alarms SET said = ?, advice = ?, seen_at = ?, gone_at = NULL,
                    began_at = iif(raised_at IS NULL, min(began_at, ?), began_at) WHERE id = ?"""
    db.run(sql, (trouble.said, trouble.advice, at, at, known.id))


def miss(db: Database, alarm: Alarm, now: datetime) -> None:
    """The trouble is not seen any more. Call inside a write."""
    at = text_from_moment(now)
    sql = "UPDATE alarms SET gone_at = ? WHERE id = ? AND (gone_at IS NULL OR gone_at > ?)"
    db.run(sql, (at, alarm.id, at))


def raise_alarm(db: Database, alarm: Alarm, places: Sequence[str], now: datetime) -> None:
    """Let each place be told once that it has begun. Call inside a write."""
    at = text_from_moment(now)
    db.run("UPDATE alarms SET raised_at = coalesce(raised_at, ?) WHERE id = ?", (at, alarm.id))
    _queue(db, alarm, Occasion.BEGUN, places, now)


def close_alarm(db: Database, alarm: Alarm, places: Sequence[str], now: datetime) -> None:
    """It is over: places that were to hear that it began hear that it is over, and nothing else.

    Call inside a write.
    """
    db.run("UPDATE alarms SET closed_at = ? WHERE id = ?", (text_from_moment(now), alarm.id))
    begun = db.rows("SELECT place FROM alarm_messages WHERE alarm_id = ?", (alarm.id,))
    told = {row["place"] for row in begun}
    _drop(db, "alarm_id = ?", (alarm.id,), now)
    _queue(db, alarm, Occasion.OVER, [place for place in places if place in told], now)


def drop_stale(db: Database, places: Collection[str], now: datetime) -> None:
    """No message goes where nobody is to be told any more, nor tries for ever to say that it is over.

    Call inside a write.
    """
    marks = ", ".join("?" * len(places))
    _drop(db, f"place NOT IN ({marks})", (*places,), now)
    before = text_from_moment(now - LAST_TRY)
    _drop(db, "occasion = 'over' AND first_tried_at < ?", (before,), now)


def due_messages(db: Database, now: datetime) -> list[DueMessage]:
    """What is to be told now, the oldest alarm first; a trouble that has just gone is not told as
    begun."""
    sql = f"""
    SELECT alarms.*, alarm_messages.id AS message_id, occasion, place, attempts, due_at
      FROM alarm_messages JOIN alarms ON alarms.id = alarm_id
     WHERE {DUE} AND (occasion = 'over' OR gone_at IS NULL)
     ORDER BY alarm_id, alarm_messages.id
    """  # noqa: S608 - the condition is ours
    return [
        DueMessage(
            row["message_id"],
            _alarm(row),
            Occasion(row["occasion"]),
            row["place"],
            row["attempts"],
            moment_from_text(row["due_at"]),
        )
        for row in db.rows(sql, _due_at(now))
    ]


def claim(db: Database, message: DueMessage, now: datetime) -> bool:
    """Take a message to hand it over; its next try is on disk then. False: another process has."""
    delay = min(FIRST_DELAY * 2 ** min(message.attempts, 16), LONGEST_DELAY)
    at = text_from_moment(now)
    with db.write():
        sql = """UPDATE alarm_messages SET attempts = attempts + 1, due_at = ?,
                        first_tried_at = coalesce(first_tried_at, ?)
                  WHERE id = ? AND status = 'due' AND due_at = ?"""
        values = (text_from_moment(now + delay), at, message.id, text_from_moment(message.due_at))
        return bool(db.run(sql, values))


def keep_answer(
    db: Database, message_id: int, *, told: bool, answer: str | None, now: datetime
) -> None:
    """How a try ended: told, or due again when `claim` said."""
    with db.write():
        sql = """UPDATE alarm_messages SET answer = ?, status = iif(?, 'told', status),
                        due_at = iif(?, NULL, due_at), settled_at = iif(?, ?, NULL)
                  WHERE id = ? AND status = 'due'"""
        db.run(sql, (answer, told, told, told, text_from_moment(now), message_id))


def _queue(
    db: Database, alarm: Alarm, occasion: Occasion, places: Sequence[str], now: datetime
) -> None:
    sql = """INSERT INTO alarm_messages (alarm_id, occasion, place, status, due_at)
             VALUES (?, ?, ?, 'due', ?) ON CONFLICT (alarm_id, occasion, place) DO UPDATE
                SET status = 'due', due_at = excluded.due_at, settled_at = NULL, attempts = 0,
                    first_tried_at = NULL WHERE status = 'dropped'"""
    at = text_from_moment(now)
    db.run_many(sql, [(alarm.id, occasion.value, place, at) for place in places])


def _due_at(now: datetime) -> tuple[str, str]:
    """The values of DUE."""
    return text_from_moment(now), text_from_moment(now + LONGEST_DELAY)


def _drop(db: Database, condition: str, values: Sequence[object], now: datetime) -> None:
    sql = f"""UPDATE alarm_messages SET status = 'dropped', due_at = NULL, settled_at = ?
               WHERE status = 'due' AND {condition}"""  # noqa: S608 - the condition is ours
    db.run(sql, (text_from_moment(now), *values))


def _alarm(row: Row) -> Alarm:
    raised, gone, closed = (
        None if row[column] is None else moment_from_text(row[column])
        for column in ("raised_at", "gone_at", "closed_at")
    )
    since = moment_from_text(row["began_at"])
    trouble = Trouble(row["key"], row["said"], since, row["advice"])
    return Alarm(row["id"], trouble, moment_from_text(row["seen_at"]), raised, gone, closed)
