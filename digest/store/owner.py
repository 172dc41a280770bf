"""Who may send from this database and who wakes the verbs: one process at a time, and only at its home."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from digest.errors import SenderBusyError, SenderError, StoreError
from digest.store.database import Database, moment_from_text, text_from_moment

HOME = "home"
COPY_OF = "copy of "  # in front of the home of a backup or an import
SENDER = "sender"
WAY_OUT = "way_out"
BOUNCES_READ = "bounces_read"
TOKEN_KEY = "token_key"  # noqa: S105 - the name of a row


@dataclass(slots=True)
class Sender:
    """The only process that sends from a database, until it ends.

    `mark` is random and kept with each row that it hands over. `earlier` are the marks of the senders
    before it, which are dead since their lock was free: the database that last sent from here has one
    of them. `recovered` counts the rows of theirs that it settled.
    """

    mark: str
    earlier: frozenset[str]
    lock: Path
    descriptor: int
    recovered: int = 0

    def begin(self, db: Database, here: str) -> None:
        """Become the sender that the database names: from then on an earlier one hands over nothing.
        Call inside a write, and `note` after it.

        Raises:
            SenderError: the database was copied, restored or put here; `digest activate` lets it send.
        """
        check_home(db, here)
        if self.earlier and _meta(db, SENDER) not in self.earlier:
            raise SenderError(
                f"{db.path}: this is not the database that last sent from here, but an older or another "
                "one in its place, and does not record what was sent. If that is right, run "
                "`digest activate`."
            )
        _set_meta(db, SENDER, self.mark)
        db.was_replaced()  # from now on

    def note(self, moment: datetime, last: str | None) -> None:
        """Write into the lock file who sends, for people, and who began last, for the next sender.

        Raises:
            StoreError: it cannot be written.
        """
        note = {"pid": os.getpid(), "started": moment.isoformat(), "mark": self.mark, "last": last}
        data = json.dumps(note).encode()
        try:
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            os.write(self.descriptor, data)
            os.ftruncate(self.descriptor, len(data))
        except OSError as e:
            raise _unwritable(self.lock, e) from e

    def check(self, db: Database) -> None:
        """Call inside the write that hands rows over.

        Raises:
            SenderError: this is no longer the only sender, or the database's files were replaced.
        """
        if _meta(db, SENDER) != self.mark:
            fault = "another process has begun to send from it"
        elif not _same_file(self.lock, self.descriptor):
            fault = f"its lock file {self.lock.name} was removed"
        elif db.was_replaced():
            fault = "the file, or its -wal or -shm file, was removed or replaced"
        else:
            return
        raise SenderError(
            f"{db.path}: {fault} during the sending. Messages under way were finished, nothing more "
            "is sent. Next: digest doctor."
        )


@contextlib.contextmanager
def sole_sender(path: Path, moment: datetime, mark: str) -> Iterator[Sender]:
    """Be the only sender on the database at `path`; the system frees the lock when the process dies.

    Raises:
        SenderBusyError: another process sends; its id and when it started are in the text.
        StoreError: the lock file beside the database cannot be written.
    """
    lock = _lock_of(path)
    with contextlib.ExitStack() as closing:
        try:
            is_new = not lock.exists()
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            closing.callback(os.close, descriptor)
            if is_new:
                give_to_owner(lock, path)
            note = _note_of(lock)
            if not _try_lock(descriptor) or not _same_file(lock, descriptor):
                sender = "another process"
                if "pid" in note:
                    sender = f"process {note['pid']}, started {note.get('started')},"
                raise SenderBusyError(f"{path}: {sender} is sending. Wait for it, or stop it.")
            note = _note_of(lock)
            ours = Sender(mark, _earlier(note), lock, descriptor)
            ours.note(moment, note.get("last"))
        except OSError as e:
            raise _unwritable(lock, e) from e
        yield ours


@contextlib.contextmanager
def sole_poller(path: Path) -> Iterator[bool]:
    """Whether this process alone asks the sources of the database at `path`, until it leaves; the
    system frees the claim when it dies.

    Raises:
        StoreError: the file of the claim, beside the database, cannot be written.
    """
    claim = path.resolve().with_suffix(path.suffix + ".polling")
    try:
        descriptor = os.open(claim, os.O_RDWR | os.O_CREAT, 0o600)
        give_to_owner(claim, path)
    except OSError as e:
        raise StoreError(f"{claim}: cannot be written to: {e.strerror}. Check its folder.") from e
    try:
        yield _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(lock: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{lock}: cannot be written to: {error.strerror}. Nothing was sent. Check whether the disk is "
        "full or mounted read-only, and the permissions of the folder."
    )


def _note_of(lock: Path) -> dict[str, Any]:
    """What a sender has written into its lock file; empty if that cannot be read."""
    try:
        note = json.loads(lock.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _earlier(note: dict[str, Any]) -> frozenset[str]:
    """The last sender that began, and one that may have died before it could write that it did."""
    return frozenset([note["mark"], note["last"]]) if note.get("last") else frozenset()


def _same_file(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def is_sending(path: Path) -> bool:
    """Whether a living process sends from the database at `path`; changes nothing."""
    try:
        descriptor = os.open(_lock_of(path), os.O_RDWR)
    except OSError:  # nobody ever sent, or another user does, who settles what is theirs
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def current_sender(path: Path) -> tuple[int, datetime] | None:
    """The process that sends from the database at `path`, and since when; None if none does."""
    if not is_sending(path):
        return None
    note = _note_of(_lock_of(path))
    try:
        return int(note["pid"]), datetime.fromisoformat(note["started"])
    except (ValueError, KeyError, TypeError):  # it has begun or ended just now
        return None


def _lock_of(path: Path) -> Path:
    """By whatever path a database is named, it has one lock."""
    real = path.resolve()
    return real.with_name(real.name + ".sender")


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


def give_to_owner(made: Path, store: Path) -> None:
    """Give a file that root made to the user of the service: the owner of the database at `store`, or
    of its folder where there is none yet."""
    if os.name == "posix" and os.geteuid() == 0:
        owner = (store if store.exists() else store.parent).stat()
        os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)


def check_home(db: Database, here: str) -> None:
    """Refuse to send from another place than the home; the first sender sets it. Call inside a write.

    `here` names this machine and the file's place on it.

    Raises:
        SenderError: the database was copied or restored here; `digest activate` lets it send.
    """
    home = _meta(db, HOME)
    if home is None:
        _set_meta(db, HOME, here)
    elif home.startswith(COPY_OF):
        raise SenderError(
            f"{db.path}: this database was restored or imported, and does not record what was sent "
            "since. If no other copy sends, run `digest activate`."
        )
    elif home != here:
        raise SenderError(
            f"{db.path}: this database last sent from another place ({home}), so it may be a copy. "
            "If no other copy sends, run `digest activate`."
        )


def is_copy(db: Database) -> bool:
    """Whether this database is a backup or an import, or was put in the place of the one that sent,
    and was not activated yet."""
    earlier = _earlier(_note_of(_lock_of(db.path)))
    replaced = bool(earlier) and _meta(db, SENDER) not in earlier
    return replaced or (_meta(db, HOME) or "").startswith(COPY_OF)


def activate(db: Database, here: str) -> None:
    """Make `here` the place from which the database sends. Call inside a write."""
    _set_meta(db, HOME, here)
    if last := _note_of(_lock_of(db.path)).get("last"):
        _set_meta(db, SENDER, last)


def deactivate(db: Database) -> None:
    """Mark this as a copy, which sends only after `activate`. Call inside a write."""
    home = _meta(db, HOME)
    if home is None or not home.startswith(COPY_OF):
        _set_meta(db, HOME, COPY_OF + (home or "a database that had not sent"))


def add_token_key(db: Database, key: bytes) -> None:
    """Make new tokens with this key; those of the earlier ones stay valid. Call inside a write."""
    _set_meta(db, TOKEN_KEY, " ".join(one.hex() for one in (key, *token_keys(db))))


def token_keys(db: Database) -> list[bytes]:
    """The keys of this database's tokens, the newest first; none before the first use."""
    return [bytes.fromhex(one) for one in (_meta(db, TOKEN_KEY) or "").split()]


