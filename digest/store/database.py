"""The one place that opens the database, and the one helper through which everything is written."""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.errors import StoreError
from digest.store.files import open_private

if TYPE_CHECKING:
    import sqlite3 as sqlite3  # noqa: TID251 - for its types alone

    from sqlite_utils import Database as Tables
else:
    try:
        sqlite3 = importlib.import_module("pysqlite3")
    except ImportError:
        sqlite3 = importlib.import_module("sqlite3")

Row = dict[str, Any]
Parameters = Sequence[Any] | dict[str, Any]
SCHEMA_VERSION = 20261213
"""The day of the newest change of schema.sql, kept as `PRAGMA user_version`."""


class Database:
    """An open database: plain SQL for the verbs, and sqlite-utils as `tables` for schema work.

    One object belongs to one thread. Only `write` and `snapshot` begin transactions; outside of them
    each statement is its own. Every method raises StoreError where the disk, the file or another
    process is the cause, and SQLite's own error where we are.
    """

    def __init__(self, connection: Any, path: Path, *, read_only: bool) -> None:
        self.connection = connection
        self.path = path
        self.read_only = read_only
        self._explained = _Explained(path)
        self._real = path.resolve()  # beside it SQLite has its own files
        self._files: list[tuple[int, int]] = []
        self.along: Callable[[], object] | None = None
        """Is called once, within the next write that changes something."""

    @cached_property
    def tables(self) -> "Tables":
        """The same connection, as sqlite-utils has it."""
        from sqlite_utils import Database as Tables

        return Tables(self.connection, execute_plugins=False)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query, each as a dict of column to value."""
        return list(self.each(sql, parameters))

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query one by one, however many there are."""
        with self._explained:
            cursor = self.connection.execute(sql, parameters)
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(columns, row, strict=True))

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, None if there is none."""
        return next(self.each(sql, parameters), None)

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, None if there is none."""
        with self._explained:
            cursor = self.connection.execute(sql, parameters)
            row = cursor.fetchone()
            cursor.close()
        return None if row is None else row[0]

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement; how many rows it touched."""
        return int(self._execute(sql, parameters).rowcount)

    def version(self) -> int:
        """A number that changes when another connection writes; our own writes do not change it."""
        return int(self.value("PRAGMA data_version"))

    def was_replaced(self) -> bool:
        """Whether the file, its -wal or its -shm is not the one of the first call. Call inside a write:
        then all three are there."""
        try:
            stats = [Path(f"{self._real}{ending}").stat() for ending in ("", "-wal", "-shm")]
        except OSError:
            return True
        files = [(one.st_dev, one.st_ino) for one in stats]
        self._files = self._files or files
        return files != self._files

    def insert(self, table: str, row: Row) -> int:
        """Add one row; its rowid."""
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - names are ours
        return int(self._execute(sql, list(row.values())).lastrowid)

    def give_up_when(self, over: Callable[[], bool]) -> None:
        """Stop each statement with a StoreError while it is `over`, which is asked again and again."""
        self.connection.set_progress_handler(over, 100_000)

    def index_text(self, article_id: int, title: str, text: str) -> None:
        """Replace the text by which `find_words` finds an article."""
        self.run("DELETE FROM article_search WHERE rowid = ?", (article_id,))
        sql = "INSERT INTO article_search (rowid, title, text) VALUES (?, ?, ?)"
        self.run(sql, (article_id, title, text))

    def find_words(
        self, query: str, limit: int, *, ranked: bool, within: str = "", values: Parameters = ()
    ) -> list[tuple[int, float]]:
        """The newest articles that a full-text query finds, each with a number that is the smaller the
        better it fits: a word in a title weighs ten times one in a text. 0 unless they are `ranked`.
        `within` is SQL that selects the ids of those in question."""
        score = "bm25(article_search, 10.0, 1.0)" if ranked else "0"
        # With the "+" it looks each hit up among them, and does not search for each of them.
        more = within and f"AND +rowid IN ({within})"
        sql = f"""SELECT rowid AS id, {score} AS score FROM article_search
                   WHERE article_search MATCH ? {more} ORDER BY rowid DESC LIMIT ?"""  # noqa: S608 - ours
        return [(row["id"], row["score"]) for row in self.each(sql, (query, *values, limit))]

    def run_many(self, sql: str, parameters: Iterator[Any] | Sequence[Any]) -> int:
        """Run one statement for each set of parameters; how many rows they touched."""
        with self._explained:
            return int(self.connection.executemany(sql, parameters).rowcount)

    def _execute(self, sql: str, parameters: Parameters = ()) -> Any:
        with self._explained:
            return self.connection.execute(sql, parameters)

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """Hold the write lock from the first statement (BEGIN IMMEDIATE) to the commit, so that what
        is read inside stays true. Nothing is written when the block raises.

        Raises:
            StoreError: another writer held the lock for longer than the busy timeout, or the disk
                is full, read-only or damaged; nothing was written.
        """
        self._execute("BEGIN IMMEDIATE")
        before = self.connection.total_changes
        try:
            yield
            if self.along is not None and self.connection.total_changes != before:
                self.along()
                self.along = None
            self._execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several queries see the database as of one moment."""
        self._execute("BEGIN")
        try:
            yield
        finally:
            self._roll_back()

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            # The first error is the one to report; SQLite rolls back what a failing disk leaves
            # when the file is opened next.
            with contextlib.suppress(sqlite3.OperationalError):
                self.connection.execute("ROLLBACK")

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
    """Open the store. With `now`, and unless `read_only`, make one where there is none.

    Raises:
        StoreError: there is no database, its schema is not this version's, it is damaged or locked,
            or the disk does not answer.
    """
    makes = now is not None and not read_only
    no_database = "there is no database yet. Run `digest ingest` first."
    try:
        if path.is_dir():
            raise StoreError(f"{path}: is a folder. Name a file in store.path, such as digest.db.")
        if makes and not path.parent.is_dir():
            raise StoreError(f"{path}: its folder does not exist. Make it, or change store.path.")
        if not makes and not path.exists():
            raise StoreError(f"{path}: {no_database}")
        if makes:  # with the mode that SQLite then gives to the files beside it
            with contextlib.suppress(FileExistsError):
                open_private(path.resolve(), "xb").close()
        address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    except OSError as e:
        raise StoreError(
            f"{path}: cannot be reached ({e.strerror or e}). Check the disk that it is on, and the "
            "permissions of every folder above it."
        ) from e
    with contextlib.ExitStack() as on_failure, _Explained(path):
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=busy_timeout_seconds
        )
        on_failure.callback(connection.close)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")
        database = Database(connection, path, read_only=read_only)
        empty = is_empty(database)
        if empty and not makes:
            raise StoreError(f"{path}: {no_database}")
        if not read_only:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
        if empty and now:
            _make_tables(database, now)
        on_failure.pop_all()
    return database


