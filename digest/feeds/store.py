"""The SQL of what is published: what each channel ever held, in which archive, and what it last said."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from digest.model import Article
from digest.newsroom import EPOCH
from digest.store.articles import FROZEN, article_from_row
from digest.store.database import Database, Row, moment_from_text, text_from_moment


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a place has come: the changes until `change`, the embargoes until `moment`."""

    change: int
    moment: datetime
    token: str


NOWHERE = Progress(0, EPOCH, "")


@dataclass(frozen=True, slots=True)
class Pin:
    """An article as a channel held it; `number` is the archive that has it, None while it waits for one."""

    slug: str
    article_id: int
    number: int | None
    version: int
    themes: tuple[str, ...]
    updated_at: datetime


def progress_of(db: Database, place: str) -> Progress:
    row = db.row("SELECT change, moment, token FROM places WHERE name = ?", (place,))
    if row is None:
        return NOWHERE
    return Progress(row["change"], moment_from_text(row["moment"]), row["token"])


def save_progress(db: Database, place: str, progress: Progress, before: str | None = None) -> None:
    """Call inside a write. `before` is the token with which this run began: where another one ended
    since, older files may have replaced newer ones, and no token is kept, so that the next run looks at
    all files.
    """
    sql = """INSERT INTO places VALUES (:place, :change, :moment, :token) ON CONFLICT (name) DO UPDATE
                SET change = excluded.change, moment = excluded.moment, token =
                    CASE WHEN coalesce(:before, places.token) = places.token THEN excluded.token ELSE '' END"""
    moment = text_from_moment(progress.moment)
    values = {"change": progress.change, "moment": moment, "token": progress.token}
    db.run(sql, {"place": place, "before": before, **values})


def pins_now(db: Database, article_ids: Collection[int]) -> dict[int, Pin]:
    """These articles as they are now, for a channel without a name."""
    sql = """SELECT '' AS slug, id AS article_id, NULL AS number, version, updated_at,
                    (SELECT json_group_array(theme) FROM (SELECT theme FROM matches
                      WHERE article_id = articles.id ORDER BY rank)) AS themes
               FROM articles WHERE id IN (SELECT value FROM json_each(?))"""
    pins = (_pin(row) for row in db.rows(sql, (json.dumps(sorted(article_ids)),)))
    return {pin.article_id: pin for pin in pins}


def pins_of(db: Database, article_ids: Collection[int]) -> dict[tuple[str, int], Pin]:
    """What channels hold or held of these articles, by channel and article."""
    sql = "SELECT * FROM archive_entries WHERE article_id IN (SELECT value FROM json_each(?))"
    pins = (_pin(row) for row in db.rows(sql, (json.dumps(sorted(article_ids)),)))
    return {(pin.slug, pin.article_id): pin for pin in pins}


def _pin(row: Row) -> Pin:
    return Pin(
        row["slug"],
        row["article_id"],
        row["number"],
        row["version"],
        tuple(json.loads(row["themes"])),
        moment_from_text(row["updated_at"]),
    )


def save_pins(db: Database, pins: Iterable[Pin], left: Iterable[Pin]) -> None:
    """Pin what waits, and forget what `left` its channel while it waited. Call inside a write."""
    db.run_many(
        """INSERT INTO archive_entries (slug, article_id, version, themes, updated_at)
           VALUES (?, ?, ?, ?, ?) ON CONFLICT (slug, article_id) DO UPDATE SET
             version = excluded.version, themes = excluded.themes, updated_at = excluded.updated_at
             WHERE archive_entries.number IS NULL""",
        [
            (
                pin.slug,
                pin.article_id,
                pin.version,
                json.dumps(pin.themes),
                text_from_moment(pin.updated_at),
            )
            for pin in pins
        ],
    )
    db.run_many(
        "DELETE FROM archive_entries WHERE slug = ? AND article_id = ? AND number IS NULL",
        [(pin.slug, pin.article_id) for pin in left],
    )


def close_archives(db: Database, slug: str, size: int) -> None:
    """Make archives of `size` of what waits, as it came in, if it is enough. Call inside a write."""
    db.run(
        """UPDATE archive_entries SET number = newest + 1 + nth / :size, position = nth % :size
             FROM (SELECT article_id AS one, count(*) OVER () / :size * :size AS enough,
                          row_number() OVER (ORDER BY first_seen_at, id) - 1 AS nth,
                          (SELECT coalesce(max(number), 0) FROM archive_entries
                            WHERE slug = :slug AND number IS NOT NULL) AS newest
                     FROM archive_entries JOIN articles ON articles.id = article_id
                    WHERE slug = :slug AND archive_entries.number IS NULL) AS waits
            WHERE slug = :slug AND article_id = one AND nth < enough""",
        {"slug": slug, "size": size},
    )


