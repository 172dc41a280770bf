"""What a week was for the editors: queries that look at the week's articles, not at all of them."""

from dataclasses import dataclass

from digest.model import Window
from digest.store.database import Database, Row, text_from_moment

SHOWN = 20
"""So many of each kind are shown; how many there are is told."""
NEAR = 1.25
"""A match whose score is below so many times its threshold is weak."""


@dataclass(frozen=True, slots=True)
class Week:
    """How much came in, and the first SHOWN of what was filed under nothing or weakly."""

    articles: int
    unfiled: int
    weak: int
    unfiled_ids: tuple[int, ...]
    weak_matches: tuple[tuple[int, str], ...]
    """Each an article's id and the theme, the weakest first."""


_NEW = """articles.first_seen_at >= ? AND articles.first_seen_at < ? AND articles.archived = 0
   AND articles.withdrawn_at IS NULL"""
_BARE = "NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)"
_WEAK = f"""FROM articles JOIN matches ON matches.article_id = articles.id
 WHERE {_NEW} AND decided_by = 'lexicon' AND score < threshold * {NEAR}"""


def week_of(db: Database, window: Window) -> Week:
    """What was first seen within the window."""
    within = (text_from_moment(window.starts_at), text_from_moment(window.ends_at))
    counts = f"SELECT count(*) AS articles, total({_BARE}) AS unfiled FROM articles WHERE {_NEW}"  # noqa: S608 - ours
    bare = (
        f"SELECT id FROM articles WHERE {_NEW} AND {_BARE} ORDER BY first_seen_at DESC, id LIMIT ?"  # noqa: S608 - ours
    )
    weak = (
        f"SELECT articles.id, theme {_WEAK} ORDER BY score / threshold, articles.id, theme LIMIT ?"
    )
    row = db.row(counts, within) or {}
    return Week(
        articles=int(row["articles"]),
        unfiled=int(row["unfiled"]),
        weak=int(db.value(f"SELECT count(*) {_WEAK}", within)),
        unfiled_ids=tuple(one["id"] for one in db.rows(bare, (*within, SHOWN))),
        weak_matches=tuple((one["id"], one["theme"]) for one in db.rows(weak, (*within, SHOWN))),
    )


def documents_not_read(db: Database) -> tuple[int, list[Row]]:
    """How many documents cannot be read, and the newest SHOWN of them: source, document, error."""
    sql = """
    SELECT sources.name AS source, documents.name AS document, error
      FROM documents INDEXED BY documents_unreadable JOIN sources ON sources.id = source_id
     WHERE error IS NOT NULL ORDER BY read_at DESC, documents.id LIMIT ?
    """
    count = db.value("SELECT count(*) FROM documents WHERE error IS NOT NULL")
    return int(count), db.rows(sql, (SHOWN,))


def came_back(db: Database, window: Window) -> list[Row]:
    """Addresses that were suppressed within the window, by cause: cause, count."""
    sql = """SELECT cause, count(*) AS count FROM suppressions
              WHERE since >= ? AND since < ? GROUP BY cause ORDER BY count DESC, cause"""
    return db.rows(sql, (text_from_moment(window.starts_at), text_from_moment(window.ends_at)))


def letters(db: Database, window: Window) -> list[Row]:
    """Letters that were taken in within the window, by kind: kind, count."""
    sql = """SELECT kind, count(*) AS count FROM bounces
              WHERE read_at >= ? AND read_at < ? GROUP BY kind ORDER BY count DESC, kind"""
    return db.rows(sql, (text_from_moment(window.starts_at), text_from_moment(window.ends_at)))


def failures(db: Database, edition_id: int) -> list[Row]:
    """Why deliveries of an edition failed: reason, count; the most frequent first."""
    sql = """SELECT coalesce(reason, 'no reason kept') AS reason, count(*) AS count FROM deliveries
              WHERE edition_id = ? AND status = 'failed' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"""
    return db.rows(sql, (edition_id,))


def last_of(db: Database, digest: str) -> Row | None:
    """The newest edition of a digest with how many articles it holds; None: there is none."""
    sql = """SELECT id, number, starts_at, ends_at, status, note, composed_at, recipients,
                    (SELECT count(*) FROM placements WHERE edition_id = editions.id) AS articles
               FROM editions WHERE digest = ? ORDER BY number DESC LIMIT 1"""
    return db.row(sql, (digest,))
