"""Articles by their words, in any form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from digest.language.queries import Wanted, wanted_of
from digest.model import OTHER, Article
from digest.store.articles import NEWEST_FIRST, articles_by_id
from digest.store.database import Database, text_from_moment

MOST_RANKED = 10_000
"""Among so many of the newest articles with the words the best are chosen."""


@dataclass(frozen=True, slots=True)
class Found:
    """The ids that a search finds; `bounded` says that older articles have the words too and were not
    looked at."""

    ids: tuple[int, ...] = ()
    bounded: bool = False


def search(
    db: Database,
    wanted: Sequence[Wanted],
    *,
    theme: str | None = None,
    language: str | None = None,
    source: str | None = None,
    since: date | None = None,
    to: date | None = None,
    shown_at: datetime | None = None,
    best_first: bool = False,
    among: int = MOST_RANKED,
) -> Found:
    """The articles that have all that is wanted, newest first or `best_first`.

    Those from `since` `to` a day, by their own date, else by when they came in. With `shown_at` none that is
    withdrawn, or embargoed then. OTHER selects articles without a theme. Only that many of the newest of
    these are looked at.
    """
    if not wanted:
        return Found()
    # Quoted, so that nothing in the query is search syntax.
    expression = " AND ".join(
        "(" + " OR ".join(f'"{" ".join(way)}"' for way in ways) + ")" for ways in wanted
    )
    conditions: list[str] = []
    values: list[object] = []
    day = "coalesce(published_at, first_seen_at)"
    filed = "EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id"
    for condition, value in (
        ("articles.language = ?", language),
        ("sources.name = ?", source),
        (f"{day} >= ?", since and since.isoformat()),
        (f"{day} < ?", to and (min(to, date.max - timedelta(1)) + timedelta(1)).isoformat()),
        (f"{filed} AND theme = ?)", None if theme == OTHER else theme),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if theme == OTHER:
        conditions.append(f"NOT {filed})")
    within = conditions and (
        "SELECT articles.id FROM articles JOIN sources ON sources.id = articles.source_id "  # noqa: S608 - ours
        f"WHERE {' AND '.join(conditions)}"
    )
    hits = db.find_words(
        expression, among + 1, ranked=best_first, within=within or "", values=values
    )
    sql = f"""SELECT id FROM articles WHERE id IN (SELECT value FROM json_each(?1))
                 AND (?2 IS NULL OR (withdrawn_at IS NULL AND coalesce(opens_at, '') <= ?2))
               {NEWEST_FIRST}"""  # noqa: S608 - ours
    shown = shown_at and text_from_moment(shown_at)
    found = db.each(sql, (json.dumps([one for one, _ in hits[:among]]), shown))
    ids = [int(row["id"]) for row in found]
    if best_first:  # of equals the newest
        ids.sort(key=dict(hits).__getitem__)
    return Found(tuple(ids), len(hits) > among)


def search_articles(
    db: Database, query: str, *, language: str | None = None, limit: int = 20
) -> list[Article]:
    """Articles that hold every word of the query in any of its forms, newest first, as editors see them."""
    found = search(db, wanted_of(query), language=language)
    return articles_by_id(db, found.ids[:limit])
