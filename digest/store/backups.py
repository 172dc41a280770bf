"""Backups and the way back, exports and imports, and what is deleted with time."""

import contextlib
import glob
import json
import re
import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from digest.errors import StoreError
from digest.store.database import (
    SCHEMA_VERSION,
    Database,
    disk_fault,
    integrity_faults,
    is_empty,
    open_database,
    sqlite3,
    text_from_moment,
)
from digest.store.files import new_file, open_private, sync_file
from digest.store.owner import HOME, TOKEN_KEY, deactivate, give_to_owner, sole_sender

QUICK_BYTES = 100_000_000
UNCLEAN = "unclean"
"""The row of meta that says that bytes of what was deleted may still be in the file."""
STAMP = "%Y%m%dT%H%M%SZ"
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Backup:
    """A checked copy. `rows` counts those of each table; `removed` are older copies now deleted."""

    path: Path
    size: int
    rows: dict[str, int]
    removed: tuple[Path, ...] = ()


def backup(db: Database, folder: Path, moment: datetime, *, keep: int) -> Backup:
    """Copy the database into `folder`, check the copy, and delete all but the newest `keep` copies.

    Others may write meanwhile. Copies dated after `moment`, from before the clock was put back, are
    neither counted nor deleted. The copy needs `digest activate` before it sends, wherever it is put.

    Raises:
        StoreError: the folder cannot be written, the disk is full, or the copy is not sound; no
            older copy was deleted.
    """
    target = folder / f"{db.path.stem}-{moment.astimezone(UTC).strftime(STAMP)}.db"
    with new_file(target) as copy:
        rows = _copy(db, copy)
        with _opened(copy) as made, made.write():
            deactivate(made)
        _settle(copy)
        size = copy.stat().st_size
    sweep(folder, db.path.stem, moment)
    removed = backups_until(db.path, folder, moment)[:-keep]
    for path in removed:
        path.unlink(missing_ok=True)
    return Backup(target, size, rows, tuple(removed))


def backups_in(store: Path, folder: Path) -> list[Path]:
    """The copies of the database at `store` that `backup` made there, the oldest first."""
    name = re.compile(rf"{re.escape(store.stem)}-\d{{8}}T\d{{6}}Z\.db")
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


def backups_until(store: Path, folder: Path, moment: datetime) -> list[Path]:
    """Those of `backups_in` that are not dated after `moment`."""
    return [path for path in backups_in(store, folder) if backup_made_at(path) <= moment]


def backup_made_at(path: Path) -> datetime:
    """When a copy was made, by its name."""
    stamp = path.stem.rpartition("-")[2]
    return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)


def backup_is_due(store: Path, folder: Path, moment: datetime) -> bool:
    """Whether the newest copy is a day old, or there is none."""
    copies = backups_until(store, folder, moment)
    return not copies or backup_made_at(copies[-1]) <= moment - A_DAY


def verify(path: Path) -> dict[str, int]:
    """Check all of a copy: pages, references, schema. Returns the number of rows of each table.

    Raises:
        StoreError: it is missing, damaged, of another program, or of another version of this one.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no such file. Name a copy that `digest backup` made.")
    with _opened(path) as db:
        if is_empty(db):
            raise StoreError(f"{path}: is not a database of this program. Name another file.")
        if faults := integrity_faults(db):
            raise StoreError(f"{path}: is damaged: {'; '.join(faults)}. Name another copy.")
        return row_counts(db)


def restore(
    source: Path, path: Path, moment: datetime, *, busy_timeout_seconds: float = 15.0
) -> Path | None:
    """Put the copy at `source` in the place of the database at `path`. Returns where the old database
    is now; None where there was none.

    `source` stays as it is. The restored database is checked and sends only after `digest activate`.

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
    with sole_sender(path, moment, "restore"):
        aside = path.with_name(f"{path.stem}-before-{moment.astimezone(UTC).strftime(STAMP)}.db")
        with new_file(path) as copy:
            with _opened(source) as db:
                _copy(db, copy)
            with open_database(copy) as made, made.write():
                deactivate(made)
            _settle(copy)
            replaces = path.exists()
            give_to_owner(copy, path)
            if replaces:
                copy.chmod(path.stat().st_mode & 0o770)  # a group that was given access keeps it
                _set_aside(path, aside, busy_timeout_seconds)
        sweep(path.parent, path.stem, moment)
    return aside if replaces else None


