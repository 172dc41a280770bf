"""The SQL of ingest: sources, documents, their entries, articles and their versions."""

import contextlib
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from digest.language.words import index_forms
from digest.model import Entry
from digest.store.articles import COPY_COLUMNS, DATE_COLUMNS, copy_values, entry_from_row, seen_at
from digest.store.database import Database, Row, text_from_moment

ATOM_NAMESPACE = uuid.UUID("6f0f2a0e-6b0c-5d0a-9d7e-2d9a4b1f6c11")
"""The namespace of all permanent ids; it never changes."""

_SELECT_ENTRIES = """
SELECT entries.*, documents.name AS document, press_contacts.contact
  FROM entries
  JOIN documents ON documents.id = entries.document_id
  LEFT JOIN press_contacts ON press_contacts.entry_id = entries.id
"""

_READ = frozenset(COPY_COLUMNS) - {"dateline", "wire_tag", *DATE_COLUMNS} | {"published_at"}
"""The columns that people read: a change in one of them makes a new version."""


Forms = tuple[str, str]


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A stored entry and its article."""

    id: int
    article_id: int
    document_id: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document as last read; `error` says why it could not be read."""

    id: int
    sha256: str
    error: str | None


def save_source(db: Database, name: str, kind: str, title: str, moment: datetime) -> int:
    """Insert or update the source; its id."""
    return int(
        db.value(
            """INSERT INTO sources (name, kind, title, last_changed_at) VALUES (?, ?, ?, ?)
               ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, title = excluded.title,
                 last_changed_at = excluded.last_changed_at RETURNING id""",
            (name, kind, title, text_from_moment(moment)),
        )
    )