def waiting(db: Database, slug: str) -> list[int]:
    """The articles of a channel that are in no archive."""
    sql = "SELECT article_id FROM archive_entries WHERE slug = ? AND number IS NULL"
    return [row["article_id"] for row in db.rows(sql, (slug,))]


def archives(
    db: Database, article_ids: Collection[int] | None = None
) -> dict[tuple[str, int], str]:
    """Every archive by channel and number, or those with these articles; and a mark that changes with
    what is withdrawn in it. A restored store never has the same one for another archive."""
    wanted, values = "archive_entries", []
    if article_ids is not None:
        wanted = "json_each(?) AS one CROSS JOIN archive_entries ON article_id = one.value"
        values = [json.dumps(sorted(article_ids))]
    sql = f"SELECT DISTINCT slug, number FROM {wanted} WHERE number IS NOT NULL"  # noqa: S608 - ours
    numbers = [(row["slug"], row["number"]) for row in db.each(sql, values)]
    held = """SELECT group_concat(article_id || ' ' || archive_entries.version || themes
                                  || archive_entries.updated_at || coalesce(withdrawn_at, ''))
                FROM archive_entries JOIN articles ON articles.id = article_id
               WHERE slug = ? AND archive_entries.number = ?"""
    return {one: sha256(db.value(held, one).encode()).hexdigest()[:16] for one in numbers}


def archived_articles(
    db: Database, slug: str, number: int
) -> Iterator[tuple[Article, tuple[str, ...]]]:
    """What is in an archive, newest first: each article as it was then, and its themes. Of what came
    later it shows only whether it is withdrawn."""
    sql = f"""
    SELECT {FROZEN}, archive_entries.themes, articles.story_id, CASE WHEN articles.withdrawn_at IS NULL
             THEN archive_entries.updated_at ELSE articles.updated_at END AS updated_at
      FROM archive_entries JOIN article_versions USING (article_id, version)
      JOIN articles ON articles.id = article_id JOIN sources ON sources.id = articles.source_id
      LEFT JOIN documents ON documents.id = articles.document_id
     WHERE slug = ? AND archive_entries.number = ? ORDER BY position DESC
    """  # noqa: S608 - ours
    for row in db.each(sql, (slug, number)):
        article = replace(article_from_row(row), corrected_at=None, corrected=())
        yield article, tuple(json.loads(row["themes"]))


def newest_archive(db: Database, slug: str) -> int | None:
    """The number of the newest archive of a channel."""
    sql = "SELECT max(number) FROM archive_entries WHERE slug = ? AND number IS NOT NULL"
    number: int | None = db.value(sql, (slug,))
    return number


def announced(db: Database) -> dict[str, dict[str, str]]:
    """The hashes of the files of which the hub was told, by channel and name."""
    rows = db.rows("SELECT slug, announced FROM channels")
    return {row["slug"]: json.loads(row["announced"]) for row in rows}


def save_announced(db: Database, files: Mapping[str, Mapping[str, str]]) -> None:
    """Call inside a write."""
    sql = """INSERT INTO channels VALUES (?, ?, ?)
                 ON CONFLICT (slug) DO UPDATE SET announced = excluded.announced"""
    long_ago = text_from_moment(EPOCH)
    db.run_many(sql, [(slug, long_ago, json.dumps(one)) for slug, one in files.items()])


def said(db: Database) -> dict[str, datetime]:
    """The `updated` that each channel has shown."""
    rows = db.rows("SELECT slug, updated_at FROM channels")
    return {row["slug"]: moment_from_text(row["updated_at"]) for row in rows}


def save_said(db: Database, moments: Sequence[tuple[str, datetime]]) -> None:
    """Call inside a write."""
    db.run_many(
        """INSERT INTO channels (slug, updated_at) VALUES (?, ?) ON CONFLICT (slug) DO UPDATE
             SET updated_at = max(channels.updated_at, excluded.updated_at)""",
        [(slug, text_from_moment(moment)) for slug, moment in moments],
    )