def _copy(db: Database, target: Path) -> dict[str, int]:
    """Copy the database as of one moment into the empty file `target`; the rows of each table.

    Raises:
        StoreError: the copy has other rows than the database, or is not sound.
    """
    with db.snapshot():
        counts = row_counts(db)  # the first read: the snapshot is of this moment
        try:
            with contextlib.closing(sqlite3.connect(str(target))) as copy:
                db.connection.backup(copy)
        except sqlite3.DatabaseError as e:  # these errors carry no code, so the cause is a guess
            raise StoreError(
                f"{target.parent}: the copy could not be made ({e}). Check whether the disk is full "
                "or failing, and try again. Nothing was changed."
            ) from e
    _settle(target)
    if verify(target) != counts:
        raise StoreError(f"{target.parent}: the copy has other rows than {db.path}. Try again.")
    return counts


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Database]:
    """A copy, with its journal mode left as it is."""
    try:
        with contextlib.closing(sqlite3.connect(str(path), isolation_level=None)) as connection:
            yield Database(connection, path, read_only=False)
    except sqlite3.DatabaseError as e:
        raise StoreError(f"{path}: {disk_fault(e) or e}") from e


def _settle(path: Path) -> None:
    """Leave one file with no -wal beside it, all of it on the disk."""
    with _opened(path) as db:
        db.value("PRAGMA journal_mode = DELETE")
    sync_file(path)


