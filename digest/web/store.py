"""The SQL of the site and the desk."""

import json
from collections.abc import Collection
from datetime import datetime

from digest.errors import NotFoundError
from digest.store.articles import content_mark
from digest.store.database import Database, text_from_moment


def site_mark(db: Database, now: datetime) -> str:
    """A text that changes whenever a page may: with articles, themes and stories, editions that go out, and
    our copies of pictures."""
    editions = """SELECT count(*) || ' ' || count(dated_at) || ' ' || coalesce(max(edited_at), '') || ' '
                         || coalesce(max(approved_at), '') || ' ' || sum(status = 'cancelled') FROM editions"""
    pictures = "SELECT coalesce(max(asked_at), '') FROM pictures"
    return f"{content_mark(db, now)} {db.value(editions)} {db.value(pictures)}"


def language_of(db: Database, article_id: int, now: datetime) -> str:
    """The language of an article that is not embargoed.

    Raises:
        NotFoundError: there is none.
    """
    sql = "SELECT language FROM articles WHERE id = ? AND coalesce(opens_at, '') <= ?"
    language = db.value(sql, (article_id, text_from_moment(now)))
    if language is None:
        raise NotFoundError(f"there is no article {article_id}")
    return str(language)


def themes_beside(db: Database, theme: str, article_ids: Collection[int]) -> dict[str, int]:
    """How many of these articles are under each other theme, the most frequent one first."""
    sql = """SELECT theme, count(*) AS n FROM matches
              WHERE article_id IN (SELECT value FROM json_each(?)) AND theme != ?
              GROUP BY theme ORDER BY n DESC, theme"""
    return {row["theme"]: row["n"] for row in db.rows(sql, (json.dumps(list(article_ids)), theme))}
