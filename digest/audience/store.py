"""Recipients and their choices. Addresses are never logged or shown on an error page."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.audience.suppressions import SOFT_LAPSES
from digest.errors import NotFoundError, RecipientError
from digest.language.addresses import address_key
from digest.model import Choice, Recipient, RecipientStatus
from digest.store.database import Database, Row, moment_from_text, text_from_moment


@dataclass(frozen=True, slots=True)
class ChosenRecipient:
    """A checked recipient; the first language is that of the mail, `themes` None is everything.

    `added_at` None is the moment when it is stored.
    """

    address: str
    languages: tuple[str, ...]
    digests: tuple[str, ...]
    name: str | None = None
    themes: tuple[str, ...] | None = None
    added_at: datetime | None = None
    paused_until: datetime | None = None


def add_recipient(
    db: Database, chosen: ChosenRecipient, moment: datetime, *, resubscribe: bool = False
) -> tuple[int, bool]:
    """Add or update a recipient with a choice: (id, True when new). Call inside a write.

    `resubscribe` makes somebody who unsubscribed active again, added at `moment`.

    Raises:
        RecipientError: the recipient has unsubscribed, or somebody had this address before, and
            `resubscribe` is not set.
    """
    key = address_key(chosen.address)
    row = db.row("SELECT id, status FROM recipients WHERE address_key = ?", (key,))
    if row is None:
        if (moved := _moved(db, key)) and not resubscribe:
            raise RecipientError(
                f"{moved} If somebody else has it now and asked for mail: digest recipients add "
                "ADDRESS --resubscribe."
            )
        db.run("DELETE FROM former_addresses WHERE address_key = ?", (key,))
        return add_recipients(db, [chosen], moment), True
    recipient_id = int(row["id"])
    if row["status"] == RecipientStatus.ENDED:
        if not resubscribe:
            raise RecipientError(
                f"recipient {recipient_id} unsubscribed. If they asked to come "
                "back: digest recipients add ADDRESS --resubscribe."
            )
        sql = """UPDATE recipients SET status = 'active', added_at = ?, ended_at = NULL,
                        ended_reason = NULL WHERE id = ?"""
        db.run(sql, (text_from_moment(moment), recipient_id))
    sql = "UPDATE recipients SET name = coalesce(?, name), language = ? WHERE id = ?"
    db.run(sql, (chosen.name, chosen.languages[0], recipient_id))
    for table in ("recipient_languages", "recipient_themes", "recipient_digests"):
        db.run(f"DELETE FROM {table} WHERE recipient_id = ?", (recipient_id,))  # noqa: S608 - ours
    _save_choices(db, [(recipient_id, chosen)])
    return recipient_id, False


def add_recipients(db: Database, new: Sequence[ChosenRecipient], moment: datetime) -> int:
    """Add recipients of whom none is known: the id of the first, the others follow it. Call inside a
    write."""
    first = int(db.value("SELECT coalesce(max(id), 0) + 1 FROM recipients"))
    chosen = list(enumerate(new, first))
    rows = [
        (
            address_key(one.address),
            recipient_id,
            one.address,
            one.name,
            one.languages[0],
            text_from_moment(one.added_at or moment),
            one.paused_until and text_from_moment(one.paused_until),
        )
        for recipient_id, one in chosen
    ]
    sql = """INSERT INTO recipients
               (address_key, id, address, name, language, status, added_at, paused_until)
             VALUES (?, ?, ?, ?, ?, 'active', ?, ?)"""
    db.run_many(sql, sorted(rows))  # each page of the index is written once
    _save_choices(db, chosen)
    return first


def _save_choices(db: Database, chosen: Sequence[tuple[int, ChosenRecipient]]) -> None:
    sql = "INSERT INTO recipient_languages VALUES (?, ?, ?)"
    pairs = ((i, list(enumerate(one.languages, 1))) for i, one in chosen)
    db.run_many(sql, [(i, *language) for i, languages in pairs for language in languages])
    sql = "INSERT INTO recipient_themes VALUES (?, ?)"
    db.run_many(sql, [(i, theme) for i, one in chosen for theme in dict.fromkeys(one.themes or ())])
    sql = "INSERT INTO recipient_digests VALUES (?, ?)"
    db.run_many(sql, [(i, digest) for i, one in chosen for digest in dict.fromkeys(one.digests)])


def update_recipient(
    db: Database, recipient_id: int, address: str, paused_until: datetime | None, moment: datetime
) -> None:
    """Set the address, and until when mail is paused; a former address is kept. Call inside a write.

    Raises:
        RecipientError: the address is another recipient's, who may have unsubscribed.
    """
    if (other := find_recipient(db, address)) not in (None, recipient_id):
        raise RecipientError(
            f"recipient {other} has the address {address!r}. See digest recipients show {address}."
        )
    key = address_key(address)
    sql = """INSERT INTO former_addresses
             SELECT address_key, id, ? FROM recipients WHERE id = ? AND address_key != ?
             ON CONFLICT (address_key) DO UPDATE
                SET recipient_id = excluded.recipient_id, changed_at = excluded.changed_at"""
    db.run(sql, (text_from_moment(moment), recipient_id, key))
    db.run("DELETE FROM former_addresses WHERE address_key = ?", (key,))
    sql = "UPDATE recipients SET address = ?, address_key = ?, paused_until = ? WHERE id = ?"
    until = paused_until and text_from_moment(paused_until)
    db.run(sql, (address, key, until, recipient_id))


_LANGUAGES, _THEMES, _DIGESTS = (
    f"""(SELECT group_concat({column}, ',') FROM (
         SELECT {column} FROM recipient_{column}s AS c
          WHERE c.recipient_id = recipients.id ORDER BY {order})) AS {column}s"""  # noqa: S608 - ours
    for column, order in (("language", "position"), ("theme", "theme"), ("digest", "digest"))
)
_SUPPRESSED = """EXISTS (SELECT 1 FROM suppressions
        WHERE suppressions.address_key = recipients.address_key
          AND (cause != 'soft' OR since > :lapsed)) AS suppressed"""


def each_recipient(
    db: Database,
    *,
    now: datetime | None = None,
    status: RecipientStatus | None = None,
    recipient_id: int | None = None,
) -> Iterator[tuple[Recipient, bool]]:
    """Recipients in the order in which they were added, all or those of a status or an id; and whether
    the address is suppressed `now`."""
    lapsed = text_from_moment(now - SOFT_LAPSES) if now else ""
    given = {"id": recipient_id, "status": status, "lapsed": lapsed}
    where = " AND ".join(f"{one} = :{one}" for one in ("id", "status") if given[one] is not None)
    sql = f"""SELECT *, {_LANGUAGES}, {_THEMES}, {_DIGESTS}, {_SUPPRESSED} FROM recipients
               WHERE {where or 1} ORDER BY id"""  # noqa: S608 - ours

    def listed(text: str | None) -> tuple[str, ...]:
        return tuple(text.split(",")) if text else ()

    for row in db.each(sql, given):
        yield (
            Recipient(
                id=row["id"],
                address=row["address"],
                name=row["name"],
                choice=Choice(row["language"], listed(row["languages"]), listed(row["themes"])),
                digests=listed(row["digests"]),
                status=RecipientStatus(row["status"]),
                added_at=moment_from_text(row["added_at"]),
                paused_until=row["paused_until"] and moment_from_text(row["paused_until"]),
            ),
            bool(row["suppressed"]),
        )


def list_recipients(
    db: Database, *, status: RecipientStatus | None = None, recipient_id: int | None = None
) -> list[Recipient]:
    """As `each_recipient`, all at once."""
    return [one for one, _ in each_recipient(db, status=status, recipient_id=recipient_id)]


def begin_file(db: Database) -> None:
    """Forget what `note_lines` noted. Call outside of a write: it is in memory, in no table that stays."""
    db.run("DROP TABLE IF EXISTS temp.file_lines")
    db.run("CREATE TEMP TABLE file_lines (hash INTEGER PRIMARY KEY, first INTEGER, left INTEGER)")


def note_lines(db: Database, lines: Sequence[tuple[str, int]], *, left: bool) -> None:
    """Note where in a file each address comes first, or on which line it is said that it `left`.

    `lines` are the next keys and numbers. Of a key only the hash is kept, to take less; that two are
    the same is as good as impossible."""
    column = "left" if left else "first"
    sql = f"""INSERT INTO file_lines (hash, {column})
              SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true ON CONFLICT (hash)
              DO UPDATE SET {column} = coalesce({column}, excluded.{column})"""  # noqa: S608 - ours
    db.run(sql, (json.dumps(sorted((hash(key), line) for key, line in lines)),))


def known_lines(db: Database, lines: Sequence[tuple[str, int]], now: datetime) -> dict[int, Row]:
    """What is known of the address of each line: where it is `first` in the file, and where it says that
    it `left`; `address`, `status`, `ended_at` of the recipient who has or had it (`moved`), and the
    `cause` of its suppression; None where there is none. A line whose address is new is not in it."""
    sql = """WITH given AS (SELECT value ->> 0 AS key, value ->> 1 AS line, value ->> 2 AS hash
                              FROM json_each(:lines))
             SELECT given.line, f.first, f.left, r.address, r.address_key != given.key AS moved,
                    status, ended_at, cause FROM given
               JOIN file_lines AS f ON f.hash = given.hash
               LEFT JOIN recipients AS r ON r.id = coalesce(
                    (SELECT id FROM recipients WHERE address_key = given.key),
                    (SELECT recipient_id FROM former_addresses WHERE address_key = given.key))
               LEFT JOIN suppressions AS s ON s.address_key = given.key
                     AND (cause != 'soft' OR since > :lapsed)
              WHERE f.first < given.line OR f.left IS NOT NULL OR status IS NOT NULL OR cause IS NOT NULL"""
    given = json.dumps([(key, line, hash(key)) for key, line in lines])
    values = {"lines": given, "lapsed": text_from_moment(now - SOFT_LAPSES)}
    return {row["line"]: row for row in db.each(sql, values)}


def find_recipient(db: Database, address: str) -> int | None:
    """The id of the recipient with this address."""
    key = (address_key(address),)
    recipient_id = db.value("SELECT id FROM recipients WHERE address_key = ?", key)
    return None if recipient_id is None else int(recipient_id)


def _moved(db: Database, key: str) -> str | None:
    """Whose former address this is, in words; None if it is nobody's."""
    sql = """SELECT id, address FROM recipients WHERE id =
               (SELECT recipient_id FROM former_addresses WHERE address_key = ?)"""
    if (row := db.row(sql, (key,))) is None:
        return None
    return f"{key!r} was the address of recipient {row['id']}, who now has {row['address']}."


