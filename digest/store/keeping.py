"""Backups of the database while it is used, and the way back: each copy whole, checked, or not there."""

import contextlib
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.errors import StoreError
from digest.store.database import Database, disk_fault, is_empty, open_database
from digest.store.sender import disown, give_to_owner, sole_sender
from digest.store.sqlite import sqlite3
from digest.store.summary import integrity_faults

STAMP = "%Y%m%dT%H%M%SZ"
A_DAY = timedelta(days=1)

OWN_TABLES = """
SELECT name FROM sqlite_master
 WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
   AND name NOT LIKE 'article\\_search\\_%' ESCAPE '\\'
 ORDER BY name
"""
"""Every table of ours; not SQLite's, nor those that the word index keeps for itself."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was checked. `rows` counts each table; `removed` are older copies let go."""

    path: Path
    size: int
    rows: dict[str, int]
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """`kept` is where the database that was there before lies now; None where there was none."""

    rows: dict[str, int]
    kept: Path | None


def own_tables(db: Database) -> list[str]:
    """The names of our tables, in the order of the alphabet."""
    return [str(row["name"]) for row in db.rows(OWN_TABLES)]


def row_counts(db: Database) -> dict[str, int]:
    """How many rows each of our tables has."""
    return {
        table: int(db.value(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names are ours
        for table in own_tables(db)
    }


def backup(db: Database, folder: Path, moment: datetime, *, keep: int) -> Backup:
    """Copy the database as of now into `folder`, check the copy, and let go of all but the newest
    `keep` copies. Others may write meanwhile. Copies that the future made, before the clock was put
    back, are neither counted nor let go.

    The copy needs `digest adopt` before it sends, wherever it is put.

    Raises:
        StoreError: the folder cannot be written, the disk is full, or the copy is not sound;
            older copies are all still there.
    """
    target = folder / f"{db.path.stem}-{moment.astimezone(UTC).strftime(STAMP)}.db"
    with new_file(target) as copy:
        counts = _copy(db, copy)
        with _opened(copy) as made, made.write():
            disown(made)
        _settle(copy)
        size = copy.stat().st_size
    sweep(folder, db.path.stem, moment)
    past = backups_until(db.path, folder, moment)
    return Backup(target, size, counts, tuple(_let_go(past[:-keep])))


def backups_in(store: Path, folder: Path) -> list[Path]:
    """The copies of the database at `store` that `backup` made there, the oldest first."""
    name = re.compile(rf"{re.escape(store.stem)}-\d{{8}}T\d{{6}}Z\.db")
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if name.fullmatch(one.name))


def backups_until(store: Path, folder: Path, moment: datetime) -> list[Path]:
    """Those of `backups_in` that were made by then: one that the future made, before the clock was
    put back, says nothing of today."""
    return [one for one in backups_in(store, folder) if backup_made_at(one) <= moment]


def backup_made_at(path: Path) -> datetime:
    """When a copy was made, by its name."""
    stamp = path.stem.rpartition("-")[2]
    return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)


def backup_is_due(store: Path, folder: Path, moment: datetime) -> bool:
    """Whether the newest copy is a day old, or there is none."""
    made = backups_until(store, folder, moment)
    return not made or backup_made_at(made[-1]) <= moment - A_DAY


