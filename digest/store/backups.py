"""Backups and exports of the database while it is used, the way back, and what is deleted with time."""

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
from digest.store.files import new_file, sync_file
from digest.store.owner import HOME, TOKEN_KEY, deactivate, give_to_owner, sole_sender

FORMAT = "newsroom-digest export"
VERSION = 1
PASSING = frozenset({"leases", "article_marks"})
"""Tables of what runs now, and of what triggers make again."""
NEVER = frozenset({HOME})
"""Of `meta`: belongs to one place, and an import is at another."""
SECRETS = frozenset({TOKEN_KEY})
"""Of `meta`: who has the key can end anybody's subscription and forge a bounce of anybody."""


def export_lines(db: Database, *, with_secrets: bool = False) -> Generator[str]:
    """The database as of one moment, a line at a time without its end; memory stays flat.

    Close it where it is not read to its end.
    """
    left_out = NEVER if with_secrets else NEVER | SECRETS
    count = 0
    with db.snapshot():
        yield _line(
            {
                "format": FORMAT,
                "version": VERSION,
                "schema": SCHEMA_VERSION,
                "secrets": with_secrets,
            }
        )
        for table in _tables(db):
            columns = _columns(db, table)
            for row in db.each(_reading(db, table, columns)):
                if table == "meta" and row["key"] in left_out:
                    continue
                values = {name: _plain(value) for name, value in row.items()}
                yield _line({"table": table, "values": values})
                count += 1
    yield _line({"rows": count})


def import_lines(db: Database, lines: Iterable[str], name: str) -> int:
    """Fill the empty store from the lines of an export, all or nothing; how many rows came in.

    The store then sends only after `digest activate`. `name` is the file, for the words of errors.

    Raises:
        StoreError: the store is not empty, or a line is not as `export_lines` writes it; which
            line is in the text, and nothing was written.
    """
    numbered = enumerate(lines, 1)
    with db.write():
        for table in _tables(db):
            if table != "meta" and db.value(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - names are ours
                raise StoreError(
                    f"{db.path}: is not empty ({table} has rows). Name a file that is not there yet "
                    "in store.path, and import into that."
                )
        db.run("PRAGMA defer_foreign_keys = ON")
        db.run("DELETE FROM meta")
        _check_header(_object(next(numbered, (1, ""))[1], name, 1), name)
        count = _fill(db, numbered, name)
        if broken := db.rows("PRAGMA foreign_key_check"):
            row = broken[0]
            raise StoreError(
                f"{name}: {row['table']} points at a row of {row['parent']} not in it."
            )
        deactivate(db)
    return count


def _fill(db: Database, numbered: Iterator[tuple[int, str]], name: str) -> int:
    statements = {table: _writing(_columns(db, table), table) for table in _tables(db)}
    columns = {table: set(_columns(db, table)) for table in statements}
    count = 0
    for number, line in numbered:
        found = _object(line, name, number)
        if set(found) == {"rows"}:
            if found["rows"] != count:
                raise _fault(name, number, f"counts {found['rows']} rows, but {count} came before")
            if (after := next(numbered, None)) is not None:
                raise _fault(name, after[0], "is after the end")
            return count
        table, values = found.get("table"), found.get("values")
        if not isinstance(table, str) or table not in statements or not isinstance(values, dict):
            raise _fault(name, number, "names no table of this program with its values")
        if set(values) != columns[table]:
            raise _fault(name, number, f"has not the columns of {table}")
        try:
            row = {column: _raw(value) for column, value in values.items()}
            db.run(statements[table], row)
        except (sqlite3.IntegrityError, OverflowError, ValueError) as e:
            raise _fault(name, number, f"is no row of {table}: {e}") from e
        count += 1
    raise StoreError(f"{name}: ends after {count} rows without its last line: it is cut off.")


def _tables(db: Database) -> list[str]:
    return [table for table in own_tables(db) if table not in PASSING]


def _columns(db: Database, table: str) -> list[str]:
    """In the order of the alphabet; a table of words has a number beside its columns."""
    rows = db.rows(f"PRAGMA table_info({table})")
    names = [str(row["name"]) for row in rows]
    return sorted(names if any(row["pk"] for row in rows) else [*names, "rowid"])


def _reading(db: Database, table: str, columns: list[str]) -> str:
    keys = [row for row in db.rows(f"PRAGMA table_info({table})") if row["pk"]]
    order = [row["name"] for row in sorted(keys, key=lambda row: row["pk"])] or ["rowid"]
    return f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(order)}"  # noqa: S608 - names are ours


def _writing(columns: list[str], table: str) -> str:
    marks = ", ".join(f":{column}" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names are ours


def _check_header(header: dict[str, Any], name: str) -> None:
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise _fault(name, 1, f"is not the header of a {FORMAT}, version {VERSION}")
    if header.get("schema") != SCHEMA_VERSION:
        raise StoreError(
            f"{name}: was made with another schema ({header.get('schema')}). Export it again with "
            "the version of this program that is to import it."
        )


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _object(line: str, name: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as e:
        raise _fault(name, number, f"is no JSON: {e}") from e
    if not isinstance(found, dict):
        raise _fault(name, number, "is no JSON object")
    return found


def _fault(name: str, number: int, said: str) -> StoreError:
    return StoreError(f"{name}, line {number}: {said}. Nothing was written.")


def _plain(value: Any) -> Any:
    return {"base64": b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def _raw(value: Any) -> Any:
    match value:
        case {"base64": str(text)} if len(value) == 1:
            return b64decode(text, validate=True)
        case str() | int() | float() | None:
            return value
    raise ValueError('a value is text, a number, null or {"base64": "..."}')


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

    The copy needs `digest activate` before it sends, wherever it is put.

    Raises:
        StoreError: the folder cannot be written, the disk is full, or the copy is not sound;
            older copies are all still there.
    """
    target = folder / f"{db.path.stem}-{moment.astimezone(UTC).strftime(STAMP)}.db"
    with new_file(target) as copy:
        counts = _copy(db, copy)
        with _opened(copy) as made, made.write():
            deactivate(made)
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
    sends only after `digest activate`.

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
                deactivate(made)
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
    sync_file(path)


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
class Pruned:
    """How many letters were let go, how many bytes they had, and of how many deliveries what the
    server said."""

    letters: int
    letter_bytes: int
    answers: int


def prune(
    db: Database,
    moment: datetime,
    *,
    bounce_days: int,
    answer_days: int,
    stop: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Let go of what is older than so many days, some rows a write, and keep the file in order."""
    letters, size = _let_letters_go(db, moment, _before(moment, bounce_days), stop)
    answers = 0
    for edition_id in _old_editions(db, _before(moment, answer_days)):
        answers += _let_answers_go(db, edition_id, moment, stop)
    db.value("PRAGMA optimize")
    db.value("PRAGMA wal_checkpoint(TRUNCATE)")
    return Pruned(letters, size, answers)


def would_prune(db: Database, moment: datetime, *, bounce_days: int, answer_days: int) -> Pruned:
    """What `prune` would let go now."""
    row = db.row(
        f"SELECT count(*) AS letters, coalesce(sum(length(raw)), 0) AS size {OLD_LETTERS}",
        (_before(moment, bounce_days),),
    )
    answers = sum(
        int(db.value(f"SELECT count(*) {OLD_ANSWERS}", (edition_id,)))
        for edition_id in _old_editions(db, _before(moment, answer_days))
    )
    return Pruned(row["letters"] if row else 0, row["size"] if row else 0, answers)


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