def _use_wal(connection: Any, tries: int = 20) -> None:
    """Of two processes that switch at once SQLite refuses one, without its busy timeout: that one
    waits for the lock of the other and tries again.
    """
    for left in reversed(range(tries)):
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
    # Tables before version: both come in one commit of another process, which may fall between.
    if not database.value("SELECT 1 FROM sqlite_master LIMIT 1"):
        return True
    version = database.value("PRAGMA user_version")
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{database.path}: belongs to another program or to another version of this one (its "
            f"schema is {version}, this version needs {SCHEMA_VERSION}). Move the file away and run "
            "`digest ingest` to make a new one, or name another file in store.path."
        )
    return False


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


_DISK_FAULTS = {
    "BUSY": "another process is writing and did not finish in time; nothing was written. Try again, "
    "or raise store.busy_timeout_seconds.",
    "READONLY": "cannot be written to; nothing was written. Check the permissions of the file, of "
    "its folder and of the -wal and -shm files beside it, and whether the disk is mounted read-only.",
    "IOERR": "the disk failed to read or write ({fault}); nothing was written. Check whether it is "
    "full, over a quota or failing, and try again.",
    "CORRUPT": "is damaged ({fault}); nothing was written. Keep the file, run `digest doctor`, and "
    "restore the last backup with `digest restore`.",
    "INTERRUPT": "the answer took too long.",
    "FULL": "the disk is full; nothing was written. Make room and try again.",
    "CANTOPEN": "cannot be opened. Check the permissions of the file and of its folder, where SQLite "
    "makes files too. For more, run `digest doctor`.",
    "NOTADB": "file is not a database. Name another file in store.path, or restore the last backup "
    "with `digest restore`. For more, run `digest doctor`.",
}
_DISK_FAULTS["LOCKED"] = _DISK_FAULTS["BUSY"]
_DISK_FAULTS["PERM"] = _DISK_FAULTS["READONLY"]


def disk_fault(fault: Exception) -> str | None:
    """What a fault of the disk, of the file or of its locks means, and what to do about it.

    None for every other fault of SQLite: a statement or a row that is wrong.
    """
    name = str(getattr(fault, "sqlite_errorname", "")).removeprefix("SQLITE_")
    message = _DISK_FAULTS.get(name.partition("_")[0])
    return message.format(fault=fault) if message else None


class _Explained:
    """Turns a fault of the disk into a StoreError. Every query enters it, and a generator would be slow."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, sqlite3.DatabaseError) and (message := disk_fault(error)):
            fault = StoreError(f"{self.path}: {message}")
            fault.may_pass = message != _DISK_FAULTS["NOTADB"] and "is damaged" not in message
            raise fault from error


def created_at(database: Database) -> datetime:
    """When this store was made."""
    value = database.value("SELECT value FROM meta WHERE key = 'created_at'")
    return moment_from_text(str(value))


def text_from_moment(moment: datetime) -> str:
    """An instant as the store keeps it: UTC, microseconds, sortable as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_from_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


def integrity_faults(db: Database) -> list[str]:
    """What SQLite finds wrong with the file: damaged pages, broken references; [] is sound."""
    if faults := damaged_pages(db, "integrity_check"):
        return faults  # where pages are damaged, references cannot be followed
    broken = db.rows("PRAGMA foreign_key_check")
    return [f"{row['table']} row {row['rowid']} refers to no {row['parent']}" for row in broken]


def damaged_pages(db: Database, check: str = "quick_check") -> list[str]:
    """The damaged pages; [] is sound. The quick check is much faster, but does not compare indexes."""
    try:
        faults = [str(row[check]) for row in db.rows(f"PRAGMA {check}(20)")]
    except StoreError as e:
        return [str(e)]
    return [] if faults == ["ok"] else faults