def verify(path: Path) -> dict[str, int]:
    """Check a copy whole: pages, references, schema; its rows by table.

    Raises:
        StoreError: it is missing, damaged, of another program, or of another version of this one.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file. Name a copy that `digest backup` made.")
    with _opened(path) as db:
        if is_empty(db):
            raise StoreError(f"{path}: is no database of this program. Name another file.")
        if faults := integrity_faults(db):
            raise StoreError(f"{path}: is not sound: {'; '.join(faults)}. Name another copy.")
        return row_counts(db)


def restore(
    source: Path, path: Path, moment: datetime, *, busy_timeout_seconds: float = 15.0
) -> Restored:
    """Put the copy at `source` in the place of the database at `path`, which is kept aside.

    `source` stays as it is. What is put in place was checked whole, and
    sends only after `digest adopt`.

    Raises:
        StoreError: the copy is not sound, or another process has the database open; nothing was
            changed.
        SenderError: another process sends from the database; nothing was changed.
    """
    verify(source)
    if path.exists() and path.samefile(source):
        raise StoreError(f"{path}: is the database itself. Name a copy that `digest backup` made.")
    if not path.parent.is_dir():
        raise StoreError(f"{path}: its folder does not exist. Make it, or change store.path.")
    with sole_sender(path, moment):
        kept = path.with_name(f"{path.stem}-before-{moment.astimezone(UTC).strftime(STAMP)}.db")
        with new_file(path) as copy:
            with _opened(source) as db:
                counts = _copy(db, copy)
            with open_database(copy) as made, made.write():
                disown(made)
            _settle(copy)
            there = path.exists()
            give_to_owner(copy, path)
            if there:
                shutil.copymode(path, copy)
                _set_aside(path, kept, busy_timeout_seconds)
        sweep(path.parent, path.stem, moment)
    return Restored(counts, kept if there else None)


def _copy(db: Database, target: Path) -> dict[str, int]:
    """All of the database as of one moment into the empty file `target`; its rows by table.

    Raises:
        StoreError: the copy has other rows than the database, or is not sound.
    """
    with db.snapshot():
        counts = row_counts(db)  # the first read: from here on the snapshot stands
        try:
            with contextlib.closing(sqlite3.connect(str(target))) as copy:
                db.connection.backup(copy)
        except sqlite3.DatabaseError as e:  # its errors have no code to tell them by
            raise StoreError(
                f"{target.parent}: the copy could not be made ({e}). Look whether the disk is full "
                "or failing, and try again; nothing was changed."
            ) from e
    _settle(target)
    if verify(target) != counts:
        raise StoreError(f"{target.parent}: the copy has other rows than {db.path}. Try again.")
    return counts


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Database]:
    """A copy as it is, without a change of its journal."""
    try:
        with contextlib.closing(sqlite3.connect(str(path), isolation_level=None)) as connection:
            yield Database(connection, path, read_only=False)
    except sqlite3.DatabaseError as e:
        raise StoreError(f"{path}: {disk_fault(e) or e}") from e


def _settle(path: Path) -> None:
    """One file, nothing beside it, all of it on the disk."""
    with _opened(path) as db:
        db.value("PRAGMA journal_mode = DELETE")
    _sync(path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A file to be filled, which takes the name `target` when the block ends well; else nothing
    of it is left. Only its owner may read it: it holds addresses and the key of tokens.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=".part", dir=target.parent
        )
    except OSError as e:
        raise StoreError(f"{target.parent}: cannot be written to: {e.strerror}.") from e
    os.close(descriptor)
    made = Path(name)
    try:
        yield made
        _sync(made)
        made.replace(target)
        _sync_folder(target.parent)
    except OSError as e:
        raise StoreError(f"{target}: cannot be written: {e.strerror}. Nothing was changed.") from e
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            made.with_name(made.name + suffix).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """A new name is on the disk, where the system can say so."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _set_aside(path: Path, kept: Path, busy_timeout_seconds: float) -> None:
    """A second name for the present database, so that there is one at `path` at every moment.

    Raises:
        StoreError: another process has it open.
    """
    for one in path.parent.glob(f"{glob.escape(path.stem)}-before-*.db"):
        if one.samefile(path):  # of a restore that was killed before it put the copy in place
            one.unlink()
    if kept.exists():
        raise StoreError(f"{kept}: is there already. Try again in a second; nothing was changed.")
    log, kept_log = (one.with_name(one.name + "-wal") for one in (path, kept))
    if log.exists():
        shutil.copy2(log, kept_log)  # SQLite throws away the log of a file that it cannot read
    try:
        with contextlib.closing(sqlite3.connect(str(path), timeout=busy_timeout_seconds)) as db:
            # Works only where nobody else has it open, and brings the log into the file.
            db.execute("PRAGMA journal_mode = DELETE").close()
        kept_log.unlink(missing_ok=True)
    except sqlite3.DatabaseError as e:
        if getattr(e, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            kept_log.unlink(missing_ok=True)
            raise StoreError(
                f"{path}: another process has it open. Stop it and try again; nothing was changed."
            ) from e
        # Damaged, or no database: it is kept as it is, with its log.
    kept.hardlink_to(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def sweep(folder: Path, stem: str, moment: datetime) -> None:
    """Half-made files that are a day old: of runs that were killed."""
    before = (moment - A_DAY).timestamp()
    for one in folder.glob(f".{glob.escape(stem)}-*.part*"):
        with contextlib.suppress(FileNotFoundError):  # another run has come to its end
            if one.stat().st_mtime < before:
                one.unlink()


def _let_go(paths: list[Path]) -> list[Path]:
    for path in paths:
        path.unlink(missing_ok=True)
    return paths
