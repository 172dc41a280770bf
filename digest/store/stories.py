"""Stories as they are kept: fingerprints to find candidates by, links with their reasons."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from digest.store.database import Database, Row, text_from_moment

CROWDED = 200
"""A key that more articles share than this says nothing, and is not followed."""


def save_fingerprint(db: Database, article_id: int, fingerprint: str, keys: Sequence[int]) -> None:
    """What stories are found by, in place of what the article had."""
    db.run(
        """INSERT INTO fingerprints VALUES (?, ?)
           ON CONFLICT (article_id) DO UPDATE SET fingerprint = excluded.fingerprint""",
        (article_id, fingerprint),
    )
    db.run("DELETE FROM story_keys WHERE article_id = ?", (article_id,))
    db.run_many("INSERT INTO story_keys VALUES (?, ?)", [(key, article_id) for key in set(keys)])


def candidates(
    db: Database, article_id: int, keys: Sequence[int], *, limit: int = 200
) -> list[tuple[int, str]]:
    """Articles that share keys with this one: (id, fingerprint), those with most keys in common
    first. Crowded keys are left out, so that the cost does not grow with the store.
    """
    shared: dict[int, int] = {}
    sql = "SELECT article_id FROM story_keys WHERE key = ? LIMIT ?"
    for key in set(keys):
        found = db.connection.execute(sql, (key, CROWDED + 1)).fetchall()
        if len(found) > CROWDED:
            continue
        for (other,) in found:
            shared[other] = shared.get(other, 0) + 1
    shared.pop(article_id, None)
    best = sorted(shared, key=lambda other: (-shared[other], other))[:limit]
    return [(other, text) for other in best if (text := fingerprint_of(db, other)) is not None]


def fingerprint_of(db: Database, article_id: int) -> str | None:
    sql = "SELECT fingerprint FROM fingerprints WHERE article_id = ?"
    text = db.value(sql, (article_id,))
    return None if text is None else str(text)


def save_link(
    db: Database,
    article_id: int,
    other_id: int,
    *,
    kind: str,
    score: float,
    reasons: Sequence[str],
    by: str,
    moment: datetime,
) -> None:
    """That two articles tell the same story, and why; kept once for the pair, lower id first."""
    first, second = sorted((article_id, other_id))
    db.run(
        """INSERT INTO story_links VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (article_id, other_id) DO UPDATE SET kind = excluded.kind,
             score = excluded.score, reasons = excluded.reasons
            WHERE story_links.decided_by != 'editor'""",
        (
            first,
            second,
            kind,
            score,
            json.dumps(list(reasons), ensure_ascii=False),
            by,
            text_from_moment(moment),
        ),
    )


def story_of(db: Database, article_id: int) -> int | None:
    value = db.value("SELECT story_id FROM articles WHERE id = ?", (article_id,))
    return None if value is None else int(value)


def members(db: Database, story_id: int) -> list[int]:
    sql = "SELECT id FROM articles WHERE story_id = ? ORDER BY id"
    return [int(row["id"]) for row in db.rows(sql, (story_id,))]


def tell_story(db: Database, article_ids: Collection[int], lead_id: int, moment: datetime) -> int:
    """Put articles into one story: the oldest that one of them has, else a new one; its id."""
    stories = {story for i in article_ids if (story := story_of(db, i)) is not None}
    made_at = text_from_moment(moment)
    story = min(stories) if stories else db.insert("stories", {"made_at": made_at})
    db.run_many(
        "UPDATE articles SET story_id = ? WHERE id = ? AND story_id IS NOT ?",
        [(story, i, story) for i in article_ids],
    )
    db.run("UPDATE stories SET lead_article_id = ? WHERE id = ?", (lead_id, story))
    return story


def list_stories(db: Database, limit: int | None = None) -> list[Row]:
    """Stories of two articles or more, the newest first, each with its members and links."""
    sql = """
    SELECT stories.id, stories.lead_article_id, max(articles.first_seen_at) AS newest
      FROM stories JOIN articles ON articles.story_id = stories.id
     GROUP BY stories.id HAVING count(*) > 1 ORDER BY newest DESC, stories.id LIMIT ?
    """
    found = db.rows(sql, (-1 if limit is None else limit,))
    for story in found:
        story["articles"] = members(db, story["id"])
        story["links"] = links_within(db, story["articles"])
    return found


def links_within(db: Database, article_ids: Sequence[int]) -> list[Row]:
    """The links among these articles, with their reasons."""
    marks = ", ".join("?" * len(article_ids))
    sql = f"""SELECT article_id, other_id, kind, score, reasons, decided_by FROM story_links
               WHERE article_id IN ({marks}) AND other_id IN ({marks})
               ORDER BY article_id, other_id"""  # noqa: S608 - marks only
    found = db.rows(sql, [*article_ids, *article_ids])
    for link in found:
        link["reasons"] = json.loads(link["reasons"])
    return found


def lead_facts(db: Database, article_ids: Collection[int]) -> list[Mapping[str, object]]:
    """What decides which article leads a story."""
    marks = ", ".join("?" * len(article_ids))
    sql = f"""SELECT id, complete, first_seen_at, published_at, source_id FROM articles
               WHERE id IN ({marks}) ORDER BY id"""  # noqa: S608 - marks only
    return list(db.rows(sql, tuple(article_ids)))
