"""The SQL of the site and the desk."""

import json
from collections.abc import Collection
from datetime import datetime

from digest.store.articles import content_mark
from digest.store.database import Database


def site_mark(db: Database, now: datetime) -> str:
    """A text that changes whenever a page may: with articles, themes and stories, editions that go out, and
    our copies of pictures."""
    editions = """SELECT count(*) || ' ' || count(dated_at) || ' ' || coalesce(max(edited_at), '') || ' '
                         || coalesce(max(approved_at), '') || ' ' || sum(status = 'cancelled') FROM editions"""
    pictures = "SELECT coalesce(max(asked_at), '') FROM pictures"
    return f"{content_mark(db, now)} {db.value(editions)} {db.value(pictures)}"


def themes_beside(db: Database, theme: str, article_ids: Collection[int]) -> dict[str, int]:
    """How many of these articles are under each other theme, the most frequent one first."""
    sql = """SELECT theme, count(*) AS n FROM matches
              WHERE article_id IN (SELECT value FROM json_each(?)) AND theme != ?
              GROUP BY theme ORDER BY n DESC, theme"""
    return {row["theme"]: row["n"] for row in db.rows(sql, (json.dumps(list(article_ids)), theme))}
