"""Articles by theme, language, words or window, newest first; and rows into types and back."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from digest.errors import NotFoundError
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

AnyRow = Mapping[str, Any]
_TEXTS = (
    "language",
    "title",
    "lead",
    "text",
    "content_html",
    "byline",
    "dateline",
    "wire_tag",
    "url",
)
DATE_COLUMNS = ("published_at", "date_source", "date_evidence")
COPY_COLUMNS = (*_TEXTS, "title_made", "complete", *DATE_COLUMNS)
"""The columns that articles, article_versions and entries share: the copy itself."""


def seen_at(now: datetime, *, last_end: datetime | None) -> datetime:
    """The `first_seen_at` of an article stored at `now`: never inside a window already closed.

    `last_end` is the latest end of all editions of all digests, None before the first one.
    """
    return now if last_end is None else max(now, last_end)


def copy_values(copy: Entry | Article) -> dict[str, Any]:
    """The values of COPY_COLUMNS."""
    return {
        **{column: getattr(copy, column) for column in _TEXTS},
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
    return {
        **{column: row[column] for column in _TEXTS},
        "title_made": bool(row["title_made"]),
        "complete": bool(row["complete"]),
        "published": KnownDate(day, DateSource(row["date_source"]), row["date_evidence"], time),
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
"""This article leads its story in its language: it is the story's own lead, else a complete text, else
the first one seen. A withdrawn article neither leads nor is hidden."""

_CHUNK = 500
_HIT = tuple(field.name for field in fields(Hit))
FEW = 20
"""A theme with at most this many times the wanted articles is sorted whole."""


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
) -> list[int]:
    """The ids of the newest articles by `first_seen_at`, then by their own date, undated ones last.

    Withdrawn ones are included: feeds show their tombstones. With `story_once` a story shows, in each
    language, only the article that leads it there, among those under `theme` if that is given.
    OTHER selects articles without a theme.
    """
    conditions: list[str] = []
    values: list[object] = []
    sql = "SELECT articles.id FROM articles JOIN sources ON sources.id = articles.source_id"
    if theme == OTHER:
        conditions.append("NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)")
    elif theme is not None:
        # CROSS makes SQLite walk the articles, newest first, until there are enough. Otherwise it
        # sorts all articles of the theme, which is faster only where the theme has few.
        few = limit is None
        if limit is not None:
            matching = "SELECT 1 FROM matches WHERE theme = ?"
            matching += " AND language = ?" if language else ""
            key = (theme, language) if language else (theme,)
            few = db.value(f"{matching} LIMIT 1 OFFSET ?", (*key, FEW * limit)) is None
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
    return _ids(db, sql + NEWEST_FIRST + " LIMIT ?", values)


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


def articles_in_window(db: Database, window: Window, languages: Collection[str]) -> list[Article]:
    """The articles for an edition: first seen in its window, not archived, not withdrawn."""
    sql = "SELECT id FROM articles WHERE first_seen_at >= ? AND first_seen_at < ? AND archived = 0"
    sql += f" AND withdrawn_at IS NULL AND language IN ({_marks(languages)})"
    bounds = (text_from_moment(window.starts_at), text_from_moment(window.ends_at))
    return list(each_article(db, _ids(db, sql, (*bounds, *languages)), evidence=True))


def withdraw_article(db: Database, article_id: int, moment: datetime) -> bool:
    """Leave only a tombstone; False if it was withdrawn before. Call inside a write."""
    sql = "UPDATE articles SET withdrawn_at = ? WHERE id = ? AND withdrawn_at IS NULL"
    return bool(db.run(sql, (text_from_moment(moment), article_id)))


def readmit_article(db: Database, article_id: int, moment: datetime) -> bool:
    """Publish a withdrawn article again; False if it was not withdrawn. Call inside a write.

    It counts as updated at `moment`, so that feed readers load it again.
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
    """How many of `articles_in_window` are under one of the themes `carried`; OTHER counts those under
    none of the `known` ones.
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
    """When the earliest article that is not archived came in; None without any."""
    text = db.value("SELECT min(first_seen_at) FROM articles WHERE archived = 0")
    return None if text is None else datetime.fromisoformat(text)


def article_versions(db: Database, article_id: int) -> list[AnyRow]:
    """Every version of an article, the first one first, as plain rows."""
    sql = "SELECT * FROM article_versions WHERE article_id = ? ORDER BY version"
    return list(db.rows(sql, (article_id,)))


def siblings_of(db: Database, article_ids: Collection[int]) -> dict[int, list[Sibling]]:
    """The other articles of each article's story: its lead first, then complete texts, then by when
    they were first seen. An article without siblings has no key."""
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
         ORDER BY other.id IS NOT stories.lead_article_id, 1 - other.complete, other.first_seen_at,
                  other.id
        """  # noqa: S608 - only question marks are put in
        for row in db.rows(sql, chunk):
            siblings[row.pop("of_id")].append(Sibling(**row))
    return dict(siblings)


def search_articles(
    db: Database, query: str, *, language: str | None = None, limit: int = 20
) -> list[Article]:
    """Articles that hold every word of the query in any of its forms, newest first."""
    wanted = query_forms(query)
    if not wanted:
        return []
    # Quoted, so that nothing in the query is search syntax.
    expression = " AND ".join(
        "(" + " OR ".join('"' + form.replace('"', '""') + '"' for form in forms) + ")"
        for forms in wanted
    )
    values: list[object] = [expression]
    sql = f"SELECT id FROM articles WHERE id IN ({FOUND_BY_WORDS})"  # noqa: S608 - ours
    if language is not None:
        sql += " AND language = ?"
        values.append(language)
    return articles_by_id(db, _ids(db, sql + NEWEST_FIRST + " LIMIT ?", [*values, limit]))


def _ids(db: Database, sql: str, values: Sequence[object]) -> list[int]:
    return [int(row["id"]) for row in db.rows(sql, values)]


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


def content_mark(db: Database) -> str:
    """A text that changes whenever what is published may have changed: articles, themes, stories."""
    return str(db.value("SELECT count(*) || ' ' || total(mark) FROM article_marks"))


def window_mark(db: Database, window: Window) -> str:
    """A text that changes whenever an edition of this window may: its articles, their themes, stories."""
    sql = """SELECT count(*) || ' ' || total(mark) FROM articles JOIN article_marks ON article_id = id
              WHERE first_seen_at >= ? AND first_seen_at < ? AND archived = 0"""
    bounds = (text_from_moment(window.starts_at), text_from_moment(window.ends_at))
    return str(db.value(sql, bounds))


def article_marks(db: Database) -> dict[int, int]:
    """A number for each article id that changes whenever the article's page may have changed.

    Numbers are random, so that a restored or copied store never has the same one for another page.
    """
    return {
        int(row["article_id"]): int(row["mark"])
        for row in db.each("SELECT article_id, mark FROM article_marks ORDER BY article_id")
    }


def first_seen_of(db: Database, article_ids: Sequence[int]) -> list[datetime]:
    """When these articles came in, without archived ones."""
    sql = "SELECT first_seen_at FROM articles WHERE archived = 0 AND id = ?"
    texts = (db.value(sql, (article_id,)) for article_id in article_ids)
    return [moment_from_text(text) for text in texts if text is not None]
