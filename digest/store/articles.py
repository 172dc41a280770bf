"""Articles as they are read: newest first, by theme, by language, by words, by window."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from digest.editorial.words import query_forms
from digest.model import OTHER, Article, Match, Sibling, Window
from digest.store.database import Database, text_from_moment
from digest.store.rows import (
    Row,
    article_from_row,
    match_from_row,
    sibling_from_row,
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
SEARCHED = """
 WHERE articles.id IN (SELECT rowid FROM article_search WHERE article_search MATCH ?)
"""
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


def article_versions(db: Database, article_id: int) -> list[Row]:
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


def _with_matches(db: Database, rows: Sequence[Row]) -> list[Article]:
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
