"""Articles by theme, language, words or window, newest first; and rows into types and back."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from typing import Any

from digest.errors import NotFoundError
from digest.model import (
    NEVER,
    OTHER,
    Article,
    Change,
    Corrected,
    Correction,
    Cut,
    CutKind,
    DateSource,
    Embargo,
    Entry,
    Hit,
    KnownDate,
    Match,
    Picture,
    Place,
    Sibling,
    Verdict,
    Window,
)
from digest.store.database import Database, Row, moment_from_text, text_from_moment

AnyRow = Mapping[str, Any]
_AROUND = ("byline", "dateline", "wire_tag", "urgency", "number", "correction")
_TEXTS = ("language", "title", "lead", "text", "content_html", "url", *_AROUND)
DATE_COLUMNS = ("published_at", "date_source", "date_evidence")
EMBARGO_COLUMNS = ("embargo_words", "embargo_until")
_MADE = ("update_mark", "title_made", "complete", "picture")
COPY_COLUMNS = (*_TEXTS, *_MADE, *DATE_COLUMNS, *EMBARGO_COLUMNS)
"""The columns that articles, article_versions and entries share: the copy itself."""


def added_sources(db: Database) -> list[Row]:
    """The sources that commands added: name, settings as JSON, added_at, added_by."""
    return db.rows("SELECT * FROM added_sources ORDER BY added_at, name")


def seen_at(now: datetime, *, last_end: datetime | None) -> datetime:
    """The `first_seen_at` of an article stored at `now`: never inside a window already closed.

    `last_end` is the latest end of all editions of all digests, None before the first one.
    """
    return now if last_end is None else max(now, last_end)


def copy_values(copy: Entry | Article) -> dict[str, Any]:
    """The values of COPY_COLUMNS."""
    until = copy.embargo and copy.embargo.until
    return {
        **{column: getattr(copy, column) for column in _TEXTS},
        "update_mark": copy.update,
        "picture": copy.picture and json.dumps(asdict(copy.picture), ensure_ascii=False),
        "embargo_words": copy.embargo and copy.embargo.words,
        "embargo_until": until and text_from_moment(until),
        "title_made": int(copy.title_made),
        "complete": int(copy.complete),
        "published_at": copy.published.iso,
        "date_source": copy.published.source.value,
        "date_evidence": copy.published.evidence,
    }


def _copy_from_row(row: AnyRow) -> dict[str, Any]:
    text: str | None = row["published_at"]
    time = datetime.fromisoformat(text) if text and "T" in text else None
    day = time.date() if time else date.fromisoformat(text) if text else None
    words, until = row["embargo_words"], row["embargo_until"]
    return {
        "update": row["update_mark"],
        "picture": row["picture"] and Picture(**json.loads(row["picture"])),
        "embargo": words and Embargo(until and moment_from_text(until), words),
        **{column: row[column] for column in _TEXTS},
        "title_made": bool(row["title_made"]),
        "complete": bool(row["complete"]),
        "published": KnownDate(day, DateSource(row["date_source"]), row["date_evidence"], time),
    }


_PLAIN = ("id", "atom_id", "version", "source", "document", "story_id", "released_by")


def entry_from_row(row: AnyRow) -> Entry:
    """A row of entries joined with its document's name and its cuts."""
    return Entry(
        **_copy_from_row(row),
        document=row["document"],
        line=row["line"],
        cuts=tuple(Cut(CutKind(kind), text) for kind, text in json.loads(row["cuts"])),
        guid=row["guid"],
    )


def article_from_row(row: AnyRow, matches: Sequence[Match] = ()) -> Article:
    """A row of articles joined with its source's and its document's name."""
    return Article(
        **_copy_from_row(row),
        **{column: row[column] for column in _PLAIN},
        received_at=moment_from_text(row["received_at"]),
        opens_at=row["opens_at"] and moment_from_text(row["opens_at"]),
        first_seen_at=moment_from_text(row["first_seen_at"]),
        updated_at=moment_from_text(row["updated_at"]),
        archived=bool(row["archived"]),
        corrected_at=row["corrected_at"] and moment_from_text(row["corrected_at"]),
        corrected=tuple(row["corrected"].split()),
        withdrawn_at=row["withdrawn_at"] and moment_from_text(row["withdrawn_at"]),
        withdrawn_why=row["withdrawn_why"],
        matches=tuple(matches),
    )