def document_states(
    db: Database, source: str, names: Sequence[str] | None = None
) -> dict[str, DocumentState]:
    """The documents of a source that were ever read, or those of these names, by their name."""
    sql = """SELECT documents.* FROM documents
              WHERE source_id = (SELECT id FROM sources WHERE name = ?)"""
    sql += "" if names is None else " AND name IN (SELECT value FROM json_each(?))"
    values = (source,) if names is None else (source, json.dumps(names))
    return {
        row["name"]: DocumentState(row["id"], row["sha256"], row["error"])
        for row in db.each(sql, values)
    }


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was read: its bytes by their hash and size; or why it could not be read."""

    name: str
    sha256: str
    size: int
    encoding: str | None = None
    error: str | None = None


def save_document(db: Database, source_id: int, document: Document, moment: datetime) -> int:
    """Insert or update the document; its id."""
    at = text_from_moment(moment)
    return int(
        db.value(
            """INSERT INTO documents
                 (source_id, name, sha256, size, encoding, error, first_read_at, read_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (source_id, name) DO UPDATE SET sha256 = excluded.sha256,
                 size = excluded.size, encoding = excluded.encoding, error = excluded.error,
                 read_at = excluded.read_at RETURNING id""",
            (source_id, *astuple(document), at, at),
        )
    )


def forget_deleted(db: Database, source: str, names: Collection[str]) -> None:
    """Clear the errors of faulty documents of a source that are not among these names any more.

    If one comes back, it is read again.
    """
    sql = """SELECT id, name FROM documents WHERE error IS NOT NULL
                AND source_id = (SELECT id FROM sources WHERE name = ?)"""
    if deleted := [(row["id"],) for row in db.rows(sql, (source,)) if row["name"] not in names]:
        with db.write():
            db.run_many("UPDATE documents SET error = NULL, sha256 = '' WHERE id = ?", deleted)


@dataclass(frozen=True, slots=True)
class Nearby:
    """What the store has of some documents, and of the articles that their new entries may belong to.

    `entries` are all of these articles, even those now gone; `of_key` are those with a key, and
    `articles` rows with the copy of each.
    """

    documents: Mapping[str, DocumentState]
    entries: Sequence[StoredEntry]
    of_key: Mapping[int, Collection[int]]
    articles: Mapping[int, Row]


def nearby(db: Database, source: str, names: Sequence[str], keys: Mapping[int, bool]) -> Nearby:
    """What the store has of these documents of a source, and of entries with these keys (keys_of)."""
    documents = document_states(db, source, names)
    sql = """SELECT entry_keys.key, entry_id FROM json_each(?) AS wanted
              CROSS JOIN entry_keys ON entry_keys.key = value ->> 0 AND asks >= value ->> 1
              CROSS JOIN entries ON entries.id = entry_id JOIN documents ON documents.id = document_id
              WHERE source_id = (SELECT id FROM sources WHERE name = ?)"""
    wanted = [(key, int(not asks)) for key, asks in keys.items()]
    of_key = defaultdict(set)
    for row in db.rows(sql, (json.dumps(wanted), source)):
        of_key[row["key"]].add(row["entry_id"])
    entries = _entries(
        db,
        """entries.article_id IN (SELECT article_id FROM entries
             WHERE document_id IN (SELECT value FROM json_each(?))
                OR id IN (SELECT value FROM json_each(?)))""",
        [state.id for state in documents.values()],
        sorted(set().union(*of_key.values())),
    )
    columns = ", ".join(COPY_COLUMNS)
    sql = f"SELECT id, {columns} FROM articles WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 - names are ours
    ids = sorted({one.article_id for one in entries})
    articles = {row["id"]: row for row in db.rows(sql, (json.dumps(ids),))}
    return Nearby(documents, entries, of_key, articles)


def entries_of_document(db: Database, document_id: int) -> list[StoredEntry]:
    """Every entry that the document ever had, in order, even those now gone."""
    return _entries(db, "document_id IN (SELECT value FROM json_each(?))", [document_id])


def _entries(db: Database, condition: str, *ids: Sequence[int]) -> list[StoredEntry]:
    sql = f"{_SELECT_ENTRIES} WHERE {condition} ORDER BY document_id, line, entries.id"
    return [
        StoredEntry(row["id"], row["article_id"], row["document_id"], entry_from_row(row))
        for row in db.rows(sql, [json.dumps(some) for some in ids])
    ]


@contextlib.contextmanager
def sightings(db: Database) -> Iterator[None]:
    """A temporary table, on disk, for the keys of all entries that are to be saved; dropped afterwards."""
    db.run(
        """CREATE TEMP TABLE sighted (document INTEGER, line INTEGER, key INTEGER, asks INTEGER,
             PRIMARY KEY (document, line, key))"""
    )
    db.run("CREATE INDEX temp.sighted_by_key ON sighted (key, asks)")
    try:
        yield
    finally:
        db.run("DROP TABLE temp.sighted")


def sight(db: Database, document: int, line: int, keys: Mapping[int, bool]) -> None:
    """Note the keys of an entry; `document` is a number of the caller's, its line is in there.

    The key of an article that has an earlier form of the entry is minus its id.
    """
    rows = [(document, line, key, asks) for key, asks in keys.items()]
    db.run_many("INSERT INTO temp.sighted VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)


def companions(db: Database, entries: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The sighted entries after these, all by document and line, that may be of one article with one of
    them, directly or through others.
    """
    sql = """
    WITH RECURSIVE reached (document, line) AS (
      SELECT value ->> 0, value ->> 1 FROM json_each(?)
       UNION SELECT other.document, other.line FROM reached
       CROSS JOIN temp.sighted AS one USING (document, line)
       CROSS JOIN temp.sighted AS other ON other.key = one.key AND other.asks >= 1 - one.asks
    )
    SELECT document, line FROM reached WHERE (document, line) > (?, ?)
    """
    last = max(entries, default=(0, 0))
    rows = db.rows(sql, (json.dumps(entries), *last))
    return [(row["document"], row["line"]) for row in rows]


def save_entry(
    db: Database,
    document_id: int,
    article_id: int,
    entry: Entry,
    *,
    keys: Mapping[int, bool],
    entry_id: int | None,
) -> int:
    """Insert the entry with its keys, or replace the row `entry_id` if given; its id."""
    values = {
        "document_id": document_id,
        "article_id": article_id,
        "line": entry.line,
        "guid": entry.guid,
        **copy_values(entry),
        "gone_at": None,
    }
    if entry_id is None:
        entry_id = db.insert("entries", values)
    else:
        _update(db, "entries", values, "id = ?", (entry_id,))
    for table in ("entry_keys", "press_contacts"):
        db.run(f"DELETE FROM {table} WHERE entry_id = ?", (entry_id,))  # noqa: S608 - names are ours
    rows = [(key, entry_id, asks) for key, asks in keys.items()]
    db.run_many("INSERT INTO entry_keys (key, entry_id, asks) VALUES (?, ?, ?)", rows)
    if entry.contact:
        db.insert("press_contacts", {"entry_id": entry_id, "contact": entry.contact})
    return entry_id


def mark_gone(db: Database, entry_ids: Collection[int], moment: datetime) -> None:
    """Note that these entries left their documents; their articles stay."""
    sql = "UPDATE entries SET gone_at = ? WHERE id = ? AND gone_at IS NULL"
    db.run_many(sql, [(text_from_moment(moment), i) for i in entry_ids])


def add_article(
    db: Database,
    source_id: int,
    origin: str,
    document_id: int,
    entry: Entry,
    *,
    archived: bool,
    moment: datetime,
    forms: Forms | None = None,
) -> int:
    """Insert an article in its first version; its id.

    `origin` names the newsroom and the source, so that no two newsrooms mint the same Atom id;
    `forms` is search_forms(entry), if it is known.
    """
    # The permanent id follows from the source's own id, the address, or the document and title.
    name = entry.guid or entry.url or f"{entry.document}\n{entry.title}"
    for nth in range(1, 10_000):
        again = "" if nth == 1 else f"\n{nth}"
        atom_id = uuid.uuid5(ATOM_NAMESPACE, f"{origin}\n{name}{again}").urn
        if db.value("SELECT 1 FROM articles WHERE atom_id = ?", (atom_id,)) is None:
            break
    else:
        raise LookupError(f"10,000 articles of one name in {entry.document}")
    at = text_from_moment(moment)
    values = copy_values(entry)
    article_id = db.insert(
        "articles",
        {
            "atom_id": atom_id,
            "source_id": source_id,
            "document_id": document_id,
            "line": entry.line,
            "guid": entry.guid,
            "version": 1,
            **values,
            "archived": int(archived),
            "first_seen_at": at,
            "updated_at": at,
        },
    )
    db.insert("article_versions", {"article_id": article_id, "version": 1, **values, "made_at": at})
    db.index_text(article_id, *(forms or search_forms(entry)))
    return article_id


def revise_article(
    db: Database,
    article_id: int,
    document_id: int,
    entry: Entry,
    moment: datetime,
    *,
    forms: Forms | None = None,
) -> bool:
    """Store the article as it is now; True if people see a change, which makes a new version."""
    stored = db.row("SELECT * FROM articles WHERE id = ?", (article_id,))
    if stored is None:
        raise LookupError(f"article {article_id}")
    values = copy_values(entry)
    place = {"document_id": document_id, "line": entry.line}
    if all(stored[column] == value for column, value in {**values, **place}.items()):
        return False
    if all(stored[column] == values[column] for column in _READ):
        _update(db, "articles", {**values, **place}, "id = ?", (article_id,))
        of_version = (article_id, stored["version"])
        _update(db, "article_versions", values, "article_id = ? AND version = ?", of_version)
        return False
    at = text_from_moment(moment)
    version = stored["version"] + 1
    news = {**values, **place, "version": version, "updated_at": at}
    _update(db, "articles", news, "id = ?", (article_id,))
    row = {"article_id": article_id, "version": version, **values, "made_at": at}
    db.insert("article_versions", row)
    db.index_text(article_id, *(forms or search_forms(entry)))
    return True


def next_moment(db: Database, moment: datetime) -> datetime:
    """`moment`, but never inside a closed window.

    It is the `first_seen_at` of new articles in the same write. So none belongs to an edition that was
    composed without it, even when the machine's clock is set back.
    """
    latest = db.value("SELECT max(ends_at) FROM editions")
    return seen_at(moment, last_end=latest and datetime.fromisoformat(latest))


def search_forms(copy: Entry) -> Forms:
    """The words of the title and of the text in the forms by which search finds them."""
    return index_forms(copy.title, copy.language), index_forms(copy.text, copy.language)


def _update(
    db: Database, table: str, values: Mapping[str, Any], condition: str, of: Sequence[Any]
) -> None:
    sets = ", ".join(f"{column} = ?" for column in values)
    sql = f"UPDATE {table} SET {sets} WHERE {condition}"  # noqa: S608 - names are ours
    db.run(sql, (*values.values(), *of))