def ended(db: Database, recipient_id: int) -> Row | None:
    """When and why a recipient unsubscribed (ended_at, ended_reason); None for an active one."""
    sql = "SELECT ended_at, ended_reason FROM recipients WHERE id = ? AND status = 'ended'"
    return db.row(sql, (recipient_id,))


def recipient_by_address(db: Database, address: str) -> int:
    """The id of the recipient with this address.

    Raises:
        NotFoundError: there is none.
    """
    if (recipient_id := find_recipient(db, address)) is None:
        moved = _moved(db, address_key(address)) or f"no recipient has the address {address!r}."
        raise NotFoundError(f"{moved} See digest recipients list.")
    return recipient_id


_CHOICES = f"""
SELECT recipients.id, recipients.language, {_LANGUAGES}, {_THEMES}, {_SUPPRESSED}
  FROM recipient_digests AS d
  JOIN recipients ON recipients.id = d.recipient_id
 WHERE d.digest = :digest AND recipients.status = 'active'
   AND (paused_until IS NULL OR paused_until <= :now)
 ORDER BY recipients.id
"""  # noqa: S608 - ours


def raw_choices(db: Database, digest: str, now: datetime) -> Iterator[Row]:
    """Each active recipient of a digest who has not paused it, with the stored choice, and whether the
    address is suppressed; themes None is everything."""
    times = {"lapsed": text_from_moment(now - SOFT_LAPSES), "now": text_from_moment(now)}
    return db.each(_CHOICES, {"digest": digest, **times})


