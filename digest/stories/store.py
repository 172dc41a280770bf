"""Stories in the database: fingerprints and their index, links with their reasons, editors' corrections."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache

from digest.model import Correction, Verdict
from digest.store.articles import correction_from_row
from digest.store.database import Database, Row, moment_from_text, text_from_moment
from digest.stories.fingerprints import Fingerprint
from digest.stories.likeness import UNCOUNTED, Comparison, Counts, Member, lead_of, wanted


def story_corrections(db: Database, article_id: int) -> dict[int, Correction]:
    """What editors ruled on an article and others, by the other's id."""
    sql = """SELECT other_id AS other, story_corrections.* FROM story_corrections WHERE article_id = :id
              UNION ALL
             SELECT article_id AS other, story_corrections.* FROM story_corrections WHERE other_id = :id"""
    rows = db.rows(sql, {"id": article_id})
    return {row["other"]: correction_from_row(row) for row in rows}


def rulings_among(db: Database, article_ids: Sequence[int]) -> dict[tuple[int, int], Verdict]:
    """What editors ruled on each two of these articles, the lower id first."""
    sql = """WITH wanted AS (SELECT value AS id FROM json_each(?))
             SELECT article_id, other_id, verdict FROM story_corrections
              WHERE article_id IN wanted AND other_id IN wanted"""
    return {
        (row["article_id"], row["other_id"]): Verdict(row["verdict"])
        for row in db.rows(sql, (json.dumps(article_ids),))
    }


def rule_pair(
    db: Database, one: int, other: int, verdict: Verdict, by: str, moment: datetime
) -> None:
    """Save an editor's ruling on two articles; the same ruling again keeps the first editor's name."""
    first, second = sorted((one, other))
    db.run(
        """INSERT INTO story_corrections VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (article_id, other_id) DO UPDATE SET verdict = excluded.verdict,
             decided_by = excluded.decided_by, decided_at = excluded.decided_at
            WHERE story_corrections.verdict != excluded.verdict""",
        (first, second, verdict.value, by, text_from_moment(moment)),
    )


def forget_story_corrections(db: Database, article_id: int) -> None:
    """Delete all rulings on an article and others."""
    sql = "DELETE FROM story_corrections WHERE article_id = :id OR other_id = :id"
    db.run(sql, {"id": article_id})


def forget_splits(db: Database, article_ids: Iterable[int]) -> None:
    """Delete every split between two of these articles."""
    ids = sorted(article_ids)
    marks = ", ".join("?" * len(ids))
    sql = f"""DELETE FROM story_corrections WHERE verdict = 'split'
                AND article_id IN ({marks}) AND other_id IN ({marks})"""  # noqa: S608 - marks only
    db.run(sql, [*ids, *ids])


CANDIDATES = """
WITH near AS (
  SELECT entry.article_id, count(*) AS shared
  FROM json_each(:keys) AS wanted CROSS JOIN story_keys AS entry
  WHERE entry.key = wanted.value AND entry.article_id >= coalesce(
    (SELECT article_id FROM story_keys WHERE key = wanted.value
      ORDER BY article_id DESC LIMIT 1 OFFSET 31), 0)
  GROUP BY entry.article_id HAVING shared >= 2
)
SELECT article_id, fingerprint FROM near JOIN fingerprints USING (article_id)
WHERE article_id <> :article_id AND (day IS NULL OR day BETWEEN :earliest AND :latest)
ORDER BY shared DESC, article_id DESC LIMIT 16
"""
"""Rows (article_id, fingerprint) of the articles that may be about the same event, best first."""
MOST = 16
"""Rows of CANDIDATES at most."""
LIKENESS = "likeness"
EDITOR = "editor"
"""Who made a link."""


def save_fingerprint(db: Database, article_id: int, fingerprint: Fingerprint) -> str:
    """Replace what candidates of an article's story are found by; the fingerprint in JSON."""
    text = fingerprint.to_json()
    day = fingerprint.when and fingerprint.when.isoformat()
    db.run(
        """INSERT INTO fingerprints (article_id, day, fingerprint) VALUES (?, ?, ?)
           ON CONFLICT (article_id) DO UPDATE SET day = excluded.day,
             fingerprint = excluded.fingerprint""",
        (article_id, day, text),
    )
    db.run("DELETE FROM story_keys WHERE article_id = ?", (article_id,))
    sql = "INSERT INTO story_keys (key, article_id) VALUES (?, ?)"
    db.run_many(sql, [(key, article_id) for key in set(fingerprint.keys)])
    return text


