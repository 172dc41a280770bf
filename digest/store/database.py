"""The one place that opens the database, and the one helper through which everything is written."""

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database as Tables


if TYPE_CHECKING:
    import sqlite3 as sqlite3  # noqa: TID251 - for its types alone
else:
    try:
        sqlite3 = importlib.import_module("pysqlite3")
    except ImportError:
        sqlite3 = importlib.import_module("sqlite3")


Row = dict[str, Any]
SCHEMA_VERSION = 20261129
"""The day of the newest change of schema.sql: `PRAGMA user_version` of every store made by it."""
_TRIES = 20

FOUND_BY_WORDS = "SELECT rowid FROM article_search WHERE article_search MATCH ?"
"""The ids of the articles that a full-text query finds."""


class Database:
    """An open database: plain SQL for the verbs, and sqlite-utils as `tables` for schema work.

    One object belongs to one thread. Transactions are begun only by `write` and `snapshot`;
    outside of them each statement stands alone.
    """

    def __init__(self, connection: Any, path: Path, *, read_only: bool) -> None:
        self.connection = connection
        self.path = path
        self.read_only = read_only

    @cached_property
    def tables(self) -> "Tables":
        """The same connection, as sqlite-utils has it."""
        from sqlite_utils import Database as Tables

        return Tables(self.connection, execute_plugins=False)

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
        """All rows of a query, each as a dict of column to value."""
        return list(self.each(sql, parameters))

    def each(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Iterator[Row]:
        """The rows of a query one by one, for as many as there may be."""
        try:
            cursor = self.connection.execute(sql, parameters)
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(columns, row, strict=True))
        except sqlite3.DatabaseError as e:
            self._tell(e)
            raise

    def row(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Row | None:
        """The first row of a query, None if there is none."""
        return next(self.each(sql, parameters), None)

    def value(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """The first column of the first row, None if there is none."""
        try:
            cursor = self.connection.execute(sql, parameters)
            found = cursor.fetchone()
            cursor.close()
        except sqlite3.DatabaseError as e:
            self._tell(e)
            raise
        return None if found is None else found[0]

    def run(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> int:
        """One statement; how many rows it touched."""
        return int(self._execute(sql, parameters).rowcount)

    def version(self) -> int:
        """Another number as soon as another connection has written; our own writes leave it."""
        return int(self.value("PRAGMA data_version"))

    def insert(self, table: str, row: Row) -> int:
        """One new row; its rowid."""
        columns = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - names are ours
        return int(self._execute(sql, list(row.values())).lastrowid)

    def index_text(self, article_id: int, title: str, text: str) -> None:
        """What FOUND_BY_WORDS finds an article by, in place of what it was."""
        self.run("DELETE FROM article_search WHERE rowid = ?", (article_id,))
        sql = "INSERT INTO article_search (rowid, title, text) VALUES (?, ?, ?)"
        self.run(sql, (article_id, title, text))

    def run_many(self, sql: str, parameters: Iterator[Any] | Sequence[Any]) -> None:
        """One statement for each set of parameters."""
        try:
            self.connection.executemany(sql, parameters)
        except sqlite3.DatabaseError as e:
            self._tell(e)
            raise

    def _execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        try:
            return self.connection.execute(sql, parameters)
        except sqlite3.DatabaseError as e:
            self._tell(e)
            raise

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """The write lock from the first statement to the commit: BEGIN IMMEDIATE, so that what is
        read inside stays true until it is written. Nothing is kept when the block raises.

        Raises:
            StoreError: another writer held the lock for longer than the busy timeout, or the disk
                is full, read-only or damaged; nothing was written.
        """
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several queries that see the database as of one moment."""
        self._execute("BEGIN")
        try:
            yield
        finally:
            self._roll_back()

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            # What went wrong before is what the operator must hear; SQLite rolls back what a
            # failing disk leaves when the file is opened next.
            with contextlib.suppress(sqlite3.OperationalError):
                self.connection.execute("ROLLBACK")

    def _tell(self, fault: Exception) -> None:
        """Raise what the disk or another process caused in words; all else is a fault of ours."""
        if said := disk_fault(fault):
            raise StoreError(f"{self.path}: {said}") from fault

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_database(
    path: Path,
    *,
    now: datetime | None = None,
    busy_timeout_seconds: float = 15.0,
    read_only: bool = False,
) -> Database:
    """Open the store. With `now`, and unless `read_only`, make it where there is none.

    Raises:
        StoreError: there is no database, its schema is not this version's, it is damaged or locked,
            or the disk does not answer.
    """
    makes = now is not None and not read_only
    try:
        if path.is_dir():
            raise StoreError(f"{path}: is a folder. Name a file in store.path, such as digest.db.")
        if makes and not path.parent.is_dir():
            raise StoreError(f"{path}: its folder does not exist. Make it, or change store.path.")
        if not makes and not path.exists():
            raise StoreError(f"{path}: {_NO_DATABASE}")
        address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    except OSError as e:
        raise StoreError(
            f"{path}: cannot be reached ({e.strerror or e}). Check the disk that it is on, and the "
            "permissions of every folder above it."
        ) from e
    with contextlib.ExitStack() as on_failure:
        try:
            connection = sqlite3.connect(
                address, uri=True, isolation_level=None, timeout=busy_timeout_seconds
            )
            on_failure.callback(connection.close)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA recursive_triggers = ON")
            database = Database(connection, path, read_only=read_only)
            empty = is_empty(database)
            if empty and not makes:
                raise StoreError(f"{path}: {_NO_DATABASE}")
            if not read_only:
                _use_wal(connection)
                connection.execute("PRAGMA synchronous = FULL")
            if empty and now:
                _make_tables(database, now)
        except sqlite3.DatabaseError as e:
            if said := disk_fault(e):
                raise StoreError(f"{path}: {said}") from e
            raise
        on_failure.pop_all()
    return database


_NO_DATABASE = "there is no database yet. Run `digest ingest` first."

_DISK_FAULTS = {
    "BUSY": "another process is writing and did not finish in time; nothing was written. Try again, "
    "or raise store.busy_timeout_seconds.",
    "READONLY": "cannot be written to; nothing was written. Check the permissions of the file, of "
    "its folder and of the files -wal and -shm beside it, and whether the disk is mounted for "
    "reading only.",
    "IOERR": "the disk did not take or give what it should ({fault}); nothing was written. Look "
    "whether it is full, over a quota or failing, and try again.",
    "CORRUPT": "is damaged ({fault}); nothing was written. Keep the file, run `digest doctor`, and "
    "restore the last backup with `digest restore`.",
    "FULL": "the disk is full; nothing was written. Make room and try again.",
    "CANTOPEN": "cannot be opened. Check the permissions of the file and of its folder: SQLite also "
    "needs to make files beside it. `digest doctor` looks further.",
    "NOTADB": "file is not a database. Name another file in store.path, or restore the last backup "
    "with `digest restore`; `digest doctor` looks further.",
}

_DISK_FAULTS["LOCKED"] = _DISK_FAULTS["BUSY"]
_DISK_FAULTS["PERM"] = _DISK_FAULTS["READONLY"]


def disk_fault(fault: Exception) -> str | None:
    """What a fault of the disk, of the file or of its locks means, and what to do about it.

    None for every other fault of SQLite: a statement or a row that is wrong.
    """
    name = str(getattr(fault, "sqlite_errorname", "")).removeprefix("SQLITE_")
    told = _DISK_FAULTS.get(name.partition("_")[0])
    return told.format(fault=str(fault)) if told else None


def _use_wal(connection: Any) -> None:
    """SQLite refuses one of two processes that switch at once, without its busy timeout: the one
    that lost waits for the other's lock, and looks again.
    """
    for left in reversed(range(_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if not left:
                raise
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        else:
            return


def is_empty(database: Database) -> bool:
    """Whether the file has no tables yet; False means that it has ours.

    Raises:
        StoreError: it has the tables of another program, or of another version of this one.
    """
    version = database.value("PRAGMA user_version")
    if version == SCHEMA_VERSION:
        return False
    if database.value("SELECT 1 FROM sqlite_master LIMIT 1"):
        raise StoreError(
            f"{database.path}: is a database of another program or of another version of this one "
            f"(its schema is {version}, this version needs {SCHEMA_VERSION}). Move the file away "
            "and run `digest ingest` to make a new one, or name another file in store.path."
        )
    return True


def _make_tables(database: Database, now: datetime) -> None:
    """Apply schema.sql. Of several processes at once the first one does it, the others wait."""
    script = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    with database.write():
        if not is_empty(database):
            return
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                database.tables.execute(statement)
                statement = ""
        database.insert("meta", {"key": "created_at", "value": text_from_moment(now)})
        database.run(f"PRAGMA user_version = {SCHEMA_VERSION}")


def created_at(database: Database) -> datetime:
    """When this store was made."""
    value = database.value("SELECT value FROM meta WHERE key = 'created_at'")
    return moment_from_text(str(value))


def text_from_moment(moment: datetime) -> str:
    """An instant as it is kept: UTC, microseconds, sortable as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_from_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


def integrity_faults(db: Database) -> list[str]:
    """What SQLite finds wrong with the file: damaged pages, broken references; [] is sound."""
    if found := _checked(db, "integrity_check"):
        return found  # where pages are damaged, references cannot be followed
    broken = db.rows("PRAGMA foreign_key_check")
    return [f"{row['table']} row {row['rowid']} points at no {row['parent']}" for row in broken]


def damaged_pages(db: Database) -> list[str]:
    """As `integrity_faults`, but without a look whether each index has each row of its table, so that
    it takes a fraction of the time.
    """
    return _checked(db, "quick_check")


def _checked(db: Database, pragma: str) -> list[str]:
    try:
        found = [str(row[pragma]) for row in db.rows(f"PRAGMA {pragma}(20)")]
    except StoreError as e:
        return [str(e)]
    return [] if found == ["ok"] else found
