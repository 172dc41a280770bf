"""Themes in the database: matches, editors' corrections, and the lexicon that filed each article."""

import contextlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from digest.model import Correction, Match, ThemeName, Verdict
from digest.store.articles import correction_from_row, match_values
from digest.store.database import Database, text_from_moment


def save_themes(db: Database, themes: Sequence[ThemeName], language: str) -> None:
    """The themes of config.toml as rows, which matches refer to."""
    db.run_many(
        """INSERT INTO themes (name, title, position) VALUES (?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET title = excluded.title, position = excluded.position
            WHERE title != excluded.title OR position != excluded.position""",
        [(theme.key, theme.title(language), i) for i, theme in enumerate(themes, 1)],
    )


def save_matches(db: Database, article_id: int, matches: Sequence[Match]) -> None:
    """Replace the article's themes; `matches` are the best first."""
    db.run("DELETE FROM matches WHERE article_id = ?", (article_id,))
    language = db.value("SELECT language FROM articles WHERE id = ?", (article_id,))
    for rank, match in enumerate(matches, 1):
        row = {"article_id": article_id, "language": language, "rank": rank, **match_values(match)}
        db.insert("matches", row)


_COLUMNS = "article_id, theme, language, rank, score, threshold, decided_by, lexicon_version"
_MATCHES = """(
  article_id INTEGER NOT NULL, theme TEXT NOT NULL, language TEXT NOT NULL,
  rank INTEGER NOT NULL, score REAL NOT NULL, threshold REAL NOT NULL, decided_by TEXT NOT NULL, lexicon_version TEXT NOT NULL,
  evidence TEXT NOT NULL, PRIMARY KEY (article_id, theme)) WITHOUT ROWID
"""
_CORRECTIONS = """coalesce((SELECT group_concat(theme || '=' || verdict) FROM theme_corrections
  WHERE article_id = articles.id), '')"""


def save_filing(db: Database, article_id: int, matches: Sequence[Match], version: str) -> None:
    """Replace the article's themes by what the lexicon of this version files, the best first."""
    save_matches(db, article_id, matches)
    db.run("UPDATE articles SET lexicon_version = ? WHERE id = ?", (version, article_id))


def filed_otherwise(db: Database, version: str, since: datetime | None = None) -> list[int]:
    """Articles that came in since then and that another lexicon filed, by id."""
    sql = """SELECT id FROM articles
              WHERE lexicon_version IS NOT ? AND first_seen_at >= ? ORDER BY id"""
    earliest = "" if since is None else text_from_moment(since)
    return [int(row["id"]) for row in db.rows(sql, (version, earliest))]


def count_filed_otherwise(db: Database, version: str) -> int:
    # Ranges of the index; all are empty where this lexicon filed every article.
    sql = """SELECT (SELECT count(*) FROM articles WHERE lexicon_version < ?)
                  + (SELECT count(*) FROM articles WHERE lexicon_version > ?)
                  + (SELECT count(*) FROM articles WHERE lexicon_version IS NULL)"""
    return int(db.value(sql, (version, version)))


def filed_by(db: Database, article_ids: Sequence[int]) -> dict[int, str | None]:
    """The version of the lexicon that filed each article; None where it is not known."""
    marks = ", ".join("?" * len(article_ids))
    sql = f"SELECT id, lexicon_version FROM articles WHERE id IN ({marks})"  # noqa: S608 - marks only
    return {row["id"]: row["lexicon_version"] for row in db.rows(sql, article_ids)}


def save_lexicon(
    db: Database,
    version: str,
    thresholds: Sequence[tuple[str, float]],
    terms: Iterable[tuple[str, str, str, float]],
) -> None:
    """Save a lexicon's thresholds and terms, so that a later one can report what it changes.

    `terms` are theme, term as written, role and weight.
    """
    if db.value("SELECT 1 FROM lexicons WHERE version = ?", (version,)) is None:
        text = json.dumps(
            {"thresholds": dict(thresholds), "terms": list(terms)}, ensure_ascii=False
        )
        db.run("INSERT INTO lexicons VALUES (?, ?)", (version, text))


def load_lexicon(
    db: Database, version: str | None
) -> tuple[dict[str, float], list[tuple[str, str, str, float]]] | None:
    """The thresholds and terms of a lexicon as save_lexicon takes them; None: not known."""
    text = db.value("SELECT contents FROM lexicons WHERE version = ?", (version,))
    if text is None:
        return None
    lexicon = json.loads(text)
    return lexicon["thresholds"], [tuple(term) for term in lexicon["terms"]]


@contextlib.contextmanager
def spool(db: Database) -> Iterator[None]:
    """Temporary tables for articles as another lexicon files them; dropped afterwards."""
    db.run(
        """CREATE TEMP TABLE refiled (article_id INTEGER PRIMARY KEY, version INTEGER NOT NULL,
             lexicon_version TEXT, corrections TEXT NOT NULL)"""
    )
    db.run(f"CREATE TEMP TABLE refiled_matches {_MATCHES}")
    try:
        yield
    finally:
        db.run("DROP TABLE temp.refiled")
        db.run("DROP TABLE temp.refiled_matches")