LOOKED_UP = timedelta(days=30)
"""How long what DNS said about a domain is believed."""


def domains_to_look_up(db: Database, now: datetime, limit: int = 500) -> list[str]:
    """Domains of active recipients whose provider is not known, those of the most recipients first."""
    sql = """SELECT domain FROM recipients
              WHERE status = 'active' AND NOT EXISTS (
                    SELECT 1 FROM providers WHERE providers.domain = recipients.domain
                                              AND looked_up_at > ?)
              GROUP BY domain ORDER BY count(*) DESC, domain LIMIT ?"""
    return [row["domain"] for row in db.rows(sql, (text_from_moment(now - LOOKED_UP), limit))]


def save_providers(
    db: Database, asked: Iterable[str], found: Mapping[str, str], now: datetime
) -> None:
    """Store the provider of each domain; one without an answer is its own, and asked again in a day.
    Call inside a write."""
    soon = now - LOOKED_UP + timedelta(days=1)
    sql = """INSERT INTO providers VALUES (?, ?, ?) ON CONFLICT (domain) DO UPDATE
                SET provider = excluded.provider, looked_up_at = excluded.looked_up_at"""
    times = (text_from_moment(now), text_from_moment(soon))
    db.run_many(sql, [(one, found.get(one, one), times[one not in found]) for one in asked])


