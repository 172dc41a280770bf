"""The SQL of ingest: sources, documents, their entries, articles and their versions."""

import contextlib
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any

from digest.language.words import index_forms
from digest.model import NEVER, Entry, Kill
from digest.sources.versions import names_of
from digest.store.articles import (
    COPY_COLUMNS,
    DATE_COLUMNS,
    EMBARGO_COLUMNS,
    changed_parts,
    copy_values,
    entry_from_row,
    free_moment,
    hour_of,
    open_at,
    seen_at,
)
from digest.store.database import Database, Row, moment_from_text, text_from_moment

ATOM_NAMESPACE = uuid.UUID("6f0f2a0e-6b0c-5d0a-9d7e-2d9a4b1f6c11")
"""The namespace of all permanent ids; it never changes."""

_SELECT_ENTRIES = """
SELECT entries.*, documents.name AS document,
       (SELECT json_group_array(json_array(kind, text)) FROM (SELECT * FROM entry_cuts
         WHERE entry_id = entries.id ORDER BY position)) AS cuts
  FROM entries JOIN documents ON documents.id = entries.document_id
"""

_NOTED = {"dateline", "wire_tag", "urgency", "number", "update_mark", "picture", "url"}
_READ = frozenset(COPY_COLUMNS) - _NOTED - {*DATE_COLUMNS, *EMBARGO_COLUMNS} | {"published_at"}
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


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an online source brought and is not saved yet: an item (item_bytes) or a file.

    `name` is that of its document. An `archived` one is older than what the source's first reading
    brings into editions.
    """

    id: int
    name: str
    kind: str
    size: int
    archived: bool


def source_row(db: Database, name: str, kind: str, title: str) -> int:
    """The id of the source, which is inserted if there is none. Call inside a write."""
    sql = "INSERT INTO sources (name, kind, title) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
    db.run(sql, (name, kind, title))
    return int(db.value("SELECT id FROM sources WHERE name = ?", (name,)))


def arrivals_of(db: Database, source: str) -> list[Arrival]:
    """What a source brought and is not saved yet, in the order in which it came."""
    sql = """SELECT arrivals.id, arrivals.name, arrivals.kind, length(data) AS size, archived
               FROM arrivals JOIN sources ON sources.id = source_id
              WHERE sources.name = ? AND arrivals.kind != 'waits' ORDER BY arrivals.id"""
    return [
        Arrival(row["id"], row["name"], row["kind"], row["size"], bool(row["archived"]))
        for row in db.rows(sql, (source,))
    ]


def brought_by(db: Database, source: str) -> set[str]:
    """The names of all that a source ever brought, saved or not."""
    sql = """SELECT documents.name FROM documents JOIN sources ON sources.id = source_id
              WHERE sources.name = :source UNION
             SELECT arrivals.name FROM arrivals JOIN sources ON sources.id = source_id
              WHERE sources.name = :source"""
    return {row["name"] for row in db.each(sql, {"source": source})}


def waiting_letters(db: Database) -> list[Row]:
    """The letters of senders that are not listed, which wait for a person: id, source, name, data."""
    sql = """SELECT arrivals.id, sources.name AS source, arrivals.name, data FROM arrivals
               JOIN sources ON sources.id = source_id WHERE arrivals.kind = 'waits'
              ORDER BY arrivals.id"""
    return db.rows(sql)


def accept_letter(db: Database, letter_id: int) -> bool:
    """Let a letter be saved as an article; False if it does not wait. Call inside a write."""
    sql = "UPDATE arrivals SET kind = 'file', archived = 0 WHERE id = ? AND kind = 'waits'"
    return bool(db.run(sql, (letter_id,)))


def arrival_bytes(db: Database, arrival: Arrival) -> bytes | None:
    """Its bytes; None if it was saved meanwhile, or something newer of its name has come."""
    data = db.value("SELECT data FROM arrivals WHERE id = ?", (arrival.id,))
    return None if data is None else bytes(data)


def save_arrivals(
    db: Database, source_id: int, arrivals: Iterable[tuple[str, str, bytes, bool]], moment: datetime
) -> None:
    """Keep name, kind, bytes, and whether it is archived, of each. Call inside a write."""
    at = text_from_moment(moment)
    for name, kind, data, archived in arrivals:
        # A new row for a newer form, so that saving the old one cannot drop it.
        db.run("DELETE FROM arrivals WHERE source_id = ? AND name = ?", (source_id, name))
        sql = """INSERT INTO arrivals (source_id, name, kind, data, archived, arrived_at)
                 VALUES (?, ?, ?, ?, ?, ?)"""
        db.run(sql, (source_id, name, kind, data, int(archived), at))


def drop_arrivals(db: Database, ids: Iterable[int]) -> None:
    """Forget what was saved as articles. Call inside a write."""
    db.run_many("DELETE FROM arrivals WHERE id = ?", [(i,) for i in ids])


def robots(db: Database, now: datetime) -> dict[str, tuple[datetime, str]]:
    """What each robots.txt says that was read lately, by its address, and until when that counts."""
    rows = db.each("SELECT * FROM robots WHERE until > ?", (text_from_moment(now),))
    return {row["url"]: (moment_from_text(row["until"]), row["rules"]) for row in rows}


def save_robots(db: Database, rules: Mapping[str, tuple[datetime, str]]) -> None:
    """Keep these alone. Call inside a write."""
    db.run("DELETE FROM robots")
    rows = [(url, text_from_moment(until), text) for url, (until, text) in rules.items()]
    db.run_many("INSERT INTO robots VALUES (?, ?, ?)", rows)


def poll_rows(db: Database) -> dict[str, Row]:
    """How each source was asked last, by its name."""
    sql = "SELECT sources.name AS source, polls.* FROM polls JOIN sources ON sources.id = source_id"
    return {row["source"]: row for row in db.each(sql)}


def sources_with_arrivals(db: Database) -> set[str]:
    """The names of the sources that brought what is not saved yet."""
    sql = """SELECT name FROM sources WHERE EXISTS
              (SELECT 1 FROM arrivals WHERE source_id = sources.id AND kind != 'waits')"""
    return {row["name"] for row in db.each(sql)}


def poll_row(db: Database, source: str) -> Row | None:
    """How a source was asked last, as in polls; None before the first time."""
    sql = "SELECT polls.* FROM polls JOIN sources ON sources.id = source_id WHERE name = ?"
    return db.row(sql, (source,))


def save_poll(db: Database, source_id: int, values: Mapping[str, object]) -> None:
    """Store these columns of polls. Call inside a write."""
    db.run(
        "INSERT INTO polls (source_id, next_at) VALUES (?, '') ON CONFLICT (source_id) DO NOTHING",
        (source_id,),
    )
    _update(db, "polls", values, "source_id = ?", (source_id,))


def add_source(db: Database, name: str, settings: str, by: str, moment: datetime) -> None:
    """Keep a source that a command added, or how it is changed. Call inside a write."""
    sql = """INSERT INTO added_sources VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET settings = excluded.settings"""
    db.run(sql, (name, settings, text_from_moment(moment), by))


def news_since(db: Database, source: str, since: datetime) -> int:
    """How many documents of a source came since then."""
    sql = """SELECT count(*) FROM documents
              WHERE source_id = (SELECT id FROM sources WHERE name = ?) AND first_read_at >= ?"""
    return int(db.value(sql, (source, text_from_moment(since))))


MONTH = timedelta(days=28)


def quiet_since(db: Database, source: str, now: datetime) -> datetime | None:
    """Since when a source has had nothing new, if that is unusually long for it; else None."""
    row = poll_row(db, source)
    if row is None or row["news_at"] is None or row["paused_at"] or row["ended_at"]:
        return None
    since = moment_from_text(row["news_at"])
    earlier = news_since(db, source, since - 2 * MONTH)
    usual = 2 * MONTH / earlier if earlier >= 8 else None
    long = usual is not None and now - since > max(8 * usual, timedelta(days=3))
    return since if long else None


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


def changes_of(
    db: Database, source: str, names: Sequence[str]
) -> Iterator[tuple[str, int, datetime]]:
    """Of the documents of these names: how many versions their articles have, and when the last was made."""
    sql = """SELECT documents.name, max(version) AS version, max(made_at) AS made_at
               FROM documents JOIN entries ON entries.document_id = documents.id
               JOIN article_versions USING (article_id)
              WHERE documents.source_id = (SELECT id FROM sources WHERE name = ?)
                AND documents.name IN (SELECT value FROM json_each(?)) GROUP BY 1"""
    for row in db.rows(sql, (source, json.dumps(names))):
        yield row["name"], row["version"], moment_from_text(row["made_at"])


def read_since(
    db: Database, source: str, moment: datetime, most: int
) -> dict[str, tuple[datetime, datetime]]:
    """When each document of a source was read first, and asked last, of those since `moment`; the newest
    `most`."""
    sql = """SELECT name, first_read_at, coalesce(looked_at, first_read_at) AS looked_at FROM documents
              WHERE source_id = (SELECT id FROM sources WHERE name = ?) AND first_read_at > ?
              ORDER BY first_read_at DESC LIMIT ?"""
    rows = db.each(sql, (source, text_from_moment(moment), most))
    return {
        row["name"]: (moment_from_text(row["first_read_at"]), moment_from_text(row["looked_at"]))
        for row in rows
    }


def note_looks(db: Database, source_id: int, names: Sequence[str], now: datetime) -> None:
    """Note that these documents were asked again. Call inside a write."""
    sql = "UPDATE documents SET looked_at = ? WHERE source_id = ? AND name = ?"
    db.run_many(sql, [(text_from_moment(now), source_id, name) for name in names])


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
    sql = f"""SELECT id, received_at, opens_at, withdrawn_at, {columns}
                FROM articles WHERE id IN (SELECT value FROM json_each(?))"""  # noqa: S608 - names are ours
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
        for table in ("entry_keys", "entry_cuts"):
            db.run(f"DELETE FROM {table} WHERE entry_id = ?", (entry_id,))  # noqa: S608 - names are ours
    rows = [(key, entry_id, asks) for key, asks in keys.items()]
    db.run_many("INSERT INTO entry_keys (key, entry_id, asks) VALUES (?, ?, ?)", rows)
    cuts = [(entry_id, nth, cut.kind.value, cut.text) for nth, cut in enumerate(entry.cuts)]
    db.run_many("INSERT INTO entry_cuts VALUES (?, ?, ?, ?)", cuts)
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
    at, hour = text_from_moment(moment), hour_of(entry.embargo)
    seen = max(moment, hour or moment)
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
            "received_at": at,
            "opens_at": hour and text_from_moment(hour),
            "first_seen_at": text_from_moment(seen),
            "updated_at": text_from_moment(free_moment(db, seen)),
            "corrected_at": None if entry.correction is None else text_from_moment(seen),
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
    """Store the article as it is now; True if people see a change, which makes a new version.

    Another embargo moves the hour of an article that still waits.
    """
    stored = db.row("SELECT * FROM articles WHERE id = ?", (article_id,))
    if stored is None:
        raise LookupError(f"article {article_id}")
    values = copy_values(entry)
    place = {"document_id": document_id, "line": entry.line}
    moved = any(stored[column] != values[column] for column in EMBARGO_COLUMNS)
    if moved and not is_killed(db, article_id):
        open_at(db, article_id, hour_of(entry.embargo), moment)
    if all(stored[column] == value for column, value in {**values, **place}.items()):
        return False
    if all(stored[column] == values[column] for column in _READ):
        _update(db, "articles", {**values, **place}, "id = ?", (article_id,))
        of_version = (article_id, stored["version"])
        _update(db, "article_versions", values, "article_id = ? AND version = ?", of_version)
        return False
    at = text_from_moment(moment)
    version = stored["version"] + 1
    seen = moment_from_text(
        db.value("SELECT first_seen_at FROM articles WHERE id = ?", (article_id,))
    )
    waits = seen > moment
    news = {**values, **place, "version": version}
    if not stored["withdrawn_at"]:  # else readers see no change
        updated_at = free_moment(db, max(moment, seen), but_for=article_id if waits else 0)
        news["updated_at"] = text_from_moment(updated_at)
    if waits:
        news["corrected_at"] = None if entry.correction is None else text_from_moment(seen)
    elif not stored["withdrawn_at"]:
        news |= {"corrected_at": at, "corrected": " ".join(changed_parts(stored, values))}
    _update(db, "articles", news, "id = ?", (article_id,))
    row = {"article_id": article_id, "version": version, **values, "made_at": at}
    db.insert("article_versions", row)
    db.index_text(article_id, *(forms or search_forms(entry)))
    return True


def propose(
    db: Database, document_id: int, moment: datetime, names: Kill, article_id: int | None = None
) -> bool:
    """Ask a person to withdraw what a kill names, or what `article_id` corrects; False if already asked.

    Call inside a write.
    """
    sql = """INSERT INTO proposals (kind, document_id, article_id, words, title, number, made_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
    kind = "kill" if article_id is None else "correction"
    words = names.words, names.title or "", names.number or ""
    return bool(db.run(sql, (kind, document_id, article_id, *words, text_from_moment(moment))))


def open_proposals(db: Database, article_id: int | None = None) -> list[Row]:
    """What nobody has settled, or of that what is about an article; the oldest first.

    `named` are the articles that it may mean, the newest first, but for what stands beside it in its
    document: those of its title, else of its number; of its own source, if there are any.
    """
    proposals = db.rows(
        """SELECT proposals.*, documents.name AS document, source_id FROM proposals
             JOIN documents ON documents.id = document_id
            WHERE settled_at IS NULL AND NOT EXISTS (SELECT 1 FROM entries
                  WHERE entries.article_id = proposals.article_id AND correction IS NULL)
            ORDER BY made_at, 1"""
    )
    sql = """SELECT DISTINCT articles.id, articles.source_id = :source_id AS own FROM entry_keys
               JOIN entries ON entries.id = entry_id JOIN articles ON articles.id = entries.article_id
              WHERE key = :key AND articles.id IS NOT :article_id AND withdrawn_at IS NULL
                AND (entries.document_id != :document_id OR gone_at IS NOT NULL) ORDER BY 1 DESC"""
    for one in proposals:
        titles, numbers = names_of(one["title"], None), names_of(None, one["number"])
        rows = [row for key in titles for row in db.rows(sql, {**one, "key": key})]
        own = [row for key in numbers for row in db.rows(sql, {**one, "key": key}) if row["own"]]
        one["named"] = [row["id"] for row in [row for row in rows if row["own"]] or rows or own]
    return [one for one in proposals if article_id in (None, one["article_id"], *one["named"])]


def settle(db: Database, article_id: int, by: str, moment: datetime) -> set[int]:
    """Note that somebody has decided what was asked about an article; all articles that were named.

    Call inside a write.
    """
    values, proposals = (text_from_moment(moment), by), open_proposals(db, article_id)
    sql = "UPDATE proposals SET settled_at = ?, settled_by = ? WHERE id = ?"
    db.run_many(sql, [(*values, one["id"]) for one in proposals])
    return {named for one in proposals for named in one["named"]}


def ask_again(db: Database, settled_at: datetime) -> None:
    """Let what was settled at that moment wait again. Call inside a write."""
    sql = "UPDATE proposals SET settled_at = NULL, settled_by = NULL WHERE settled_at = ?"
    db.run(sql, (text_from_moment(settled_at),))


def hold_back_killed(db: Database, moment: datetime) -> None:
    """Keep what is embargoed so while a kill may mean it. Call inside a write."""
    for one in open_proposals(db):
        for named in one["named"] if one["kind"] == "kill" else ():
            open_at(db, named, NEVER, moment)


def is_killed(db: Database, article_id: int) -> bool:
    """Whether a kill that is not settled may mean this article."""
    return any(one["kind"] == "kill" for one in open_proposals(db, article_id))


def release_article(db: Database, article_id: int, moment: datetime, by: str) -> bool:
    """End the embargo of an article, or let one that asks too late stay; False if readers saw it before.

    Call inside a write.
    """
    _update(db, "articles", {"released_by": by}, "id = ? AND released_by IS NULL", (article_id,))
    return open_at(db, article_id, None, moment)


def next_moment(db: Database, moment: datetime) -> datetime:
    """`moment`, but never inside a closed window, nor before what readers follow was looked for.

    It is the `first_seen_at` of new articles in the same write. So none belongs to an edition that was
    composed without it, even when the machine's clock is set back.
    """
    sql = """SELECT max(at) FROM (SELECT max(ends_at) AS at FROM editions
                                  UNION ALL SELECT max(looked_until) FROM follows)"""
    latest = db.value(sql)
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