def match_values(match: Match) -> dict[str, Any]:
    """A row of matches, but for its article, rank and language."""
    kinds = (("hits", match.hits), ("blotted", match.blotted))
    evidence = {
        kind: [{name: getattr(hit, name) for name in _HIT} for hit in hits] for kind, hits in kinds
    }
    return {
        "theme": match.theme,
        "score": match.score,
        "threshold": match.threshold,
        "decided_by": match.by,
        "lexicon_version": match.lexicon_version,
        "evidence": json.dumps(evidence, ensure_ascii=False),
    }


def correction_from_row(row: Row) -> Correction:
    return Correction(
        Verdict(row["verdict"]), row["decided_by"], moment_from_text(row["decided_at"])
    )


SELECT_ARTICLES = """
SELECT articles.*, sources.name AS source, documents.name AS document
  FROM articles
  JOIN sources ON sources.id = articles.source_id
  LEFT JOIN documents ON documents.id = articles.document_id
"""

FROZEN = """article_versions.*, articles.id, articles.atom_id, articles.guid, articles.received_at,
       articles.released_by, articles.opens_at, articles.first_seen_at, articles.archived,
       articles.corrected_at, articles.corrected, articles.withdrawn_at, articles.withdrawn_why,
       sources.name AS source, documents.name AS document"""
"""The columns of an article in one of its versions, but for its story and `updated_at`."""

CORRECTED = {
    "title": ("title",),
    "text": ("lead", "text"),
    "date": ("published_at",),
    "byline": ("byline",),
    "correction": ("correction",),
}
"""The parts that a correction names, by their columns."""

NEWEST_FIRST = " ORDER BY articles.first_seen_at DESC, articles.published_at DESC, articles.id"

_AFTER = """articles.first_seen_at <= (SELECT first_seen_at FROM articles WHERE id = ?)
  AND (articles.first_seen_at, coalesce(articles.published_at, ''), -articles.id)
    < (SELECT first_seen_at, coalesce(published_at, ''), -id FROM articles WHERE id = ?)"""

LAST_CORRECTED = " ORDER BY articles.corrected_at DESC, articles.updated_at DESC"

LEADS = """
 (articles.story_id IS NULL OR articles.withdrawn_at IS NOT NULL OR NOT EXISTS (
   SELECT 1 FROM articles AS other JOIN stories ON stories.id = other.story_id
    WHERE other.story_id = articles.story_id AND other.language = articles.language
      AND other.withdrawn_at IS NULL AND coalesce(other.opens_at, '') <= {until} AND {fits}
      AND (other.id IS NOT stories.lead_article_id, 1 - other.complete, other.first_seen_at, other.id)
        < (articles.id IS NOT stories.lead_article_id, 1 - articles.complete, articles.first_seen_at,
           articles.id)))
"""
"""This article leads its story in its language: it is the story's own lead, else a complete text, else
the first one seen. A withdrawn article neither leads nor is hidden; an embargoed one does not lead."""

_CHUNK = 500
_HIT = tuple(field.name for field in fields(Hit))
FEW = 20
"""A theme with at most this many times the wanted articles is sorted whole."""


def free_moment(db: Database, wanted: datetime, *, but_for: int = 0) -> datetime:
    """`wanted`, or the first moment after it by fractions of a second that is no article's `updated_at`,
    `but_for` one (RFC 4287 §3.3). Call inside a write.
    """
    if wanted >= NEVER:
        return NEVER
    sql = """SELECT max(updated_at) FROM articles
              WHERE updated_at >= ? AND updated_at < ? AND id != ?"""
    until = wanted + timedelta(seconds=1)
    taken = db.value(sql, (text_from_moment(wanted), text_from_moment(until), but_for))
    return wanted if taken is None else moment_from_text(taken) + timedelta.resolution


def hour_of(embargo: Embargo | None) -> datetime | None:
    """When it ends: NEVER if it names no hour; None without one."""
    return None if embargo is None else min(embargo.until or NEVER, NEVER)