# What readers follow.


@dataclass(frozen=True, slots=True)
class Follow:
    """A phrase that a reader follows, or the story that `article_id` is in now, if any, with its `title`,
    None where readers see none. Equal phrases have the same `key`; "/12" is the article's.

    `languages` are those that the reader reads, `language` that of their mail. `wanted`: they get mail now.
    """

    id: int
    recipient_id: int
    key: str
    phrase: str | None
    article_id: int | None
    story_id: int | None
    title: str | None
    made_at: datetime
    looked_until: datetime
    mailed_at: datetime | None
    address: str
    language: str
    languages: tuple[str, ...]
    wanted: bool

    @property
    def what(self) -> str:
        return self.phrase or self.title or ""


def follows_of(db: Database, now: datetime, *, recipient_id: int | None = None) -> list[Follow]:
    """What one recipient follows, or everybody, in the order in which it was added."""
    sql = f"""
    SELECT follows.*, a.story_id, recipients.address, recipients.language, {_LANGUAGES}, {_SUPPRESSED},
           (SELECT title FROM articles AS one LEFT JOIN stories ON lead_article_id = one.id
             WHERE (one.id = a.id OR one.story_id = a.story_id)
               AND withdrawn_at IS NULL AND coalesce(opens_at, '') <= :now
             ORDER BY stories.id IS NULL, one.id LIMIT 1) AS title,
           status = 'active' AND coalesce(paused_until, '') <= :now AS wanted
      FROM follows JOIN recipients ON recipients.id = follows.recipient_id
      LEFT JOIN articles AS a ON a.id = follows.article_id
     WHERE :id IS NULL OR follows.recipient_id = :id ORDER BY follows.id
    """  # noqa: S608 - ours
    times = {"now": text_from_moment(now), "lapsed": text_from_moment(now - SOFT_LAPSES)}
    follows = []
    for row in db.each(sql, {"id": recipient_id, **times}):
        row["wanted"] = not row.pop("suppressed") and bool(row["wanted"])
        row["languages"] = tuple((row["languages"] or "").split(","))
        for name in ("made_at", "looked_until", "mailed_at"):
            row[name] = row[name] and moment_from_text(row[name])
        follows.append(Follow(**row))
    return follows


