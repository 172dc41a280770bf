"""Recipients and their choices. Addresses are never logged or shown on an error page."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from digest.audience.suppressions import SOFT_LAPSES, hider, is_forgotten
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
        _check_not_forgotten(db, chosen.address)
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
    _check_not_forgotten(db, address)
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
    sql = """WITH given AS (SELECT value ->> 0 AS key, value ->> 1 AS line, value ->> 2 AS hash,
                                   value ->> 3 AS hidden FROM json_each(:lines))
             SELECT given.line, f.first, f.left, r.address, r.address_key != given.key AS moved,
                    status, ended_at, cause FROM given
               JOIN file_lines AS f ON f.hash = given.hash
               LEFT JOIN recipients AS r ON r.id = coalesce(
                    (SELECT id FROM recipients WHERE address_key = given.key),
                    (SELECT recipient_id FROM former_addresses WHERE address_key = given.key))
               LEFT JOIN suppressions AS s ON s.address_key IN (given.key, given.hidden)
                     AND (cause != 'soft' OR since > :lapsed)
              WHERE f.first < given.line OR f.left IS NOT NULL OR status IS NOT NULL OR cause IS NOT NULL"""
    hide = hider(db)
    given = json.dumps([(key, line, hash(key), hide(key)) for key, line in lines])
    values = {"lines": given, "lapsed": text_from_moment(now - SOFT_LAPSES)}
    return {row["line"]: row for row in db.each(sql, values)}


def _check_not_forgotten(db: Database, address: str) -> None:
    if is_forgotten(db, address):
        raise RecipientError(
            "This address belongs to somebody who asked to be forgotten. If they asked to come back: "
            "digest suppressions remove ADDRESS."
        )


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


def end_recipient(
    db: Database,
    recipient_id: int,
    reason: str,
    moment: datetime,
    made_by: str = "mail",
    network: str | None = None,
) -> bool:
    """End a subscription, with the reason, and note by what; the row stays. False if it ended earlier."""
    sql = """UPDATE recipients SET status = 'ended', ended_at = ?, ended_reason = ?
              WHERE id = ? AND status != 'ended'"""
    ended = bool(db.run(sql, (text_from_moment(moment), reason, recipient_id)))
    if ended:
        note_event(db, recipient_id, "left", made_by, moment, network, reason)
    return ended


def note_event(
    db: Database,
    recipient_id: int,
    act: str,
    made_by: str,
    moment: datetime,
    network: str | None = None,
    words: str | None = None,
    changed: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Store what was decided about a subscription: an `act` such as joined, chose or left, `made_by` a
    form, a link, an import or a person, from a shortened `network`, by which `words`. Call inside a write.
    """
    row = {"recipient_id": recipient_id, "made_at": text_from_moment(moment), "act": act}
    row |= {"made_by": made_by, "network": network, "words": words}
    db.insert("recipient_events", row | {"changed": json.dumps(dict(changed), ensure_ascii=False)})


def events_of(db: Database, recipient_id: int) -> list[Row]:
    """What was decided about a subscription, the oldest first; `changed` has the values before and after
    by name."""
    sql = """SELECT made_at, act, made_by, network, words, changed FROM recipient_events
              WHERE recipient_id = ? ORDER BY id"""
    return [row | {"changed": json.loads(row["changed"])} for row in db.each(sql, (recipient_id,))]


def note_imports(db: Database, first: int, count: int, moment: datetime) -> None:
    """As `note_event` that each of these new recipients joined by an import. Call inside a write."""
    sql = """INSERT INTO recipient_events (recipient_id, made_at, act, made_by)
             SELECT id, ?, 'joined', 'import' FROM recipients WHERE id >= ? AND id < ?"""
    db.run(sql, (text_from_moment(moment), first, first + count))


NOBODY = "@forgotten.invalid"
"""How the address ends that takes the place of one that is forgotten (RFC 2606 §2)."""
_PERSONAL = (
    "requests", "follows", "former_addresses", "recipient_events", "recipient_languages",
    "recipient_themes", "recipient_digests",
)  # fmt: skip
"""The tables whose rows of a recipient are deleted with them."""


