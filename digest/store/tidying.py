"""What is let go with time: the bytes of old letters, and what servers said of old deliveries.

Articles, editions, deliveries, recipients and what they decided stay for ever.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.store.database import Database, text_from_moment

LETTERS = 200
ANSWERS = 5000
"""So many rows a write, so that others need not wait long."""

OLD_LETTERS = "FROM bounces WHERE let_go_at IS NULL AND read_at < ?"
OLD_ANSWERS = """
  FROM deliveries
 WHERE edition_id = ? AND status IN ('sent', 'failed', 'skipped')
   AND (answer IS NOT NULL OR server IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many letters were let go, how many bytes they had, and of how many deliveries what the
    server said."""

    letters: int
    letter_bytes: int
    answers: int


def tidy(
    db: Database,
    moment: datetime,
    *,
    letters_days: int,
    answers_days: int,
    stop: Callable[[], bool] = lambda: False,
) -> Tidied:
    """Let go of what is older than so many days, some rows a write, and keep the file in order."""
    letters, size = _let_letters_go(db, moment, _before(moment, letters_days), stop)
    answers = 0
    for edition_id in _old_editions(db, _before(moment, answers_days)):
        answers += _let_answers_go(db, edition_id, moment, stop)
    db.value("PRAGMA optimize")
    db.value("PRAGMA wal_checkpoint(TRUNCATE)")
    return Tidied(letters, size, answers)


def would_tidy(db: Database, moment: datetime, *, letters_days: int, answers_days: int) -> Tidied:
    """What `tidy` would let go now."""
    row = db.row(
        f"SELECT count(*) AS letters, coalesce(sum(length(raw)), 0) AS size {OLD_LETTERS}",
        (_before(moment, letters_days),),
    )
    answers = sum(
        int(db.value(f"SELECT count(*) {OLD_ANSWERS}", (edition_id,)))
        for edition_id in _old_editions(db, _before(moment, answers_days))
    )
    return Tidied(row["letters"] if row else 0, row["size"] if row else 0, answers)


def _before(moment: datetime, days: int) -> str:
    return text_from_moment(moment - timedelta(days=days))


def _let_letters_go(
    db: Database, moment: datetime, before: str, stop: Callable[[], bool]
) -> tuple[int, int]:
    count = size = 0
    sql = f"SELECT id, length(raw) AS size {OLD_LETTERS} ORDER BY read_at LIMIT {LETTERS}"
    while not stop():
        with db.write():
            rows = db.rows(sql, (before,))
            db.run_many(
                "UPDATE bounces SET raw = x'', let_go_at = ? WHERE id = ?",
                [(text_from_moment(moment), row["id"]) for row in rows],
            )
        if not rows:
            break
        count += len(rows)
        size += sum(row["size"] for row in rows)
    return count, size


def _old_editions(db: Database, before: str) -> list[int]:
    sql = "SELECT id FROM editions WHERE answers_gone_at IS NULL AND ends_at < ? ORDER BY id"
    return [int(row["id"]) for row in db.rows(sql, (before,))]


def _let_answers_go(
    db: Database, edition_id: int, moment: datetime, stop: Callable[[], bool]
) -> int:
    """Of all that have ended; while others of the edition have not, it is looked at again."""
    sql = f"SELECT id {OLD_ANSWERS} LIMIT {ANSWERS}"
    open_one = """SELECT 1 FROM deliveries
                   WHERE edition_id = ? AND status IN ('queued', 'handed', 'uncertain') LIMIT 1"""
    count = 0
    while not stop():
        with db.write():
            rows = db.rows(sql, (edition_id,))
            db.run_many(
                "UPDATE deliveries SET server = NULL, answer = NULL WHERE id = ?",
                [(row["id"],) for row in rows],
            )
            if not rows and not db.value(open_one, (edition_id,)):
                db.run(
                    "UPDATE editions SET answers_gone_at = ? WHERE id = ?",
                    (text_from_moment(moment), edition_id),
                )
        if not rows:
            break
        count += len(rows)
    return count
