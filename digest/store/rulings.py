"""The editors' word as it is kept: on themes and on stories, with who and when."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from digest.model import Ruling, Verdict
from digest.store.database import Database, Row, moment_from_text, text_from_moment


def theme_rulings(db: Database, article_id: int) -> dict[str, Ruling]:
    """What editors ruled on an article, by theme."""
    return theme_rulings_of(db, [article_id]).get(article_id, {})


def theme_rulings_of(db: Database, article_ids: Sequence[int]) -> dict[int, dict[str, Ruling]]:
    """What editors ruled on each of these articles, by theme; none: no key."""
    marks = ", ".join("?" * len(article_ids))
    sql = f"SELECT * FROM theme_rulings WHERE article_id IN ({marks})"  # noqa: S608 - marks only
    found: dict[int, dict[str, Ruling]] = {}
    for row in db.rows(sql, article_ids):
        found.setdefault(row["article_id"], {})[row["theme"]] = _ruling(row)
    return found


def ruled_articles(db: Database) -> list[int]:
    """The articles on whose themes an editor ruled, by id."""
    sql = "SELECT DISTINCT article_id FROM theme_rulings ORDER BY article_id"
    return [int(row["article_id"]) for row in db.rows(sql)]


def rule_theme(
    db: Database, article_id: int, theme: str, verdict: Verdict, by: str, moment: datetime
) -> None:
    """Keep an editor's word on a theme; who first said the same stays."""
    db.run(
        """INSERT INTO theme_rulings VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (article_id, theme) DO UPDATE SET verdict = excluded.verdict,
             decided_by = excluded.decided_by, decided_at = excluded.decided_at
            WHERE theme_rulings.verdict != excluded.verdict""",
        (article_id, theme, verdict.value, by, text_from_moment(moment)),
    )


def forget_theme_rulings(db: Database, article_id: int) -> int:
    """Take back all that editors ruled on an article's themes; on how many."""
    return db.run("DELETE FROM theme_rulings WHERE article_id = ?", (article_id,))


def story_rulings(db: Database, article_id: int) -> dict[int, Ruling]:
    """What editors ruled on an article and others, by the other's id."""
    sql = """SELECT other_id AS other, story_rulings.* FROM story_rulings WHERE article_id = :id
              UNION ALL
             SELECT article_id AS other, story_rulings.* FROM story_rulings WHERE other_id = :id"""
    rows = db.rows(sql, {"id": article_id})
    return {row["other"]: _ruling(row) for row in rows}


def rule_pair(
    db: Database, one: int, other: int, verdict: Verdict, by: str, moment: datetime
) -> None:
    """Keep an editor's word on two articles; who first said the same stays."""
    first, second = sorted((one, other))
    db.run(
        """INSERT INTO story_rulings VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (article_id, other_id) DO UPDATE SET verdict = excluded.verdict,
             decided_by = excluded.decided_by, decided_at = excluded.decided_at
            WHERE story_rulings.verdict != excluded.verdict""",
        (first, second, verdict.value, by, text_from_moment(moment)),
    )


def forget_story_rulings(db: Database, article_id: int) -> None:
    """Take back all that editors ruled on an article and others."""
    sql = "DELETE FROM story_rulings WHERE article_id = :id OR other_id = :id"
    db.run(sql, {"id": article_id})


def forget_splits(db: Database, article_ids: Iterable[int]) -> None:
    """Take back every split between two of these articles."""
    ids = sorted(article_ids)
    marks = ", ".join("?" * len(ids))
    sql = f"""DELETE FROM story_rulings WHERE verdict = 'split'
                AND article_id IN ({marks}) AND other_id IN ({marks})"""  # noqa: S608 - marks only
    db.run(sql, [*ids, *ids])


def _ruling(row: Row) -> Ruling:
    return Ruling(Verdict(row["verdict"]), row["decided_by"], moment_from_text(row["decided_at"]))