def keys_of(db: Database, recipient_id: int) -> list[str]:
    """The keys of the addresses that a recipient has and had."""
    sql = """SELECT address_key FROM recipients WHERE id = :id UNION ALL
             SELECT address_key FROM former_addresses WHERE recipient_id = :id"""
    return [row["address_key"] for row in db.each(sql, {"id": recipient_id})]


def mail_under_way(db: Database, recipient_id: int) -> bool:
    """Whether a mail to a recipient was handed over and has no answer yet."""
    sql = """SELECT 1 FROM deliveries WHERE recipient_id = :id AND status = 'handed' UNION ALL
             SELECT 1 FROM notices JOIN recipients ON recipients.id = :id
              WHERE notices.status = 'handed' AND lower(recipient) = address_key"""
    return db.value(sql, {"id": recipient_id}) is not None


def erase(db: Database, recipient_id: int, moment: datetime) -> dict[str, int]:
    """Delete whatever names a recipient, but for the suppression list; how many rows of each table were
    deleted or emptied. Their deliveries stay, so that the counts of editions do. Call inside a write."""
    keys, gone = keys_of(db, recipient_id), Counter[str]()
    for table in _PERSONAL:
        gone[table] = db.run(f"DELETE FROM {table} WHERE recipient_id = ?", (recipient_id,))  # noqa: S608 - ours
    values = {"id": recipient_id, "at": text_from_moment(moment), "nobody": NOBODY}
    for key in keys:
        for table, sql in _NAMED:
            gone[table] += db.run(sql, values | {"key": key})
    gone["deliveries"] = db.run(
        """UPDATE deliveries SET answer = NULL, reason = iif(instr(reason, '@'), NULL, reason)
            WHERE recipient_id = :id AND coalesce(answer, reason) IS NOT NULL""",
        values,
    )
    gone["segments"] = db.run(  # mail with the phrases that only they follow
        """UPDATE segments SET mail = NULL,
                  extras = json_set(json_remove(extras, '$.receipts'), '$.forgotten', :id)
            WHERE id IN (SELECT segment_id FROM deliveries WHERE recipient_id = :id)
              AND extras LIKE '%"receipts"%' AND NOT EXISTS (
                  SELECT 1 FROM deliveries WHERE edition_id = segments.edition_id
                     AND segment_id = segments.id AND recipient_id != :id)""",
        values,
    )
    gone["recipients"] = db.run(
        """UPDATE recipients SET address = 'nobody-' || id || :nobody,
                  address_key = 'nobody-' || id || :nobody, name = NULL, status = 'ended',
                  ended_at = coalesce(ended_at, :at), ended_reason = 'forgotten',
                  paused_until = NULL, feed = 0 WHERE id = :id""",
        values,
    )
    for domain in {key.rpartition("@")[2] for key in keys}:  # one of their own names them, too
        if not db.value("SELECT 1 FROM recipients WHERE domain = ?", (domain,)):
            gone["providers"] += db.run("DELETE FROM providers WHERE domain = ?", (domain,))
            db.run("UPDATE bounces SET provider = NULL WHERE provider = ?", (domain,))
            sql = "UPDATE brakes SET provider = 'forgotten ' || id WHERE provider = ?"
            db.run(sql, (domain,))
    return +gone


_NAMED = (
    ("requests", "DELETE FROM requests WHERE address_key = :key"),
    ("notices", "DELETE FROM notices WHERE lower(recipient) = :key"),
    (
        "notices",
        """UPDATE notices SET body = x'' WHERE status IN ('sent', 'failed', 'uncertain')
              AND instr(lower(CAST(body AS TEXT)), :key)""",
    ),
    (
        "bounces",
        """UPDATE bounces SET raw = x'', diagnostic = NULL, let_go_at = coalesce(let_go_at, :at),
                  because = iif(instr(because, '@'), NULL, because),
                  state = iif(state IN ('waits', 'braked'), 'discarded', state)
            WHERE (recipient_id = :id OR instr(lower(CAST(raw AS TEXT)), :key)
                   OR instr(lower(diagnostic), :key)) AND (raw != x'' OR diagnostic IS NOT NULL)""",
    ),
)
"""What else has an address: mail to it, mail about it that is over, and what came back."""


