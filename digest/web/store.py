"""The SQL of the site and the desk."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from digest.errors import NotFoundError
from digest.store.articles import content_mark
from digest.store.database import Database, Row, text_from_moment

RANGE = 2500
"""How many ids a sitemap has: few enough that with two pages of each story it has at most 10,000
addresses. As in schema.sql."""


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


@dataclass(frozen=True, slots=True)
class Listed:
    """An article in a sitemap, with when it last changed. `leads` are the articles that lead its story,
    one in each language; `story_changed` is when the story last changed, if this one leads all of it."""

    id: int
    language: str
    changed: str
    leads: tuple["Listed", ...] = ()
    story_changed: str | None = None


def listed_ranges(db: Database, now: datetime) -> Iterator[tuple[int, str]]:
    """The ranges of ids that have an article, with when the latest of each changed."""
    at = text_from_moment(now)
    shown = """SELECT 1 FROM articles WHERE id / 2500 = ? AND withdrawn_at IS NULL
                  AND coalesce(opens_at, '') <= ? LIMIT 1"""
    changed = "SELECT max(updated_at) FROM articles WHERE id / 2500 = ? AND updated_at <= ?"
    for number in range((db.value("SELECT max(id) FROM articles") or 0) // RANGE + 1):
        if db.value(shown, (number, at)):
            yield number, db.value(changed, (number, at))


def listed_articles(db: Database, number: int, now: datetime) -> list[Listed]:
    """The articles of a range of ids that readers see."""
    within, shown = "id / 2500 = :number", "withdrawn_at IS NULL AND coalesce(opens_at, '') <= :now"
    values = {"number": number, "now": text_from_moment(now)}
    members = f"""SELECT articles.id, language, updated_at, story_id
                    FROM articles JOIN stories ON stories.id = story_id
                   WHERE {shown} AND story_id IN
                         (SELECT story_id FROM articles WHERE {within} AND story_id IS NOT NULL)
                   ORDER BY articles.id IS NOT lead_article_id, 1 - complete, first_seen_at, 1"""  # noqa: S608 - ours
    stories: dict[int, list[Listed]] = {}
    for row in db.each(members, values):
        one = Listed(row["id"], row["language"], row["updated_at"])
        stories.setdefault(row["story_id"], []).append(one)
    leads = {
        story: tuple({one.language: one for one in reversed(ones)}.values())
        for story, ones in stories.items()
    }
    listed = []
    sql = f"SELECT id, language, updated_at, story_id FROM articles WHERE {within} AND {shown} ORDER BY id"  # noqa: S608 - ours
    for row in db.each(sql, values):
        ones = stories.get(row["story_id"], [])
        first = len(ones) > 1 and ones[0].id == row["id"]
        listed.append(
            Listed(
                row["id"],
                row["language"],
                row["updated_at"],
                leads.get(row["story_id"], ()),
                max(one.changed for one in ones) if first else None,
            )
        )
    return listed


def listed_editions(db: Database) -> list[Row]:
    """The editions that went out, the newest first."""
    return db.rows(
        """SELECT digest, number, dated_at FROM editions
            WHERE status = 'composed' AND dated_at IS NOT NULL ORDER BY dated_at DESC, id DESC
            LIMIT 4000"""
    )
