"""Articles as everyone reads them: newest first, by theme, by language, by words, by window; rows into types and back."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from digest.language.words import query_forms
from digest.model import (
    OTHER,
    Article,
    Correction,
    DateSource,
    Entry,
    Hit,
    KnownDate,
    Match,
    Place,
    Sibling,
    Verdict,
    Window,
)
from digest.store.database import FOUND_BY_WORDS, Database, Row, moment_from_text, text_from_moment


def seen_at(now: datetime, *, last_end: datetime | None) -> datetime:
    """When an article that is stored at `now` came in: never inside a window already closed.

    `last_end` is the latest end of all editions of all digests, None before the first one.
    """
    return now if last_end is None else max(now, last_end)


AnyRow = Mapping[str, Any]
DATE_COLUMNS = ("published_at", "date_source", "date_evidence")

COPY_COLUMNS = (
    "language",
    "title",
    "title_made",
    "lead",
    "text",
    "content_html",
    "complete",
    "byline",
    "dateline",
    "wire_tag",
    "url",
    *DATE_COLUMNS,
)
"""What articles, article_versions and entries have in common: the copy itself."""


def copy_values(copy: Entry | Article) -> dict[str, Any]:
    """The values of COPY_COLUMNS."""
    values = {column: getattr(copy, column) for column in COPY_COLUMNS[:-3]}
    return {
        **values,
        "title_made": int(copy.title_made),
        "complete": int(copy.complete),
        "published_at": copy.published.iso,
        "date_source": copy.published.source.value,
        "date_evidence": copy.published.evidence,
    }


def date_from_row(row: AnyRow) -> KnownDate:
    text = row["published_at"]
    source = DateSource(row["date_source"])
    if text is None:
        return KnownDate(None, source, row["date_evidence"])
    if "T" in text:
        time = datetime.fromisoformat(text)
        return KnownDate(time.date(), source, row["date_evidence"], time)
    return KnownDate(date.fromisoformat(text), source, row["date_evidence"])


def _copy_from_row(row: AnyRow) -> dict[str, Any]:
    return {
        **{column: row[column] for column in COPY_COLUMNS[:-3]},
        "title_made": bool(row["title_made"]),
        "complete": bool(row["complete"]),
        "published": date_from_row(row),
    }


def entry_from_row(row: AnyRow) -> Entry:
    """A row of entries joined with its document's name and its press contact."""
    return Entry(
        **_copy_from_row(row),
        document=row["document"],
        line=row["line"],
        contact=row["contact"],
        guid=row["guid"],
    )


def article_from_row(row: AnyRow, matches: Sequence[Match] = ()) -> Article:
    """A row of articles joined with its source's and its document's name."""
    withdrawn = row["withdrawn_at"]
    return Article(
        **_copy_from_row(row),
        id=row["id"],
        atom_id=row["atom_id"],
        version=row["version"],
        source=row["source"],
        document=row["document"],
        first_seen_at=moment_from_text(row["first_seen_at"]),
        updated_at=moment_from_text(row["updated_at"]),
        story_id=row["story_id"],
        archived=bool(row["archived"]),
        withdrawn_at=moment_from_text(withdrawn) if withdrawn else None,
        matches=tuple(matches),
    )


def sibling_from_row(row: AnyRow) -> Sibling:
    return Sibling(
        id=row["id"],
        atom_id=row["atom_id"],
        title=row["title"],
        language=row["language"],
        source=row["source"],
        url=row["url"],
    )


def match_from_row(row: AnyRow) -> Match:
    evidence = json.loads(row["evidence"])
    return Match(
        theme=row["theme"],
        score=row["score"],
        threshold=row["threshold"],
        by=row["decided_by"],
        lexicon_version=row["lexicon_version"],
        hits=tuple(_hit(hit) for hit in evidence["hits"]),
        blotted=tuple(_hit(hit) for hit in evidence["blotted"]),
    )


def _hit(found: dict[str, Any]) -> Hit:
    return Hit(**{**found, "place": Place(found["place"])})


def evidence_text(match: Match) -> str:
    """The hits and blots of a match as JSON that reads well in a table."""
    return json.dumps(
        {
            "hits": [asdict(hit) for hit in match.hits],
            "blotted": [asdict(hit) for hit in match.blotted],
        },
        ensure_ascii=False,
    )