def feed_of(db: Database, recipient_id: int) -> int:
    """The number of a recipient's own feed; 0 for none."""
    sql = "SELECT max(feed, 0) FROM recipients WHERE id = ?"
    return int(db.value(sql, (recipient_id,)) or 0)


def set_feed(db: Database, recipient_id: int, *, on: bool) -> None:
    """Give a recipient's own feed a new number, or none: a number that is below zero remembers the last
    one, which is never used twice. Call inside a write."""
    sql = "UPDATE recipients SET feed = CASE WHEN ? THEN abs(feed) + 1 ELSE -abs(feed) END WHERE id = ?"
    db.run(sql, (on, recipient_id))


def own_rows(db: Database, recipient_id: int) -> dict[str, list[Row]]:
    """What is stored about a recipient, by table, without the raw bytes of letters."""
    rows = {
        table: db.rows(f"SELECT * FROM {table} WHERE recipient_id = ?", (recipient_id,))  # noqa: S608 - ours
        for table in (*_PERSONAL, "deliveries")
    }
    return rows | {table: db.rows(sql, (recipient_id,)) for table, sql in _OWN_ROWS.items()}


_OWN_ROWS = {
    "recipients": "SELECT * FROM recipients WHERE id = ?",
    "notices": """SELECT kind, queued_at, notices.status, settled_at FROM notices
                    JOIN recipients ON lower(recipient) = address_key WHERE recipients.id = ?""",
    "bounces": "SELECT read_at, kind, diagnostic, because FROM bounces WHERE recipient_id = ?",
    "suppressions": """SELECT cause, since, detail FROM suppressions
                         JOIN recipients USING (address_key) WHERE recipients.id = ?""",
}


# What people ask by forms (audience.signup).


def asked_before(db: Database, request_id: int, key: str, network: str, now: datetime) -> Row:
    """All that decides about a form, by one statement, so that it takes the same time for any address.

    How many forms came `of_network` and `in_all` within an hour, for this address (`of_address`) and in
    all (`of_day`) within a day, and how many of those failed; whether the id is `taken`; id, address,
    language and status of the recipient with this address, None where there is none.
    """
    sql = """
    SELECT (SELECT count(*) FROM requests WHERE network = :network AND asked_at > :hour) AS of_network,
           (SELECT count(*) FROM requests WHERE asked_at > :hour) AS in_all,
           (SELECT count(*) FROM requests WHERE address_key = :key AND asked_at > :day) AS of_address,
           (SELECT count(*) FROM requests WHERE asked_at > :day) AS of_day,
           (SELECT count(*) FROM requests WHERE bounced_at > :day) AS failed,
           (SELECT count(*) FROM requests WHERE id = :request) AS taken,
           r.id, r.address, r.language, r.status
      FROM (SELECT 1) LEFT JOIN recipients AS r ON r.address_key = :key"""
    given = {"request": request_id, "key": key, "network": network}
    times = {"hour": now - timedelta(hours=1), "day": now - timedelta(days=1)}
    return db.row(sql, given | {one: text_from_moment(at) for one, at in times.items()}) or {}


def request_by_id(db: Database, request_id: int, after: datetime) -> Row | None:
    """What was asked or answered `after` then, with `wish` read."""
    sql = "SELECT * FROM requests WHERE id = ? AND coalesce(answered_at, asked_at) > ?"
    row = db.row(sql, (request_id, text_from_moment(after)))
    return row and row | {"wish": json.loads(row["wish"])}


def note_answer(db: Database, request_id: int, recipient_id: int, now: datetime) -> None:
    """Call inside a write."""
    sql = "UPDATE requests SET answered_at = ?, recipient_id = ? WHERE id = ?"
    db.run(sql, (text_from_moment(now), recipient_id, request_id))