def candidates(db: Database, article_id: int, fingerprint: Fingerprint) -> list[tuple[int, str]]:
    """The articles that may be about the same event, those that share most first: fingerprints in JSON."""
    rows = db.rows(CANDIDATES, {**wanted(fingerprint), "article_id": article_id})
    return [(row["article_id"], row["fingerprint"]) for row in rows]


def counts(db: Database) -> Counts:
    """How usual keys are, as last counted; the same object until they are counted again."""
    row = db.row("SELECT version, articles, keys FROM story_counts")
    return UNCOUNTED if row is None else _counts(*row.values())


@lru_cache(maxsize=2)
def _counts(version: int, articles: int, keys: str) -> Counts:
    return Counts(version, articles, {int(key): n for key, n in json.loads(keys).items()})


def articles_to_count(db: Database) -> int:
    """The highest id: to count a million would read all their fingerprints, at each ingest."""
    return int(db.value("SELECT coalesce(max(article_id), 0) FROM fingerprints"))


def count_keys(db: Database, least: int) -> dict[int, int]:
    """In how many articles each key is that at least so many have."""
    sql = "SELECT key, count(*) AS n FROM story_keys GROUP BY key HAVING n >= ?"
    return {row["key"]: row["n"] for row in db.rows(sql, (least,))}


def save_counts(db: Database, counts: Counts, moment: datetime) -> None:
    """Replace the counts. Call inside a write."""
    db.run("DELETE FROM story_counts")
    row = (counts.version, text_from_moment(moment), counts.articles, json.dumps(counts.keys))
    db.run("INSERT INTO story_counts VALUES (?, ?, ?, ?)", row)


def save_link(
    db: Database, one: int, other: int, comparison: Comparison, by: str, moment: datetime
) -> None:
    """Save that two articles are about the same event, and why.

    `by` is LIKENESS or EDITOR; what an editor joined stays the editor's.
    """
    pair, reasons = sorted((one, other)), json.dumps(comparison.reasons, ensure_ascii=False)
    db.run(
        """INSERT INTO story_links VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (article_id, other_id) DO UPDATE SET kind = excluded.kind,
             score = excluded.score, reasons = excluded.reasons, decided_by = excluded.decided_by
            WHERE story_links.decided_by != 'editor' OR excluded.decided_by = 'editor'""",
        (*pair, comparison.kind, comparison.score, reasons, by, text_from_moment(moment)),
    )


def story_of(db: Database, article_id: int) -> int | None:
    value = db.value("SELECT story_id FROM articles WHERE id = ?", (article_id,))
    return None if value is None else int(value)


def members(db: Database, story_id: int) -> list[int]:
    sql = "SELECT id FROM articles WHERE story_id = ? ORDER BY id"
    return [int(row["id"]) for row in db.rows(sql, (story_id,))]


def links_of(db: Database, article_id: int, by: str | None = None) -> set[int]:
    """The articles that this one is linked to, by LIKENESS or EDITOR or, without `by`, by either."""
    sql = """SELECT other_id AS id, decided_by FROM story_links WHERE article_id = :id
              UNION SELECT article_id, decided_by FROM story_links WHERE other_id = :id"""
    rows = db.rows(sql, {"id": article_id})
    return {int(row["id"]) for row in rows if by in (None, row["decided_by"])}


def unlink(db: Database, article_id: int, others: Iterable[int]) -> None:
    """Delete the links between an article and others, those of an editor too."""
    sql = "DELETE FROM story_links WHERE article_id = ? AND other_id = ?"
    db.run_many(sql, [tuple(sorted((article_id, other))) for other in others])


def fingerprints_of(db: Database, article_ids: Sequence[int]) -> dict[int, str]:
    """The fingerprints of these articles in JSON, by id."""
    marks = ", ".join("?" * len(article_ids))
    sql = f"SELECT article_id, fingerprint FROM fingerprints WHERE article_id IN ({marks})"  # noqa: S608 - marks only
    return {row["article_id"]: row["fingerprint"] for row in db.rows(sql, article_ids)}


def days_of(db: Database, article_ids: Sequence[int]) -> dict[int, date | None]:
    """The day of each of these articles, or else the day it came: `Fingerprint.when`."""
    sql = """SELECT article_id, day FROM fingerprints
              WHERE article_id IN (SELECT value FROM json_each(?))"""
    rows = db.rows(sql, (json.dumps(article_ids),))
    return {row["article_id"]: row["day"] and date.fromisoformat(row["day"]) for row in rows}