def put_in_spool(db: Database, filings: Collection[tuple[int, Sequence[Match]]]) -> None:
    """Put articles with the themes that they would have into the spool, or replace them there."""
    ids = [(article_id,) for article_id, _ in filings]
    db.run_many("DELETE FROM temp.refiled_matches WHERE article_id = ?", ids)
    db.run_many(
        f"""REPLACE INTO temp.refiled SELECT id, version, lexicon_version, {_CORRECTIONS}
              FROM articles WHERE id = ?""",  # noqa: S608 - our own words
        ids,
    )
    db.run_many(
        """INSERT INTO temp.refiled_matches VALUES (:article_id, :theme,
             (SELECT language FROM articles WHERE id = :article_id), :rank, :score, :threshold,
             :decided_by, :lexicon_version, :evidence)""",
        [
            {"article_id": article_id, "rank": rank, **match_values(match)}
            for article_id, matches in filings
            for rank, match in enumerate(matches, 1)
        ],
    )


def spooled(db: Database) -> list[int]:
    """The articles in the spool, by id."""
    return [row["article_id"] for row in db.rows("SELECT article_id FROM temp.refiled ORDER BY 1")]


def changed_since_spooled(db: Database, article_ids: Sequence[int]) -> list[int]:
    """Those of these articles that another process revised, refiled or corrected after they were put in
    the spool.
    """
    sql = f"""
    SELECT article_id FROM temp.refiled JOIN articles ON articles.id = article_id
     WHERE article_id IN (SELECT value FROM json_each(?)) AND (refiled.version != articles.version
        OR refiled.lexicon_version IS NOT articles.lexicon_version
        OR refiled.corrections != {_CORRECTIONS})
     ORDER BY article_id
    """  # noqa: S608 - our own words
    return [int(row["article_id"]) for row in db.rows(sql, (json.dumps(article_ids),))]


def save_spool(db: Database, version: str, article_ids: Sequence[int]) -> None:
    """Copy the themes of these articles from the spool into the store. Call inside a write."""
    ids = json.dumps(article_ids)
    db.run("DELETE FROM matches WHERE article_id IN (SELECT value FROM json_each(?))", (ids,))
    db.run(
        f"""INSERT INTO matches ({_COLUMNS}, evidence)
            SELECT {_COLUMNS}, evidence FROM temp.refiled_matches
             WHERE article_id IN (SELECT value FROM json_each(?))""",  # noqa: S608 - our own words
        (ids,),
    )
    sql = "UPDATE articles SET lexicon_version = ? WHERE id IN (SELECT value FROM json_each(?))"
    db.run(sql, (version, ids))


@contextlib.contextmanager
def supposing(db: Database) -> Iterator[None]:
    """Within it every query on matches sees the store as save_spool would leave it, without evidence.

    A temporary table hides the one of the same name; the database itself does not change.
    """
    columns = f"""{_COLUMNS}, '{{"hits": [], "blotted": []}}'"""
    db.run(f"CREATE TEMP TABLE matches {_MATCHES}")
    db.run("CREATE INDEX temp.supposed_by_theme ON matches (theme, language, article_id)")
    try:
        db.run(
            f"""INSERT INTO temp.matches SELECT {columns} FROM main.matches
                 WHERE article_id NOT IN (SELECT article_id FROM temp.refiled)
                 UNION ALL SELECT {columns} FROM temp.refiled_matches"""  # noqa: S608 - our own words
        )
        yield
    finally:
        db.run("DROP TABLE temp.matches")


def stored_themes(db: Database) -> list[str]:
    """Every theme that articles were ever filed under, also those that config.toml has lost."""
    return [str(row["name"]) for row in db.rows("SELECT name FROM themes ORDER BY position, name")]


def theme_corrections(db: Database, article_id: int) -> dict[str, Correction]:
    """What editors ruled on an article, by theme."""
    return theme_corrections_of(db, [article_id]).get(article_id, {})


def theme_corrections_of(
    db: Database, article_ids: Sequence[int]
) -> dict[int, dict[str, Correction]]:
    """What editors ruled on each of these articles, by theme; articles without a ruling are left out."""
    marks = ", ".join("?" * len(article_ids))
    sql = f"SELECT * FROM theme_corrections WHERE article_id IN ({marks})"  # noqa: S608 - marks only
    corrections: dict[int, dict[str, Correction]] = {}
    for row in db.rows(sql, article_ids):
        corrections.setdefault(row["article_id"], {})[row["theme"]] = correction_from_row(row)
    return corrections


def corrected_articles(db: Database) -> list[int]:
    """The articles whose themes an editor corrected, by id."""
    sql = "SELECT DISTINCT article_id FROM theme_corrections ORDER BY article_id"
    return [int(row["article_id"]) for row in db.rows(sql)]


def rule_theme(
    db: Database, article_id: int, theme: str, verdict: Verdict, by: str, moment: datetime
) -> None:
    """Save an editor's ruling on a theme; the same ruling again keeps the first editor's name."""
    db.run(
        """INSERT INTO theme_corrections VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (article_id, theme) DO UPDATE SET verdict = excluded.verdict,
             decided_by = excluded.decided_by, decided_at = excluded.decided_at
            WHERE theme_corrections.verdict != excluded.verdict""",
        (article_id, theme, verdict.value, by, text_from_moment(moment)),
    )


def forget_theme_corrections(db: Database, article_id: int) -> int:
    """Delete all rulings on an article's themes; how many there were."""
    return db.run("DELETE FROM theme_corrections WHERE article_id = ?", (article_id,))