def note_bounce(db: Database, request_id: int, now: datetime) -> None:
    """The mail with the link came back. Call inside a write."""
    sql = "UPDATE requests SET bounced_at = ? WHERE id = ? AND bounced_at IS NULL"
    db.run(sql, (text_from_moment(now), request_id))


def settle_links(db: Database, now: datetime) -> None:
    """Note of each mail with a link that a server refused it, and delete the bytes of what is over. Call
    inside a write."""
    sql = """UPDATE requests SET bounced_at = ? WHERE bounced_at IS NULL AND id IN (
               SELECT substr(name, 6) FROM notices
                WHERE kind = 'link' AND name LIKE 'link.%' AND status = 'failed' AND server IS NOT NULL)"""
    db.run(sql, (text_from_moment(now),))
    db.run("""UPDATE notices SET body = x'' WHERE kind = 'link' AND status IN ('sent', 'failed')
                 AND body != x''""")


def delete_requests(db: Database, before: datetime) -> int:
    """Delete what was neither asked nor answered since then, and the mails; how many. Call inside a
    write."""
    at = text_from_moment(before)
    db.run("DELETE FROM notices WHERE kind = 'link' AND dated_at <= ?", (at,))
    return db.run("DELETE FROM requests WHERE coalesce(answered_at, asked_at) <= ?", (at,))


def is_fresh_link(db: Database, request_id: int, recipient_id: int, since: datetime) -> bool:
    """Whether this recipient asked since then for the link that names the request."""
    sql = """SELECT 1 FROM requests JOIN recipients USING (address_key)
              WHERE requests.id = ? AND kind = 'link' AND recipients.id = ? AND asked_at > ?"""
    return db.value(sql, (request_id, recipient_id, text_from_moment(since))) is not None


def sent_to(db: Database, recipient_id: int, limit: int) -> list[Row]:
    """The last mails to a recipient, the newest first: kind ("edition" or that of a notice), status, moment,
    subject of an edition."""
    from digest.mail.mime import SegmentMail

    sql = """SELECT 'edition' AS kind, deliveries.status, mail,
                    coalesce(settled_at, handed_at, composed_at) AS moment FROM deliveries
               JOIN editions ON editions.id = deliveries.edition_id
               JOIN segments ON segments.id = segment_id WHERE recipient_id = :id
              UNION ALL
             SELECT kind, notices.status, NULL, coalesce(settled_at, handed_at, queued_at)
               FROM notices JOIN recipients ON recipients.id = :id AND recipient = address
              WHERE kind IN ('alert', 'correction') AND notices.status != 'failed'
              ORDER BY moment DESC LIMIT :limit"""
    rows = db.rows(sql, {"id": recipient_id, "limit": limit})
    return [
        row | {"subject": SegmentMail.from_bytes(mail).subject if mail else ""}
        for row in rows
        for mail in [row.pop("mail")]
    ]


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
    """Send no queued alert or correction to an address that gets no mail, or nobody has, by now, and no
    alert of an article that was withdrawn meanwhile. Call inside a write."""
    sql = f"""
    UPDATE notices SET status = 'failed', settled_at = :now, due_at = NULL, reason = 'not wanted by now'
     WHERE kind IN ('alert', 'correction') AND status = 'queued' AND (recipient NOT IN (
           SELECT address FROM (SELECT address, {_SUPPRESSED} FROM recipients WHERE status = 'active'
                                   AND coalesce(paused_until, '') <= :now) WHERE NOT suppressed)
        OR EXISTS (SELECT 1 FROM articles JOIN follow_finds ON article_id = articles.id
                    WHERE withdrawn_at IS NOT NULL AND found_at = queued_at
                      AND name LIKE 'alert.' || follow_id || '.%'))
    """  # noqa: S608 - ours
    times = {"now": text_from_moment(now), "lapsed": text_from_moment(now - SOFT_LAPSES)}
    db.run(sql, times)