def received_at(db: Database, article_id: int) -> datetime:
    return moment_from_text(
        db.value("SELECT received_at FROM articles WHERE id = ?", (article_id,))
    )


MOST_AROUND = 200  # articles of a neighbourhood; a wider one is cut off


def neighbourhood(db: Database, article_ids: Iterable[int]) -> list[int]:
    """These articles and all that links, editors' rulings and stories connect with them."""
    sql = """
    WITH wanted AS (SELECT value AS id FROM json_each(?))
    SELECT other_id AS id FROM story_links WHERE article_id IN wanted
     UNION SELECT article_id FROM story_links WHERE other_id IN wanted
     UNION SELECT other_id FROM story_corrections WHERE article_id IN wanted
     UNION SELECT article_id FROM story_corrections WHERE other_id IN wanted
     UNION SELECT other.id FROM articles JOIN articles AS other USING (story_id)
            WHERE articles.id IN wanted
    """
    around: set[int] = set()
    edge = set(article_ids)
    while edge and len(around) < MOST_AROUND:
        around |= edge
        edge = {row["id"] for row in db.rows(sql, (json.dumps(sorted(edge)),))} - around
    return sorted(around)


def new_story(db: Database, moment: datetime) -> int:
    return db.insert("stories", {"made_at": text_from_moment(moment)})


def move(db: Database, article_id: int, story_id: int) -> None:
    """Make an article a member of a story; call choose_lead once all are there."""
    db.run("UPDATE articles SET story_id = ? WHERE id = ?", (story_id, article_id))


def take_out(db: Database, article_ids: Iterable[int]) -> None:
    """Put these articles into no story; call choose_lead on the one that they leave."""
    db.run_many("UPDATE articles SET story_id = NULL WHERE id = ?", [(i,) for i in article_ids])


def choose_lead(db: Database, story_id: int, ranks: Sequence[str]) -> None:
    """Choose which member leads; a story of fewer than two articles is deleted.

    `ranks` are the names of the sources in the order of config.toml.
    """
    sql = """SELECT articles.id, complete, first_seen_at, sources.name AS source
               FROM articles JOIN sources ON sources.id = source_id WHERE story_id = ?"""
    rows = db.rows(sql, (story_id,))
    if len(rows) < 2:
        take_out(db, [row["id"] for row in rows])
        db.run("DELETE FROM stories WHERE id = ?", (story_id,))
        return
    lead = lead_of(
        Member(
            row["id"],
            bool(row["complete"]),
            moment_from_text(row["first_seen_at"]),
            ranks.index(row["source"]) if row["source"] in ranks else len(ranks),
        )
        for row in rows
    )
    db.run("UPDATE stories SET lead_article_id = ? WHERE id = ?", (lead, story_id))


def lead_article(db: Database, story_id: int) -> int | None:
    value = db.value("SELECT lead_article_id FROM stories WHERE id = ?", (story_id,))
    return None if value is None else int(value)


def list_stories(db: Database, limit: int | None = None) -> list[Row]:
    """Stories of two articles or more, the newest first, each with its members and links."""
    sql = """
    SELECT stories.id, stories.lead_article_id, max(articles.first_seen_at) AS newest
      FROM stories JOIN articles ON articles.story_id = stories.id
     GROUP BY stories.id HAVING count(*) > 1 ORDER BY newest DESC, stories.id LIMIT ?
    """
    stories = db.rows(sql, (-1 if limit is None else limit,))
    for story in stories:
        story["articles"] = members(db, story["id"])
        story["links"] = links_within(db, story["articles"])
    return stories


def story_by_id(db: Database, story_id: int) -> Row:
    """One story with its members and links, as list_stories gives them; it must exist."""
    articles = members(db, story_id)
    return {
        "id": story_id,
        "lead_article_id": lead_article(db, story_id),
        "articles": articles,
        "links": links_within(db, articles),
    }


def links_within(db: Database, article_ids: Sequence[int]) -> list[Row]:
    """The links among these articles, with their reasons."""
    marks = ", ".join("?" * len(article_ids))
    sql = f"""SELECT article_id, other_id, kind, score, reasons, decided_by FROM story_links
               WHERE article_id IN ({marks}) AND other_id IN ({marks})
               ORDER BY article_id, other_id"""  # noqa: S608 - marks only
    links = db.rows(sql, [*article_ids, *article_ids])
    for link in links:
        link["reasons"] = json.loads(link["reasons"])
    return links
