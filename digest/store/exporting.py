"""Everything that is kept as JSON lines, for archives and other programs; and from them a new store.

The first line is a header, the last one a count; between them stands one object for each row: its
table, and its values by column. Bytes are {"base64": "..."}. Equal stores give equal bytes: tables
and columns follow the alphabet, rows their key.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from digest.errors import StoreError
from digest.store.database import SCHEMA_VERSION, Database
from digest.store.keeping import own_tables
from digest.store.sender import HOME, TOKEN_KEY, disown
from digest.store.sqlite import sqlite3

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

    The store then sends only after `digest adopt`. `name` is the file, for the words of errors.

    Raises:
        StoreError: the store is not empty, or a line is not as `export_lines` writes it; which
            line is in the text, and nothing was written.
    """
    numbered = enumerate(lines, 1)
    with db.write():
        _refuse_filled(db)
        db.run("PRAGMA defer_foreign_keys = ON")
        db.run("DELETE FROM meta")
        _check_header(_object(next(numbered, (1, ""))[1], name, 1), name)
        count = _fill(db, numbered, name)
        if broken := db.rows("PRAGMA foreign_key_check"):
            row = broken[0]
            raise StoreError(
                f"{name}: {row['table']} points at a row of {row['parent']} not in it."
            )
        disown(db)
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
                raise _fault(name, after[0], "stands after the end")
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


def _refuse_filled(db: Database) -> None:
    for table in _tables(db):
        if table != "meta" and db.value(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - names are ours
            raise StoreError(
                f"{db.path}: is not empty ({table} has rows). Name a file that is not there yet "
                "in store.path, and import into that."
            )


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
