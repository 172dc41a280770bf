"""Who wakes the verbs on this database: one service at a time, by a row that it renews."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.store.database import Database, moment_from_text, text_from_moment


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` names machine and process for people; `mark` is that process's own, made at random."""

    holder: str
    mark: str
    taken_at: datetime
    expires_at: datetime

    def holds(self, now: datetime, length: timedelta) -> bool:
        """Whether its holder counts as alive. An end further ahead than any holder would set it was
        written before the clock was put back.
        """
        return now < self.expires_at <= now + 2 * length


def current_lease(db: Database, name: str) -> Lease | None:
    """The lease as it stands, expired or not; None where nobody ever held it."""
    row = db.row("SELECT holder, mark, taken_at, expires_at FROM leases WHERE name = ?", (name,))
    if row is None:
        return None
    return Lease(
        row["holder"],
        row["mark"],
        moment_from_text(row["taken_at"]),
        moment_from_text(row["expires_at"]),
    )


def take_lease(
    db: Database, name: str, holder: str, mark: str, now: datetime, length: timedelta
) -> Lease:
    """Take the lease if it is free, expired or ours, and renew it; whose it is now.

    Raises:
        StoreError: the database cannot be written; nothing has changed.
    """
    with db.write():
        found = current_lease(db, name)
        if found is not None and found.mark != mark and found.holds(now, length):
            return found
        taken_at = found.taken_at if found is not None and found.mark == mark else now
        ours = Lease(holder, mark, taken_at, now + length)
        db.run(
            """INSERT INTO leases (name, holder, mark, taken_at, expires_at) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, mark = excluded.mark,
                 taken_at = excluded.taken_at, expires_at = excluded.expires_at""",
            (name, holder, mark, text_from_moment(taken_at), text_from_moment(ours.expires_at)),
        )
        return ours


def leave_lease(db: Database, name: str, mark: str) -> None:
    """Give the lease up, so that who waits need not wait for its end; nothing where it is not ours."""
    with db.write():
        db.run("DELETE FROM leases WHERE name = ? AND mark = ?", (name, mark))
