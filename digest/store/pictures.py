"""Our copies of articles' pictures: which are to be fetched, and which readers may see."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from digest.config.settings import Settings
from digest.errors import NotFoundError
from digest.model import Article
from digest.store.database import Database, text_from_moment

SMALL, LARGE = 480, 1200
"""Widths of the copies in pixels; a smaller picture keeps its own."""
MOST_KEPT = 2_000
"""Pictures whose copies are kept, the newest: about half a gigabyte."""
LOOKED_AT = 200

_HAS = "picture IS NOT NULL AND json_extract(picture, '$.url') = +pictures.url"
"""An article has this picture. By the plus SQLite compares with the index."""
_SHOWN = f"""{_HAS}
  AND articles.withdrawn_at IS NULL AND coalesce(articles.opens_at, '') <= :now
  AND sources.name IN (SELECT value FROM json_each(:allowed))"""  # noqa: S608 - ours
"""This article shows this picture now."""
_SOURCE = f"""(SELECT sources.name FROM articles CROSS JOIN sources ON sources.id = articles.source_id
  WHERE {_SHOWN} ORDER BY articles.id LIMIT 1)"""  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class Copies:
    """Our copies of a picture, from small to large. `width` and `height` are those of the largest."""

    name: str
    widths: tuple[int, ...]
    width: int
    height: int
    alt: str
    credit: str

    def file(self, width: int, form: str) -> str:
        """The name of a copy, in the form "avif" or "webp"."""
        return f"{self.name}-{width}.{form}"


@dataclass(frozen=True, slots=True)
class Due:
    """A picture to fetch, of an article of that source; `failures` is how often that failed before."""

    url: str
    source: str
    failures: int


@dataclass(frozen=True, slots=True)
class Made:
    """The copies of one picture: by width and form their bytes."""

    name: str
    width: int
    height: int
    files: dict[tuple[int, str], bytes]


def _asked(settings: Settings, now: datetime) -> dict[str, object]:
    allowed = [source.name for source in settings.sources if source.shows_pictures]
    return {"now": text_from_moment(now), "allowed": json.dumps(allowed)}


def due_pictures(db: Database, settings: Settings, now: datetime, limit: int) -> list[Due]:
    """The newest pictures that are to be fetched. Those that no article may show are dropped until an article
    of theirs changes."""
    sql = f"""SELECT url, failures, {_SOURCE} AS source FROM pictures
               WHERE next_at <= :now ORDER BY next_at DESC, url LIMIT {LOOKED_AT}"""  # noqa: S608 - ours
    rows = db.rows(sql, _asked(settings, now))
    if unseen := [(row["url"],) for row in rows if not row["source"]]:
        with db.write():
            db.run_many("UPDATE pictures SET next_at = NULL WHERE url = ?", unseen)
    due = [Due(row["url"], row["source"], row["failures"]) for row in rows if row["source"]]
    return due[:limit]


def save_picture(db: Database, url: str, made: Made, now: datetime) -> None:
    """Keep the copies of a picture. Call inside a write."""
    db.run(
        """UPDATE pictures SET name = ?, width = ?, height = ?, asked_at = ?, next_at = NULL,
             failures = 0, error = NULL WHERE url = ?""",
        (made.name, made.width, made.height, text_from_moment(now), url),
    )
    db.run_many(
        """INSERT INTO picture_copies (name, width, form, data) VALUES (?, ?, ?, ?)
           ON CONFLICT (name, width, form) DO UPDATE SET data = excluded.data""",
        [(made.name, *key, data) for key, data in made.files.items()],
    )


def save_failure(
    db: Database, url: str, error: str, now: datetime, again: datetime | None, failures: int
) -> None:
    """That a picture could not be had, and when it is asked for again, if it is. Call inside a write."""
    sql = "UPDATE pictures SET asked_at = ?, next_at = ?, failures = ?, error = ? WHERE url = ?"
    db.run(sql, (text_from_moment(now), again and text_from_moment(again), failures, error, url))


def picture_of(db: Database, settings: Settings, articles: Iterable[Article]) -> dict[int, Copies]:
    """Our copies of the pictures of these articles, by their ids, where there are some that may be shown."""
    wanted = {one.id: picture for one in articles if (picture := settings.picture(one))}
    sql = """SELECT url, name, width, height FROM pictures
              WHERE url IN (SELECT value FROM json_each(?)) AND name IS NOT NULL"""
    urls = json.dumps(sorted({picture.url for picture in wanted.values()}))
    had = {row["url"]: row for row in db.rows(sql, (urls,))} if wanted else {}
    found = {}
    for article_id, picture in wanted.items():
        if (row := had.get(picture.url)) is not None:
            width, height = row["width"], row["height"]
            widths = (SMALL, width) if width > SMALL else (width,)
            sizes = widths, width, height
            found[article_id] = Copies(row["name"], *sizes, picture.alt, picture.credit)
    return found


def picture_copy(
    db: Database, settings: Settings, now: datetime, name: str, width: int, form: str
) -> tuple[bytes, bool]:
    """The bytes of a copy, and whether an article shows it now.

    Raises:
        NotFoundError: there is no such copy.
    """
    sql = f"""SELECT data, {_SOURCE} IS NOT NULL AS shown FROM picture_copies
                JOIN pictures USING (name)
               WHERE name = :name AND picture_copies.width = :width AND form = :form"""  # noqa: S608 - ours
    which = {"name": name, "width": width, "form": form}
    row = db.row(sql, _asked(settings, now) | which)
    if row is None:
        raise NotFoundError(f"There is no picture {name}")
    return row["data"], bool(row["shown"])


def prune_pictures(db: Database) -> int:
    """Delete the copies of pictures that no article has any more, and of all but the newest."""
    sql = f"""SELECT name FROM pictures WHERE name IS NOT NULL AND (
                NOT EXISTS (SELECT 1 FROM articles WHERE {_HAS} AND withdrawn_at IS NULL)
                OR name NOT IN (SELECT name FROM pictures WHERE name IS NOT NULL
                  ORDER BY asked_at DESC, url LIMIT ?))"""  # noqa: S608 - ours
    with db.write():
        names = [(row["name"],) for row in db.rows(sql, (MOST_KEPT,))]
        db.run_many("DELETE FROM picture_copies WHERE name = ?", names)
        db.run_many(
            "UPDATE pictures SET name = NULL, width = NULL, height = NULL WHERE name = ?", names
        )
    return len(names)
