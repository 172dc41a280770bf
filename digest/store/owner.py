"""Who may send from this database and who wakes the verbs: one process at a time, and only where the database is at home."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from digest.errors import SenderError, StoreError
from digest.store.database import Database, moment_from_text, text_from_moment

HOME = "home"
COPY_OF = "copy of "
"""Before the home of a database that was backed up or restored: no place is called so."""
WAY_OUT = "way_out"
TOKEN_KEY = "token_key"  # noqa: S105 - the name of a row


@contextlib.contextmanager
def sole_sender(path: Path, moment: datetime) -> Iterator[None]:
    """Be the only sender on the database at `path`; the system lets go when the process dies.

    Raises:
        SenderError: another process sends; its id and when it started are in the text.
        StoreError: the file beside the database, by which it is known, cannot be written.
    """
    lock = path.with_name(path.name + ".sender")
    with _opened(lock, path) as descriptor:
        if not _try_lock(descriptor):
            who = _who(lock.read_text(encoding="utf-8"))
            raise SenderError(f"{path}: {who} is sending. Wait for it, or stop it.")
        note = json.dumps({"pid": os.getpid(), "started": moment.isoformat()})
        with _told(lock):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, note.encode())
        yield


@contextlib.contextmanager
def _opened(lock: Path, store: Path) -> Iterator[int]:
    with _told(lock):
        is_new = not lock.exists()
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        if is_new:
            with _told(lock):
                give_to_owner(lock, store)
        yield descriptor
    finally:
        os.close(descriptor)


def give_to_owner(made: Path, store: Path) -> None:
    """What root makes belongs to the user whose service goes on with it: the owner of the database at
    `store`, or of its folder where there is none yet."""
    if os.name == "posix" and os.geteuid() == 0:
        owner = (store if store.exists() else store.parent).stat()
        os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextlib.contextmanager
def _told(lock: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreError(
            f"{lock}: cannot be written to: {e.strerror}. Nothing was sent. Look whether the disk is "
            "full or mounted for reading only, and at the permissions of the folder."
        ) from e


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _who(text: str) -> str:
    try:
        found = json.loads(text)
        return f"process {found['pid']}, started {found['started']},"
    except (ValueError, KeyError, TypeError):
        return "another process"


def check_home(db: Database, here: str) -> None:
    """Refuse to send where the database was not before; the first sender makes it its home.

    `here` names this machine and the file's place on it. Call inside a write.

    Raises:
        SenderError: the database was copied or restored here; `digest activate` lets it send.
    """
    home = _meta(db, HOME)
    if home is None:
        adopt(db, here)
    elif home.startswith(COPY_OF):
        raise SenderError(
            f"{db.path}: this database was restored or imported, so it does not know what was sent "
            "since the copy was made. If no other copy sends, run `digest activate`."
        )
    elif home != here:
        raise SenderError(
            f"{db.path}: this database last sent from another place ({home}), so it may be a copy of "
            "one that still sends. If it is the only one now, run `digest activate`."
        )


def is_copy(db: Database) -> bool:
    """Whether this database was made from another one, by a backup or an import, and not adopted."""
    return (_meta(db, HOME) or "").startswith(COPY_OF)


def adopt(db: Database, here: str) -> None:
    """From now on the database sends from here. Call inside a write."""
    _set_meta(db, HOME, here)


def deactivate(db: Database) -> None:
    """This is a copy: wherever it lies, it sends only after `adopt`. Call inside a write."""
    home = _meta(db, HOME)
    if home is None or not home.startswith(COPY_OF):
        _set_meta(db, HOME, COPY_OF + (home or "a database that had not sent"))


def token_key(db: Database, make: Callable[[], bytes]) -> bytes:
    """The key of this database's tokens, made at first use by `make`. Call inside a write."""
    kept = _meta(db, TOKEN_KEY)
    if kept is not None:
        return bytes.fromhex(kept)
    key = make()
    _set_meta(db, TOKEN_KEY, key.hex())
    return key


def way_out(db: Database) -> str | None:
    """How the last sender's mail left: its transport, and where that wrote."""
    return _meta(db, WAY_OUT)


def set_way_out(db: Database, way: str) -> None:
    """This sender's mail leaves so. Call inside a write."""
    _set_meta(db, WAY_OUT, way)


def _meta(db: Database, key: str) -> str | None:
    value = db.value("SELECT value FROM meta WHERE key = ?", (key,))
    return None if value is None else str(value)


def _set_meta(db: Database, key: str, value: str) -> None:
    db.run(
        """INSERT INTO meta VALUES (?, ?)
           ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value != excluded.value""",
        (key, value),
    )


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