def way_out(db: Database) -> str | None:
    """The transport of the last sender, and where that delivered to."""
    return _meta(db, WAY_OUT)


def set_way_out(db: Database, way: str) -> None:
    """Store the transport of this sender. Call inside a write."""
    _set_meta(db, WAY_OUT, way)


def note_bounces_read(db: Database, now: datetime) -> None:
    """Store that somebody reads the mailbox of what comes back. Call inside a write."""
    _set_meta(db, BOUNCES_READ, text_from_moment(now))


def bounces_read_at(db: Database) -> datetime | None:
    """When that mailbox was last read; None if never."""
    value = _meta(db, BOUNCES_READ)
    return None if value is None else moment_from_text(value)


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
        """Whether its holder counts as alive. An end that is too far ahead was written before the clock
        was put back.
        """
        return now < self.expires_at <= now + 2 * length


def current_lease(db: Database, name: str) -> Lease | None:
    """The lease, expired or not; None where nobody ever held it."""
    row = db.row("SELECT holder, mark, taken_at, expires_at FROM leases WHERE name = ?", (name,))
    if row is None:
        return None
    taken_at, expires_at = moment_from_text(row["taken_at"]), moment_from_text(row["expires_at"])
    return Lease(row["holder"], row["mark"], taken_at, expires_at)


def take_lease(
    db: Database, name: str, holder: str, mark: str, now: datetime, length: timedelta
) -> Lease:
    """Take the lease if it is free or expired, or renew ours; the lease as it is now.

    Raises:
        StoreError: the database cannot be written; nothing has changed.
    """
    with db.write():
        lease = current_lease(db, name)
        if lease is not None and lease.mark != mark and lease.holds(now, length):
            return lease
        taken_at = lease.taken_at if lease is not None and lease.mark == mark else now
        ours = Lease(holder, mark, taken_at, now + length)
        db.run(
            """INSERT INTO leases (name, holder, mark, taken_at, expires_at) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, mark = excluded.mark,
                 taken_at = excluded.taken_at, expires_at = excluded.expires_at""",
            (name, holder, mark, text_from_moment(taken_at), text_from_moment(ours.expires_at)),
        )
        return ours


def leave_lease(db: Database, name: str, mark: str) -> None:
    """Give our lease up, so that others need not wait for its end; nothing where it is not ours."""
    with db.write():
        db.run("DELETE FROM leases WHERE name = ? AND mark = ?", (name, mark))