def latest_articles(db: Database, **wanted: Any) -> list[Article]:
    """The articles of `latest_ids`, in its order."""
    return articles_by_id(db, latest_ids(db, **wanted))


def latest_ids(
    db: Database,
    *,
    theme: str | None = None,
    language: str | None = None,
    source: str | None = None,
    limit: int | None = None,
    story_once: bool = False,
    until: datetime = NEVER,
    since: datetime | None = None,
    corrected: bool = False,
    named: bool = False,
    among: Collection[int] | None = None,
    before: int | None = None,
) -> list[int]:
    """The ids of the newest articles by `first_seen_at`, then by their own date, undated ones last; only
    those first seen `since` then, those `among` some, and those after the article `before`. With `corrected`, both by when they were last
    corrected, withdrawn or published again; `named` leaves those of which nobody can say what changed.

    Withdrawn ones are included: feeds show their tombstones. `until` leaves out what is embargoed then;
    without it an editor sees all. With `story_once` a story shows, in each
    language, only the article that leads it there, among those under `theme` if that is given.
    OTHER selects articles without a theme.
    """
    conditions = ["coalesce(articles.opens_at, '') <= ?"]
    values: list[object] = []
    sql = "SELECT articles.id FROM articles JOIN sources ON sources.id = articles.source_id"
    if theme == OTHER:
        conditions.append("NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)")
    elif theme is not None:
        # SQLite walks the articles, newest first, until there are enough; or those that are wanted. Only
        # where the theme has few is it faster to sort all of them.
        few, key = since is None and among is None, [theme, *([language] if language else [])]
        filed = "matches.theme = ?" + (" AND matches.language = ?" if language else "")
        if few and limit is not None:
            matching = f"SELECT 1 FROM matches WHERE {filed} LIMIT 1 OFFSET ?"  # noqa: S608 - ours
            few = db.value(matching, (*key, FEW * limit)) is None
        sql = f"""SELECT articles.id FROM {"matches CROSS JOIN articles" if few else "articles CROSS JOIN matches"}
                    ON matches.article_id = articles.id AND {filed}
                  JOIN sources ON sources.id = articles.source_id"""  # noqa: S608 - ours
        values += key
    values.append(text_from_moment(until))
    # Without an index on the language SQLite begins with those that are wanted, which are fewer.
    by_language = "articles.language" + (" || ''" if corrected or among is not None else "")
    for column, value in ((by_language, language), ("sources.name", source)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if since is not None:
        conditions.append(f"articles.{'corrected_at' if corrected else 'first_seen_at'} >= ?")
        values.append(text_from_moment(since))
    if before is not None:
        conditions.append(_AFTER)
        values += [before, before]
    if named:
        conditions.append(
            "(articles.corrected != '' OR correction IS NOT NULL OR withdrawn_at IS NOT NULL)"
        )
    if among is not None:
        conditions.append("articles.id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(among)))
    if story_once:
        filed = "EXISTS (SELECT 1 FROM matches WHERE article_id = other.id AND theme = ?)"
        conditions.append(LEADS.format(until="?", fits="1" if theme is None else filed))
        values += [text_from_moment(until), *([] if theme is None else [theme])]
    sql += " WHERE " + " AND ".join(conditions)
    values.append(-1 if limit is None else limit)
    return _ids(db, sql + (LAST_CORRECTED if corrected else NEWEST_FIRST) + " LIMIT ?", values)


def articles_by_id(db: Database, ids: Sequence[int]) -> list[Article]:
    """The articles of these ids, in this order; unknown ids are left out."""
    articles = {article.id: article for article in each_article(db, ids, evidence=True)}
    return [articles[i] for i in ids if i in articles]


def each_article(db: Database, ids: Iterable[int], *, evidence: bool = False) -> Iterator[Article]:
    """The articles of these ids, in the order of ids, one at a time: texts may be large, and so may the
    evidence of their matches, which is left out unless it is asked for."""
    for chunk in _chunks(sorted(ids)):
        matches = _matches_of(db, chunk, evidence=evidence)
        sql = f"{SELECT_ARTICLES} WHERE articles.id IN ({_marks(chunk)}) ORDER BY articles.id"
        for row in db.each(sql, chunk):
            yield article_from_row(row, matches[row["id"]])


def find_article(db: Database, article_id: int) -> Article:
    """The article of this id.

    Raises:
        NotFoundError: there is none.
    """
    articles = articles_by_id(db, [article_id])
    if not articles:
        raise NotFoundError(f"there is no article {article_id}; see `digest articles list`")
    return articles[0]


def all_article_ids(db: Database) -> list[int]:
    return _ids(db, "SELECT id FROM articles ORDER BY id", ())


def within(window: Window) -> tuple[str, str]:
    return text_from_moment(window.starts_at), text_from_moment(window.ends_at)


IN_WINDOW = """archived = 0 AND (first_seen_at >= ? AND first_seen_at < ?
                                 OR id IN (SELECT value FROM json_each(?)))"""


def articles_in_window(
    db: Database, window: Window, languages: Collection[str], also: Collection[int] = ()
) -> list[Article]:
    """The articles for an edition: first seen in its window, or one of `also`; not archived, not
    withdrawn."""
    sql = f"SELECT id FROM articles WHERE {IN_WINDOW} AND withdrawn_at IS NULL"  # noqa: S608 - ours
    sql += f" AND language IN ({_marks(languages)})"
    values = (*within(window), json.dumps(list(also)), *languages)
    return list(each_article(db, _ids(db, sql, values), evidence=True))


def withdraw_article(db: Database, article_id: int, moment: datetime, why: str = "") -> bool:
    """Leave only a tombstone with the reason, and of one that is embargoed nothing; False if it was
    withdrawn before.

    Call inside a write.
    """
    open_at(db, article_id, NEVER, moment)
    sql = """UPDATE articles SET withdrawn_at = :at, withdrawn_why = :why, corrected_at = :at,
                    corrected = '', updated_at = :updated WHERE id = :id AND withdrawn_at IS NULL"""
    return bool(db.run(sql, _at(db, article_id, moment) | {"why": why}))


def open_at(db: Database, article_id: int, hour: datetime | None, moment: datetime) -> bool:
    """Let an article that is embargoed at `moment` be so until that hour, or no longer; False if it is not.

    Call inside a write.
    """
    sql = """UPDATE articles SET opens_at = ?, first_seen_at = ?, updated_at = ?,
                    corrected_at = CASE WHEN correction IS NOT NULL THEN ? END
              WHERE id = ? AND opens_at > ? AND withdrawn_at IS NULL"""
    opens, seen = hour and text_from_moment(hour), max(moment, hour or moment)
    updated, at = free_moment(db, seen, but_for=article_id), text_from_moment(seen)
    values = opens, at, text_from_moment(updated), at, article_id, text_from_moment(moment)
    return bool(db.run(sql, values))


def readmit_article(db: Database, article_id: int, moment: datetime) -> bool:
    """Publish a withdrawn article again; False if it was not withdrawn. Call inside a write.

    It counts as updated at `moment`, so that feed readers load it again.
    """
    sql = """UPDATE articles SET withdrawn_at = NULL, withdrawn_why = '', corrected_at = :at,
                    updated_at = :updated WHERE id = :id AND withdrawn_at IS NOT NULL"""
    return bool(db.run(sql, _at(db, article_id, moment)))


def _at(db: Database, article_id: int, moment: datetime) -> dict[str, object]:
    updated = text_from_moment(free_moment(db, moment))
    return {"id": article_id, "at": text_from_moment(moment), "updated": updated}


def count_in_window(
    db: Database,
    window: Window,
    languages: Collection[str],
    carried: Collection[str],
    known: Collection[str],
    also: Collection[int] = (),
) -> int:
    """How many of `articles_in_window` are under one of the themes `carried`; OTHER counts those under
    none of the `known` ones.
    """
    under = "EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id AND theme IN ({}))"
    sql = f"""
    SELECT count(*) FROM articles
     WHERE {IN_WINDOW} AND withdrawn_at IS NULL AND language IN ({_marks(languages)})
       AND ({under.format(_marks(carried))} OR (? AND NOT {under.format(_marks(known))}))
    """  # noqa: S608 - only question marks are put in
    values = (
        *within(window),
        json.dumps(list(also)),
        *languages,
        *carried,
        OTHER in carried,
        *known,
    )
    return int(db.value(sql, values))


def first_seen(db: Database, until: datetime) -> datetime | None:
    """When the earliest article that is not archived came in, or its embargo ended; None if none did yet."""
    sql = """SELECT first_seen_at FROM articles WHERE archived = 0 AND coalesce(opens_at, '') <= ?
              ORDER BY first_seen_at LIMIT 1"""
    text = db.value(sql, (text_from_moment(until),))
    return None if text is None else datetime.fromisoformat(text)


def embargoed(db: Database, now: datetime) -> list[datetime]:
    """When each embargoed article opens, the next one first; NEVER for what an editor must release."""
    sql = "SELECT opens_at FROM articles WHERE opens_at > ? AND withdrawn_at IS NULL ORDER BY 1"
    return [moment_from_text(row["opens_at"]) for row in db.rows(sql, (text_from_moment(now),))]


def article_cuts(db: Database, article_id: int) -> list[Row]:
    """What was cut from the documents of an article: document, kind and text."""
    sql = """SELECT documents.name AS document, entry_cuts.kind, entry_cuts.text
               FROM entries JOIN entry_cuts ON entry_id = entries.id
               JOIN documents ON documents.id = document_id
              WHERE article_id = ? AND gone_at IS NULL ORDER BY 1, line, position"""
    return db.rows(sql, (article_id,))


def article_versions(db: Database, article_id: int) -> list[AnyRow]:
    """Every version of an article, the first one first, as plain rows."""
    sql = "SELECT * FROM article_versions WHERE article_id = ? ORDER BY version"
    return list(db.rows(sql, (article_id,)))


def changed_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts that differ between two versions; a correction that is gone is none."""
    return tuple(
        part
        for part, columns in CORRECTED.items()
        if any(before[one] != after[one] for one in columns)
        and (part != "correction" or after["correction"] is not None)
    )


def changes_of(db: Database, corrected: Collection[Corrected]) -> dict[Corrected, Change]:
    """What changed in each, until now: of an article that was changed again, all of it."""
    articles = {one.id: one for one in each_article(db, {one.article_id for one in corrected})}
    changes = {}
    for one in corrected:
        article = articles[one.article_id]
        versions = {row["version"]: row for row in article_versions(db, article.id)}
        now = versions[article.version]
        before = versions.get(one.seen, now)
        changes[one] = Change(one, article, before["title"], changed_parts(before, now))
    return changes


def siblings_of(
    db: Database, article_ids: Collection[int], until: datetime = NEVER
) -> dict[int, list[Sibling]]:
    """The other articles of each article's story: its lead first, then complete texts, then by when
    they were first seen. `until` leaves out what is embargoed then. An article without siblings has no
    key. One at the same address is the same release from another source of its outlet, and no other."""
    siblings: dict[int, list[Sibling]] = defaultdict(list)
    for chunk in _chunks(list(article_ids)):
        sql = f"""
        SELECT mine.id AS of_id, other.id, other.atom_id, other.title, other.language, other.url,
               sources.name AS source
          FROM articles AS mine
          JOIN articles AS other ON other.story_id = mine.story_id AND other.id != mine.id
          JOIN sources ON sources.id = other.source_id
          JOIN stories ON stories.id = other.story_id
         WHERE mine.id IN ({_marks(chunk)}) AND other.withdrawn_at IS NULL
           AND (other.url IS NULL OR other.url IS NOT mine.url)
           AND coalesce(other.opens_at, '') <= ?
         ORDER BY other.id IS NOT stories.lead_article_id, 1 - other.complete, other.first_seen_at,
                  other.id
        """  # noqa: S608 - only question marks are put in
        for row in db.rows(sql, (*chunk, text_from_moment(until))):
            siblings[row.pop("of_id")].append(Sibling(**row))
    return dict(siblings)


def _ids(db: Database, sql: str, values: Sequence[object]) -> list[int]:
    return [int(row["id"]) for row in db.each(sql, values)]


def _matches_of(
    db: Database, ids: Sequence[int], *, evidence: bool = True
) -> Mapping[int, Sequence[Match]]:
    """The matches of each article, [] for one without any."""
    columns = "article_id, theme, score, threshold, decided_by, lexicon_version"
    shown = "evidence" if evidence else """'{"hits": [], "blotted": []}' AS evidence"""

    def hits(evidence: list[dict[str, Any]]) -> tuple[Hit, ...]:
        return tuple(Hit(**{**hit, "place": Place(hit["place"])}) for hit in evidence)

    matches: dict[int, list[Match]] = defaultdict(list)
    for chunk in _chunks(ids):
        sql = (
            f"SELECT {columns}, {shown} FROM matches WHERE article_id IN ({_marks(chunk)})"  # noqa: S608 - marks only
            " ORDER BY article_id, rank"
        )
        for row in db.rows(sql, chunk):
            found = json.loads(row["evidence"])
            match = Match(
                theme=row["theme"],
                score=row["score"],
                threshold=row["threshold"],
                by=row["decided_by"],
                lexicon_version=row["lexicon_version"],
                hits=hits(found["hits"]),
                blotted=hits(found["blotted"]),
            )
            matches[row["article_id"]].append(match)
    return matches


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def content_mark(db: Database, now: datetime) -> str:
    """A text that changes whenever what is published may have changed: articles, themes, stories, and
    what is still embargoed."""
    sql = "SELECT change || ' ' || mark FROM article_marks ORDER BY change DESC LIMIT 1"
    return f"{db.value(sql)} {len(embargoed(db, now))}"


def window_mark(db: Database, window: Window, also: Collection[int] = ()) -> str:
    """A text that changes whenever an edition of this window, with these articles too, may: its
    articles, their themes, stories."""
    sql = (
        "SELECT count(*) || ' ' || total(mark) FROM articles JOIN article_marks ON article_id = id"
    )
    values = (*within(window), json.dumps(list(also)))
    return str(db.value(f"{sql} WHERE {IN_WINDOW}", values))


def article_marks(db: Database, now: datetime, ids: Collection[int]) -> dict[int, int]:
    """A number for each of these articles that changes whenever its page may have changed; those that
    are not there or embargoed have none.

    Numbers are random, so that a restored or copied store never has the same one for another page.
    """
    marks: dict[int, int] = {}
    for chunk in _chunks(list(ids)):
        sql = f"SELECT article_id, mark FROM article_marks WHERE article_id IN ({_marks(chunk)})"  # noqa: S608 - marks only
        marks |= {row["article_id"]: row["mark"] for row in db.rows(sql, chunk)}
    sql = """SELECT hidden.id AS hidden, mark, one.id FROM articles AS hidden
               JOIN article_marks ON article_id = hidden.id
               LEFT JOIN articles AS one
                      ON one.story_id = hidden.story_id AND coalesce(one.opens_at, '') <= :now
              WHERE hidden.opens_at > :now"""
    for row in db.rows(sql, {"now": text_from_moment(now)}):
        marks.pop(row["hidden"], None)
        if row["id"] in marks:  # the pages of its story change when its embargo ends
            marks[row["id"]] ^= row["mark"]
    return marks


def changes_since(
    db: Database, change: int, moment: datetime, now: datetime
) -> tuple[set[int], int]:
    """The articles whose pages may have changed after the change of that number and after `moment`, when
    embargoes were last looked at; and the number of the newest change.
    """
    newest = int(db.value("SELECT max(change) FROM article_marks") or 0)
    changed = _ids(db, "SELECT article_id AS id FROM article_marks WHERE change > ?", (change,))
    sql = """WITH opened AS (SELECT id, story_id FROM articles WHERE opens_at > ? AND opens_at <= ?)
             SELECT id FROM opened UNION
             SELECT articles.id FROM opened JOIN articles USING (story_id)"""
    opened = _ids(db, sql, (text_from_moment(moment), text_from_moment(now)))
    return {*changed, *opened}, newest


def first_seen_of(db: Database, article_ids: Sequence[int]) -> list[datetime]:
    """When these articles came in, without archived ones."""
    sql = "SELECT first_seen_at FROM articles WHERE archived = 0 AND id = ?"
    texts = (db.value(sql, (article_id,)) for article_id in article_ids)
    return [moment_from_text(text) for text in texts if text is not None]