def article_of_story(db: Database, story_id: int, now: datetime) -> int | None:
    """The article that leads a story, else another one that readers see."""
    sql = """SELECT articles.id FROM stories JOIN articles ON story_id = stories.id
              WHERE stories.id = ? AND withdrawn_at IS NULL AND coalesce(opens_at, '') <= ?
              ORDER BY articles.id != lead_article_id, articles.id"""
    value = db.value(sql, (story_id, text_from_moment(now)))
    return None if value is None else int(value)


def add_follow(
    db: Database, recipient_id: int, key: str, followed: str | int, moment: datetime
) -> None:
    """Store a phrase or an article; what is there stays. Call inside a write."""
    column = "phrase" if isinstance(followed, str) else "article_id"
    sql = f"""INSERT INTO follows (recipient_id, key, {column}, made_at, looked_until)
              VALUES (?, ?, ?, ?, ?) ON CONFLICT (recipient_id, key) DO NOTHING"""  # noqa: S608 - ours
    at = text_from_moment(moment)
    db.run(sql, (recipient_id, key, followed, at, at))


def remove_follow(db: Database, follow_id: int) -> bool:
    """Forget it and what was found; False if it is not there. Call inside a write."""
    return bool(db.run("DELETE FROM follows WHERE id = ?", (follow_id,)))


def last_look(db: Database) -> datetime | None:
    """Until when all that anybody follows was looked for; None if nobody follows anything."""
    value = db.value("SELECT min(looked_until) FROM follows")
    return None if value is None else moment_from_text(value)


def not_looked_for(db: Database, follows: Iterable[Follow]) -> set[int]:
    """Those that are there as they were, by id: nobody removed them, or looked for them since."""
    sql = """SELECT follows.id FROM follows JOIN json_each(?) AS was
                ON follows.id = was.value ->> 0 AND looked_until = was.value ->> 1"""
    was = json.dumps([(one.id, text_from_moment(one.looked_until)) for one in follows])
    return {row["id"] for row in db.rows(sql, (was,))}


def note_look(
    db: Database,
    follow_ids: Iterable[int],
    until: datetime,
    finds: Sequence[tuple[int, int, str]] = (),
) -> None:
    """Note that all until then was looked at for these, and of which finds (follow, article, evidence)
    a mail tells. Call inside a write."""
    at, ids = text_from_moment(until), json.dumps(sorted(follow_ids))
    sql = """UPDATE follows SET looked_until = ?, mailed_at = iif(?, ?, mailed_at)
              WHERE id IN (SELECT value FROM json_each(?))"""
    db.run(sql, (at, bool(finds), at, ids))
    sql = "INSERT INTO follow_finds VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
    db.run_many(sql, [(*find, at) for find in finds])


def give_up_notices(db: Database, now: datetime) -> None:
    """Send no queued alert or correction to an address that gets no mail, or nobody has, by now. Call inside a write."""
    sql = f"""
    UPDATE notices SET status = 'failed', settled_at = :now, due_at = NULL, reason = 'gets no mail now'
     WHERE kind IN ('alert', 'correction') AND status = 'queued' AND recipient NOT IN (
           SELECT address FROM (SELECT address, {_SUPPRESSED} FROM recipients WHERE status = 'active'
                                   AND coalesce(paused_until, '') <= :now) WHERE NOT suppressed)
    """  # noqa: S608 - ours
    times = {"now": text_from_moment(now), "lapsed": text_from_moment(now - SOFT_LAPSES)}
    db.run(sql, times)
