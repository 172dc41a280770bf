"""The SQL of ingest: sources, documents, their entries, articles and their versions."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from digest.language.words import index_forms
from digest.model import Entry
from digest.store.articles import COPY_COLUMNS, DATE_COLUMNS, copy_values, entry_from_row, seen_at
from digest.store.database import Database, text_from_moment

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


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A stored entry and its article."""

    id: int
    article_id: int
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


def document_states(db: Database, source: str) -> dict[str, DocumentState]:
    """Every document of a source that was ever read, by its name."""
    sql = """SELECT documents.* FROM documents JOIN sources ON sources.id = source_id
              WHERE sources.name = ?"""
    return {
        row["name"]: DocumentState(row["id"], row["sha256"], row["error"])
        for row in db.rows(sql, (source,))
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


def forget_documents(db: Database, ids: Sequence[int]) -> None:
    """Clear the errors of faulty documents that were deleted; if one comes back, it is read again.

    Call inside a write.
    """
    sql = "UPDATE documents SET error = NULL, sha256 = '' WHERE id = ?"
    db.run_many(sql, [(one,) for one in ids])


def entries_of_document(db: Database, document_id: int) -> list[StoredEntry]:
    """Every entry that the document ever had, in order, even those now gone."""
    return _entries(db, "entries.document_id = ?", (document_id,))


def entries_of_article(db: Database, article_id: int) -> list[StoredEntry]:
    return _entries(db, "entries.article_id = ?", (article_id,))


def entries_with_opening(
    db: Database, source_id: int, openings: Collection[str]
) -> list[StoredEntry]:
    """Entries of a source with one of these openings."""
    marks = ", ".join("?" * len(openings))
    condition = f"documents.source_id = ? AND entries.opening IN ({marks})"
    return _entries(db, condition, (source_id, *openings)) if openings else []


def _entries(db: Database, condition: str, values: Sequence[Any]) -> list[StoredEntry]:
    sql = f"{_SELECT_ENTRIES} WHERE {condition} ORDER BY entries.document_id, entries.line"
    return [
        StoredEntry(row["id"], row["article_id"], entry_from_row(row))
        for row in db.rows(sql, values)
    ]


def save_entry(
    db: Database,
    document_id: int,
    article_id: int,
    entry: Entry,
    *,
    opening: str | None,
    entry_id: int | None,
) -> int:
    """Insert the entry, or replace the row `entry_id` if given; its id."""
    values = {
        "document_id": document_id,
        "article_id": article_id,
        "opening": opening,
        "line": entry.line,
        "guid": entry.guid,
        **copy_values(entry),
        "gone_at": None,
    }
    if entry_id is None:
        entry_id = db.insert("entries", values)
    else:
        _update(db, "entries", values, "id = ?", (entry_id,))
    db.run("DELETE FROM press_contacts WHERE entry_id = ?", (entry_id,))
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
) -> int:
    """Insert an article in its first version; its id.

    `origin` names the newsroom and the source, so that no two newsrooms mint the same Atom id.
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
    _index(db, article_id, entry)
    return article_id


def revise_article(
    db: Database, article_id: int, document_id: int, entry: Entry, moment: datetime
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
    _index(db, article_id, entry)
    return True


def next_moment(db: Database, moment: datetime) -> datetime:
    """`moment`, but never inside a closed window.

    It is the `first_seen_at` of new articles in the same write. So none belongs to an edition that was
    composed without it, even when the machine's clock is set back.
    """
    latest = db.value("SELECT max(ends_at) FROM editions")
    return seen_at(moment, last_end=latest and datetime.fromisoformat(latest))


def _index(db: Database, article_id: int, copy: Entry) -> None:
    db.index_text(
        article_id, *(index_forms(part, copy.language) for part in (copy.title, copy.text))
    )


def _update(
    db: Database, table: str, values: Mapping[str, Any], condition: str, of: Sequence[Any]
) -> None:
    sets = ", ".join(f"{column} = ?" for column in values)
    sql = f"UPDATE {table} SET {sets} WHERE {condition}"  # noqa: S608 - names are ours
    db.run(sql, (*values.values(), *of))
