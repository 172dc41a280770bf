"""The SQL of the site and the desk."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.editions.store import SENT
from digest.errors import NotFoundError
from digest.model import UNSURE
from digest.store.articles import content_mark
from digest.store.database import Database, Row, moment_from_text, text_from_moment

RANGE = 2500
"""How many ids a sitemap has: few enough that with two pages of each story it has at most 10,000
addresses. As in schema.sql."""


def site_mark(db: Database, now: datetime) -> str:
    """A text that changes whenever a page may: with articles, themes and stories, editions that go out, and
    our copies of pictures."""
    editions = """SELECT count(*) || ' ' || count(dated_at) || ' ' || coalesce(max(edited_at), '') || ' '
                         || coalesce(max(approved_at), '') || ' ' || sum(status = 'cancelled') FROM editions"""
    pictures = "SELECT coalesce(max(asked_at), '') FROM pictures WHERE asked_at IS NOT NULL"
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
    """The editions that went out, the newest first: digest, number, date, and in which languages."""
    return db.rows(
        f"""SELECT digest, sent.number, dated_at, group_concat(DISTINCT language) AS languages
             FROM (SELECT * FROM editions WHERE {SENT} ORDER BY dated_at DESC, id DESC LIMIT 4000) AS sent
             JOIN placements ON edition_id = sent.id JOIN article_versions USING (article_id, version)
            GROUP BY sent.id ORDER BY dated_at DESC, sent.id DESC"""  # noqa: S608 - ours
    )


def newest_change(db: Database) -> int:
    """The number of the last change of an article."""
    return int(db.value("SELECT max(change) FROM article_marks") or 0)


def changed_between(db: Database, change: int, until: datetime) -> list[datetime]:
    """When the articles came in that came in before `until` and changed after the change of that number."""
    sql = """SELECT DISTINCT first_seen_at FROM article_marks CROSS JOIN articles ON id = article_id
              WHERE change > ? AND first_seen_at < ?"""
    return [
        moment_from_text(row["first_seen_at"])
        for row in db.rows(sql, (change, text_from_moment(until)))
    ]


def themes_beside(db: Database, theme: str, article_ids: Collection[int]) -> dict[str, int]:
    """How many of these articles are under each other theme, the most frequent one first."""
    sql = """SELECT theme, count(*) AS n FROM matches
              WHERE article_id IN (SELECT value FROM json_each(?)) AND theme != ?
              GROUP BY theme ORDER BY n DESC, theme"""
    return {row["theme"]: row["n"] for row in db.rows(sql, (json.dumps(list(article_ids)), theme))}


DAY, LASTS = timedelta(days=1), timedelta(days=30)
"""How long a link that was asked for is kept, and a session after its last use."""


def links_asked(db: Database, address: str, network: str, since: datetime) -> Row:
    """How many links were asked for since then: `in_all`, `of_network`, `of_address` (a hash), `of_both`."""
    sql = """SELECT count(*) AS in_all, sum(network = :network) AS of_network,
                    sum(address = :address) AS of_address,
                    sum(network = :network AND address = :address) AS of_both
               FROM desk_links WHERE asked_at > :since"""
    given = {"address": address, "network": network, "since": text_from_moment(since)}
    return {name: count or 0 for name, count in (db.row(sql, given) or {}).items()}


def link_asked(db: Database, hashed: str, since: datetime) -> Row | None:
    """The link of this hash that was asked for since then and not used."""
    sql = "SELECT * FROM desk_links WHERE hash = ? AND asked_at > ? AND used_at IS NULL"
    return db.row(sql, (hashed, text_from_moment(since)))


def begin_session(db: Database, link: str, session: str, editor: str, now: datetime) -> bool:
    """Use up a link for a new session; False if it is used. Call inside a write."""
    at = text_from_moment(now)
    sql = "UPDATE desk_links SET used_at = ? WHERE hash = ? AND used_at IS NULL"
    if not db.run(sql, (at, link)):
        return False
    db.insert("desk_sessions", {"hash": session, "editor": editor, "began_at": at, "used_at": at})
    return True


def open_session(db: Database, hashed: str, since: datetime) -> Row | None:
    """The session of this hash that was used since then and not ended."""
    sql = "SELECT * FROM desk_sessions WHERE hash = ? AND used_at > ? AND ended_at IS NULL"
    return db.row(sql, (hashed, text_from_moment(since)))


def open_sessions(db: Database, since: datetime) -> list[Row]:
    """editor, began_at and used_at of each session that was used since then and not ended."""
    sql = """SELECT editor, began_at, used_at FROM desk_sessions
              WHERE used_at > ? AND ended_at IS NULL ORDER BY used_at DESC, hash"""
    return db.rows(sql, (text_from_moment(since),))


def use_session(db: Database, hashed: str, now: datetime) -> None:
    """Call inside a write."""
    db.run("UPDATE desk_sessions SET used_at = ? WHERE hash = ?", (text_from_moment(now), hashed))


def end_sessions(db: Database, now: datetime, *, hashed: str = "", editor: str = "") -> int:
    """End the session of this hash, or all of an editor; how many. Call inside a write."""
    sql = (
        "UPDATE desk_sessions SET ended_at = ? WHERE ended_at IS NULL AND (hash = ? OR editor = ?)"
    )
    return db.run(sql, (text_from_moment(now), hashed, editor))


def note_act(
    db: Database, now: datetime, editor: str, act: str, what: str = "", about: int | None = None
) -> None:
    """Call inside a write."""
    row = {"made_at": text_from_moment(now), "editor": editor, "act": act, "what": what}
    db.insert("desk_log", row | {"about": about})


def acts(db: Database, limit: int) -> list[Row]:
    """What was done at the desk, the newest first."""
    return db.rows("SELECT * FROM desk_log ORDER BY id DESC LIMIT ?", (limit,))


def prune_desk(db: Database, now: datetime, log_days: int) -> None:
    """Delete old links, sessions that are over, and what was done before so many days."""
    links, sessions, log = (now - one for one in (DAY, LASTS, timedelta(days=log_days)))
    with db.write():
        db.run("DELETE FROM desk_links WHERE asked_at < ?", (text_from_moment(links),))
        db.run("DELETE FROM desk_sessions WHERE used_at < ?", (text_from_moment(sessions),))
        db.run("DELETE FROM desk_log WHERE made_at < ?", (text_from_moment(log),))


_FRESH = "first_seen_at >= :at AND withdrawn_at IS NULL AND archived = 0"
_NEWEST = "ORDER BY first_seen_at DESC, id DESC"
CASES = {
    "themes": f"""{_FRESH} AND (NOT EXISTS (SELECT 1 FROM theme_corrections WHERE article_id = articles.id)
                  AND NOT EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id)
              OR EXISTS (SELECT 1 FROM matches WHERE article_id = articles.id AND decided_by = 'lexicon'
                         AND score < threshold * {UNSURE})) {_NEWEST}""",  # noqa: S608 - ours
    "made": f"{_FRESH} AND title_made = 1 {_NEWEST}",
    "stories": f"{_FRESH} AND id IN (SELECT article_id FROM fingerprints) {_NEWEST}",  # noqa: S608 - ours
    "held": "opens_at > :at AND withdrawn_at IS NULL ORDER BY opens_at, id",
}


def cases(db: Database, kind: str, at: datetime, limit: int = -1) -> list[int]:
    """Articles for an editor: without a theme or with an unsure one, and not ruled on ("themes"), without
    a headline of their own ("made"), or that can be compared ("stories"), of those that came in since
    then, the newest first; or "held" at that moment by an embargo, the next to open first."""
    sql = f"SELECT id FROM articles WHERE {CASES[kind]} LIMIT :limit"  # noqa: S608 - ours
    return [row["id"] for row in db.rows(sql, {"at": text_from_moment(at), "limit": limit})]


def fresh_links(db: Database, since: datetime) -> list[Row]:
    """The links of stories that likeness made of articles that came in since then, and on which no editor
    ruled; the thinnest first."""
    sql = """SELECT link.article_id, link.other_id, score, reasons FROM articles AS other
               CROSS JOIN story_links AS link ON link.other_id = other.id
               JOIN articles AS one ON one.id = link.article_id AND one.story_id = other.story_id
              WHERE other.first_seen_at >= ? AND decided_by = 'likeness' AND NOT EXISTS (
                SELECT 1 FROM story_corrections AS ruled
                 WHERE ruled.article_id = link.article_id AND ruled.other_id = link.other_id)
              ORDER BY score, link.article_id, link.other_id"""
    rows = db.rows(sql, (text_from_moment(since),))
    return [row | {"reasons": json.loads(row["reasons"])} for row in rows]


def held_editions(db: Database) -> list[Row]:
    """The approved editions that are held: id, digest, number and the note why."""
    sql = """SELECT id, digest, number, coalesce(note, '') AS note FROM editions
              WHERE status = 'held' AND approved_at IS NOT NULL ORDER BY ends_at, id"""
    return db.rows(sql)