def _set_aside(path: Path, aside: Path, busy_timeout_seconds: float) -> None:
    """Give the present database a second name, so that `path` has a database at every moment.

    Raises:
        StoreError: another process has it open.
    """
    for earlier in path.parent.glob(f"{glob.escape(path.stem)}-before-*.db"):
        if earlier.samefile(path):  # from a restore that was killed before the copy was in place
            earlier.unlink()
    if aside.exists():
        raise StoreError(f"{aside}: exists already. Try again in a second. Nothing was changed.")
    log, log_aside = (one.with_name(one.name + "-wal") for one in (path, aside))
    if log.exists():
        # SQLite deletes the log of a file that it cannot read.
        with log.open("rb") as old, open_private(log_aside) as kept:
            shutil.copyfileobj(old, kept)
    try:
        with contextlib.closing(sqlite3.connect(str(path), timeout=busy_timeout_seconds)) as db:
            # Works only while nobody else has it open, and merges the log into the file.
            db.execute("PRAGMA journal_mode = DELETE").close()
        log_aside.unlink(missing_ok=True)
    except sqlite3.DatabaseError as e:
        if getattr(e, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            log_aside.unlink(missing_ok=True)
            raise StoreError(
                f"{path}: another process has it open. Stop it and try again. Nothing was changed."
            ) from e
        # It is damaged, or no database: it is kept as it is, with its log.
    aside.hardlink_to(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def sweep(folder: Path, stem: str, moment: datetime) -> None:
    """Delete half-made files that are a day old: runs that were killed left them."""
    before = (moment - A_DAY).timestamp()
    for path in folder.glob(f".{glob.escape(stem)}-*.part*"):
        with contextlib.suppress(FileNotFoundError):  # another run has just finished
            if path.stat().st_mtime < before:
                path.unlink()


def own_tables(db: Database) -> list[str]:
    """The names of our tables, sorted: without SQLite's, and without those of the word index."""
    sql = """
    SELECT name FROM sqlite_master
     WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       AND name NOT LIKE 'article\\_search\\_%' ESCAPE '\\'
     ORDER BY name
    """
    return [str(row["name"]) for row in db.rows(sql)]


def row_counts(db: Database) -> dict[str, int]:
    """How many rows each of our tables has."""
    return {
        table: int(db.value(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names are ours
        for table in own_tables(db)
    }


FORMAT = "newsroom-digest export"
VERSION = 1
PASSING = frozenset({"leases", "article_marks", "places", "desk_links", "desk_sessions"})
"""Tables that are not exported: who runs now, or is signed in, what triggers make again, and what counts on
that."""


def export_lines(db: Database, *, with_secrets: bool = False) -> Generator[str]:
    """The database as of one moment as JSON, one line at a time and without line ends; memory stays
    flat. Close it where it is not read to its end.

    The key of the tokens, and the bytes of mails, which have tokens, are left out without `with_secrets`:
    they let anybody end subscriptions and forge bounces. A queued notice is then failed, as an import
    cannot send it. So is the home left out, which an import does not share.
    """
    left_out = {HOME} if with_secrets else {HOME, TOKEN_KEY}
    header = {"format": FORMAT, "version": VERSION, "schema": SCHEMA_VERSION}
    count = 0
    with db.snapshot():
        yield _json_line({**header, "secrets": with_secrets})
        for table, columns in _exported_tables(db).items():
            keys = [row for row in db.rows(f"PRAGMA table_info({table})") if row["pk"]]
            order = [row["name"] for row in sorted(keys, key=lambda row: row["pk"])] or ["rowid"]
            sql = f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(order)}"  # noqa: S608 - names are ours
            for row in db.each(sql):
                if table == "meta" and row["key"] in left_out:
                    continue
                if table == "notices" and not with_secrets:
                    status = {"queued": "failed", "handed": "uncertain"}.get(row["status"])
                    row |= {"body": b"", "due_at": None, "status": status or row["status"]}
                elif table == "bounces" and not with_secrets:
                    row |= {"raw": b"", "let_go_at": row["let_go_at"] or row["read_at"]}
                for column, value in row.items():
                    if isinstance(value, bytes):
                        row[column] = {"base64": b64encode(value).decode("ascii")}
                yield _json_line({"table": table, "values": row})
                count += 1
    yield _json_line({"rows": count})


def import_lines(db: Database, lines: Iterable[str], file: str) -> int:
    """Fill the empty store from an export, all or nothing. Returns the number of rows.

    The store then sends only after `digest activate`. `file` is its name, for messages.

    Raises:
        StoreError: the store is not empty, or a line is not as `export_lines` writes it; which
            line is in the text, and nothing was written.
    """

    def fault(number: int, what: str) -> StoreError:
        return StoreError(f"{file}, line {number}: {what}. Nothing was written.")

    def parsed(number: int, line: str) -> dict[str, Any]:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as e:
            raise fault(number, f"is not JSON: {e}") from e
        if not isinstance(values, dict):
            raise fault(number, "is not a JSON object")
        return values

    def raw(value: Any) -> Any:
        match value:
            case {"base64": str(text)} if len(value) == 1:
                return b64decode(text, validate=True)
            case str() | int() | float() | None:
                return value
        raise ValueError('a value is text, a number, null or {"base64": "..."}')

    tables = _exported_tables(db)
    inserts = {
        table: f"INSERT INTO {table} ({', '.join(columns)}) VALUES (:{', :'.join(columns)})"  # noqa: S608 - names are ours
        for table, columns in tables.items()
    }
    numbered = enumerate(lines, 1)
    count = 0
    with db.write():
        for table in tables:
            if table != "meta" and db.value(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - names are ours
                raise StoreError(
                    f"{db.path}: is not empty ({table} has rows). Set store.path to a new file, and "
                    "import into that."
                )
        header = parsed(1, next(numbered, (1, ""))[1])
        if header.get("format") != FORMAT or header.get("version") != VERSION:
            raise fault(1, f"is not the header of a {FORMAT}, version {VERSION}")
        if header.get("schema") != SCHEMA_VERSION:
            raise StoreError(
                f"{file}: was made with another schema ({header.get('schema')}). Export it again "
                "with the version of this program that imports it."
            )
        db.run("PRAGMA defer_foreign_keys = ON")
        db.run("DELETE FROM meta")
        for number, line in numbered:
            item = parsed(number, line)
            if set(item) == {"rows"}:
                if item["rows"] != count:
                    raise fault(number, f"counts {item['rows']} rows, but {count} came before")
                if (after := next(numbered, None)) is not None:
                    raise fault(after[0], "is after the end")
                break
            name, values = item.get("table"), item.get("values")
            if not isinstance(name, str) or name not in tables or not isinstance(values, dict):
                raise fault(number, "does not name a table of this program with its values")
            if sorted(values) != tables[name]:
                raise fault(number, f"does not have the columns of {name}")
            try:
                db.run(inserts[name], {column: raw(value) for column, value in values.items()})
            except (sqlite3.IntegrityError, OverflowError, ValueError) as e:
                raise fault(number, f"is not a row of {name}: {e}") from e
            count += 1
        else:
            raise StoreError(
                f"{file}: ends after {count} rows without its last line: it is cut off."
            )
        if broken := db.row("PRAGMA foreign_key_check"):
            raise StoreError(
                f"{file}: {broken['table']} refers to a row of {broken['parent']} that is missing."
            )
        deactivate(db)
    return count


def _exported_tables(db: Database) -> dict[str, list[str]]:
    """The sorted columns of each table of an export; one without a key has its rowid beside them."""
    tables: dict[str, list[str]] = {}
    for table in own_tables(db):
        if table not in PASSING:
            rows = db.rows(f"PRAGMA table_info({table})")
            names = [str(row["name"]) for row in rows]
            tables[table] = sorted(names if any(row["pk"] for row in rows) else [*names, "rowid"])
    return tables


def _json_line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


BOUNCES = 200
ANSWERS = 5000
"""Rows of one write, so that others do not wait long."""
OLD_BOUNCES = "FROM bounces WHERE let_go_at IS NULL AND read_at < ?"
OLD_EDITIONS = "SELECT id FROM editions WHERE answers_gone_at IS NULL AND ends_at < ? ORDER BY id"
OLD_ANSWERS = """
  FROM deliveries
 WHERE edition_id = ? AND status IN ('sent', 'failed', 'skipped')
   AND (answer IS NOT NULL OR server IS NOT NULL)
"""

SETTLED_NOTICES = """
UPDATE notices SET body = x'' WHERE id IN (
  SELECT id FROM notices WHERE status IN ('sent', 'failed') AND body != x'' LIMIT ?)
"""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many bounces lost their bytes, how many bytes, and how many deliveries lost the server's
    answer."""

    bounces: int
    bounce_bytes: int
    answers: int


def prune(
    db: Database,
    moment: datetime,
    *,
    bounce_days: int,
    answer_days: int,
    stop: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Delete the bytes of bounces and the server answers that are older, in short writes.

    The answers of an edition go as its deliveries end; one that is still open has it looked at again. The
    bytes of notices go once they are sent or failed.
    """
    bounces = size = answers = 0
    sql = f"SELECT id, length(raw) AS size {OLD_BOUNCES} ORDER BY read_at LIMIT {BOUNCES}"
    while not stop():
        with db.write():
            rows = db.rows(sql, (_days_before(moment, bounce_days),))
            db.run_many(
                "UPDATE bounces SET raw = x'', let_go_at = ? WHERE id = ?",
                [(text_from_moment(moment), row["id"]) for row in rows],
            )
        if not rows:
            break
        bounces += len(rows)
        size += sum(row["size"] for row in rows)
    notices = 1
    while notices and not stop():
        with db.write():
            notices = db.run(SETTLED_NOTICES, (BOUNCES,))
    sql = f"SELECT id {OLD_ANSWERS} LIMIT {ANSWERS}"
    unsettled = """SELECT 1 FROM deliveries
                    WHERE edition_id = ? AND status IN ('queued', 'handed', 'uncertain') LIMIT 1"""
    for edition in db.rows(OLD_EDITIONS, (_days_before(moment, answer_days),)):
        while not stop():
            with db.write():
                rows = db.rows(sql, (edition["id"],))
                db.run_many(
                    "UPDATE deliveries SET server = NULL, answer = NULL WHERE id = ?",
                    [(row["id"],) for row in rows],
                )
                if not rows and not db.value(unsettled, (edition["id"],)):
                    db.run(
                        "UPDATE editions SET answers_gone_at = ? WHERE id = ?",
                        (text_from_moment(moment), edition["id"]),
                    )
            if not rows:
                break
            answers += len(rows)
    db.value("PRAGMA optimize")
    if not (is_unclean(db) and clean(db)):
        db.value("PRAGMA wal_checkpoint(TRUNCATE)")
    return Pruned(bounces, size, answers)


def mark_unclean(db: Database) -> None:
    """Note that what is deleted has to leave the file as well; what is deleted in this write is
    overwritten. Call before a write, and inside it."""
    if db.connection.in_transaction:
        db.run("INSERT INTO meta VALUES (?, '1') ON CONFLICT DO NOTHING", (UNCLEAN,))
    else:
        db.value("PRAGMA secure_delete = ON")


def is_unclean(db: Database) -> bool:
    """Whether the file may still have bytes of what was deleted for good."""
    return db.value("SELECT 1 FROM meta WHERE key = ?", (UNCLEAN,)) is not None


def is_small(db: Database) -> bool:
    """Whether the file is rewritten in about a second."""
    size = int(db.value("PRAGMA page_count")) * int(db.value("PRAGMA page_size"))
    return size < QUICK_BYTES


def clean(db: Database) -> bool:
    """Rewrite the file, so that nothing of what was deleted is in it or beside it; False if another
    process reads it: then the next `prune` tries again.

    Raises:
        StoreError: another process writes, or the disk has no room for a second copy.
    """
    db.run("VACUUM")
    busy = db.value("PRAGMA wal_checkpoint(TRUNCATE)")
    if not busy:
        with db.write():
            db.run("DELETE FROM meta WHERE key = ?", (UNCLEAN,))
    return not busy


def would_prune(db: Database, moment: datetime, *, bounce_days: int, answer_days: int) -> Pruned:
    """What `prune` would delete now."""
    [bounces] = db.rows(
        f"SELECT count(*) AS count, coalesce(sum(length(raw)), 0) AS size {OLD_BOUNCES}",
        (_days_before(moment, bounce_days),),
    )
    answers = sum(
        int(db.value(f"SELECT count(*) {OLD_ANSWERS}", (edition["id"],)))
        for edition in db.rows(OLD_EDITIONS, (_days_before(moment, answer_days),))
    )
    return Pruned(bounces["count"], bounces["size"], answers)


def _days_before(moment: datetime, days: int) -> str:
    return text_from_moment(moment - timedelta(days=days))
