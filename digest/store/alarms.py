"""The troubles that the watch has seen.

    seen -> raised (it has lasted long enough) -> gone -> closed (it has stayed away long enough)

What a clock that ran ahead has written is taken as of now, else an alarm would wait for it.
"""

from dataclasses import dataclass
from datetime import datetime

from digest.model import Trouble
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