def match_values(match: Match) -> dict[str, Any]:
    return {
        "theme": match.theme,
        "score": match.score,
        "threshold": match.threshold,
        "decided_by": match.by,
        "lexicon_version": match.lexicon_version,
        "evidence": evidence_text(match),
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

NEWEST_FIRST = " ORDER BY articles.first_seen_at DESC, articles.published_at DESC, articles.id"

LEADS = """
 (articles.story_id IS NULL OR articles.withdrawn_at IS NOT NULL OR NOT EXISTS (
   SELECT 1 FROM articles AS other JOIN stories ON stories.id = other.story_id
    WHERE other.story_id = articles.story_id AND other.language = articles.language
      AND other.withdrawn_at IS NULL AND {fits}
      AND (other.id IS NOT stories.lead_article_id, 1 - other.complete, other.first_seen_at, other.id)
        < (articles.id IS NOT stories.lead_article_id, 1 - articles.complete, articles.first_seen_at,
           articles.id)))
"""
"""No other article of the same story and language goes before this one: the story's own lead, then a
whole text, then the one first seen. A withdrawn article neither leads nor is hidden."""

SEARCHED = f" WHERE articles.id IN ({FOUND_BY_WORDS})"

_CHUNK = 500
FEW = 20
"""So many times as many articles as are asked for are sorted rather than looked for."""


def latest_articles(
    db: Database,
    *,
    theme: str | None = None,
    language: str | None = None,
    source: str | None = None,
    limit: int | None = None,
    story_once: bool = False,
) -> list[Article]:
    """The newest articles, by our first sight of them, then by their own date, undated ones last.

    Withdrawn ones are among them: their tombstones must be seen. With `story_once` a story shows, in
    each language, only the article that leads it there, among those under `theme` if that is given.
    OTHER are those under no theme; a story is not asked of them.
    """
    conditions: list[str] = []
    values: list[object] = []
    sql = SELECT_ARTICLES
    if theme == OTHER:
        conditions.append("NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)")
    elif theme is not None:
        # CROSS has SQLite go through the articles, newest first, until there are enough: else it
        # would take all of a theme and sort them, which is less only where the theme has few.
        few = limit is None or _has_few(db, theme, language, FEW * limit)
        sql += f" {'' if few else 'CROSS '}JOIN matches ON matches.article_id = articles.id"
        sql += " AND matches.theme = ?"
        values.append(theme)
    for column, value in (("articles.language", language), ("sources.name", source)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if story_once:
        filed = "EXISTS (SELECT 1 FROM matches WHERE article_id = other.id AND theme = ?)"
        conditions.append(LEADS.format(fits="1" if theme is None else filed))
        values += [] if theme is None else [theme]
    if conditions:
        sql += " WHERE " + " AND ".join(conditions)
    values.append(-1 if limit is None else limit)
    return _with_matches(db, db.rows(sql + NEWEST_FIRST + " LIMIT ?", values))


def articles_by_id(db: Database, ids: Sequence[int]) -> list[Article]:
    """The articles of these ids, in this order; unknown ids are left out."""
    found: dict[int, Article] = {}
    for chunk in _chunks(ids):
        sql = f"{SELECT_ARTICLES} WHERE articles.id IN ({_marks(chunk)})"
        found |= {article.id: article for article in _with_matches(db, db.rows(sql, chunk))}
    return [found[i] for i in ids if i in found]


def all_article_ids(db: Database) -> list[int]:
    return [int(row["id"]) for row in db.rows("SELECT id FROM articles ORDER BY id")]


def articles_in_window(db: Database, window: Window, languages: Collection[str]) -> list[Article]:
    """What an edition with this window may hold: first seen in it, not archived, not withdrawn."""
    sql = (
        f"{SELECT_ARTICLES} WHERE articles.first_seen_at >= ? AND articles.first_seen_at < ?"
        " AND articles.archived = 0 AND articles.withdrawn_at IS NULL"
        f" AND articles.language IN ({_marks(languages)}) ORDER BY articles.id"
    )
    bounds = (text_from_moment(window.starts_at), text_from_moment(window.ends_at))
    return _with_matches(db, db.rows(sql, (*bounds, *languages)))


def withdraw_article(db: Database, article_id: int, moment: datetime) -> bool:
    """Publish only that it was withdrawn; False if it was before. Call inside a write."""
    sql = "UPDATE articles SET withdrawn_at = ? WHERE id = ? AND withdrawn_at IS NULL"
    return bool(db.run(sql, (text_from_moment(moment), article_id)))


def readmit_article(db: Database, article_id: int, moment: datetime) -> bool:
    """Publish a withdrawn article again, as changed at `moment`, or no reader would look at it again;
    False if it was not withdrawn. Call inside a write.
    """
    sql = """UPDATE articles SET withdrawn_at = NULL, updated_at = ?
              WHERE id = ? AND withdrawn_at IS NOT NULL"""
    return bool(db.run(sql, (text_from_moment(moment), article_id)))


def count_in_window(
    db: Database,
    window: Window,
    languages: Collection[str],
    carried: Collection[str],
    known: Collection[str],
) -> int:
    """How many of `articles_in_window` stand under one of the themes `carried`; OTHER are those that
    stand under none of the `known` ones.
    """
    under = "EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id AND theme IN ({}))"
    sql = f"""
    SELECT count(*) FROM articles WHERE first_seen_at >= ? AND first_seen_at < ?
       AND archived = 0 AND withdrawn_at IS NULL AND language IN ({_marks(languages)})
       AND ({under.format(_marks(carried))} OR (? AND NOT {under.format(_marks(known))}))
    """  # noqa: S608 - only question marks are put in
    bounds = (text_from_moment(window.starts_at), text_from_moment(window.ends_at))
    return int(db.value(sql, (*bounds, *languages, *carried, OTHER in carried, *known)))


def first_seen(db: Database) -> datetime | None:
    """When the earliest article that an edition may hold came in."""
    text = db.value("SELECT min(first_seen_at) FROM articles WHERE archived = 0")
    return None if text is None else datetime.fromisoformat(text)


def article_versions(db: Database, article_id: int) -> list[AnyRow]:
    """Every version of an article, the first one first, as plain rows."""
    sql = "SELECT * FROM article_versions WHERE article_id = ? ORDER BY version"
    return list(db.rows(sql, (article_id,)))


def siblings_of(db: Database, article_ids: Collection[int]) -> dict[int, list[Sibling]]:
    """For each article its story's other articles, the one that leads it first, then whole texts, then
    by when they were first seen; none: no key."""
    found: dict[int, list[Sibling]] = defaultdict(list)
    for chunk in _chunks(list(article_ids)):
        sql = f"""
        SELECT mine.id AS of_id, other.id, other.atom_id, other.title, other.language, other.url,
               sources.name AS source
          FROM articles AS mine
          JOIN articles AS other ON other.story_id = mine.story_id AND other.id != mine.id
          JOIN sources ON sources.id = other.source_id
          JOIN stories ON stories.id = other.story_id
         WHERE mine.id IN ({_marks(chunk)}) AND other.withdrawn_at IS NULL
         ORDER BY other.id IS NOT stories.lead_article_id, 1 - other.complete, other.first_seen_at,
                  other.id
        """  # noqa: S608 - only question marks are put in
        for row in db.rows(sql, chunk):
            found[row["of_id"]].append(sibling_from_row(row))
    return dict(found)


def search_articles(
    db: Database, query: str, *, language: str | None = None, limit: int = 20
) -> list[Article]:
    """Articles that hold every word of the query in any of its forms, newest first."""
    wanted = query_forms(query)
    if not wanted:
        return []
    # Quoted, so that no sign of the query is taken for search syntax.
    expression = " AND ".join(
        "(" + " OR ".join('"' + form.replace('"', '""') + '"' for form in forms) + ")"
        for forms in wanted
    )
    values: list[object] = [expression]
    sql = SELECT_ARTICLES + SEARCHED
    if language is not None:
        sql += " AND articles.language = ?"
        values.append(language)
    return _with_matches(db, db.rows(sql + NEWEST_FIRST + " LIMIT ?", [*values, limit]))


def _with_matches(db: Database, rows: Sequence[AnyRow]) -> list[Article]:
    matches: dict[int, list[Match]] = defaultdict(list)
    for chunk in _chunks([row["id"] for row in rows]):
        sql = (
            f"SELECT * FROM matches WHERE article_id IN ({_marks(chunk)})"  # noqa: S608 - marks only
            " ORDER BY article_id, rank"
        )
        for row in db.rows(sql, chunk):
            matches[row["article_id"]].append(match_from_row(row))
    return [article_from_row(row, matches[row["id"]]) for row in rows]


def _has_few(db: Database, theme: str, language: str | None, most: int) -> bool:
    """Whether the theme has at most so many articles in this language, or in all."""
    sql = "SELECT 1 FROM matches WHERE theme = ?" + (" AND language = ?" if language else "")  # noqa: S608 - ours
    values = (theme, language) if language else (theme,)
    return db.value(f"{sql} LIMIT 1 OFFSET ?", (*values, most)) is None


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def content_mark(db: Database) -> str:
    """Another text as soon as what is published may have changed: articles, themes, stories."""
    return str(db.value("SELECT count(*) || ' ' || total(mark) FROM article_marks"))


def article_marks(db: Database) -> dict[int, int]:
    """For each article, by its id, a number that is another as soon as its page may have changed.

    Numbers are drawn at random, so that a store that was restored or copied never has one of ours
    for something else.
    """
    return {
        int(row["article_id"]): int(row["mark"])
        for row in db.each("SELECT article_id, mark FROM article_marks ORDER BY article_id")
    }


def first_seen_of(db: Database, article_ids: Sequence[int]) -> list[datetime]:
    """When these articles came in, but for those that belong to no edition."""
    sql = "SELECT first_seen_at FROM articles WHERE archived = 0 AND id = ?"
    found = (db.value(sql, (article_id,)) for article_id in article_ids)
    return [moment_from_text(text) for text in found if text is not None]
