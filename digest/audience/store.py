"""Recipients and their choices. Addresses are never logged or shown on an error page."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.audience.suppressions import SOFT_LAPSES
from digest.errors import NotFoundError, RecipientError
from digest.language.addresses import address_key
from digest.model import Choice, Recipient, RecipientStatus
from digest.store.database import Database, Row, moment_from_text, text_from_moment


@dataclass(frozen=True, slots=True)
class ChosenRecipient:
    """A checked recipient; the first language is that of the mail, `themes` None is everything."""

    address: str
    languages: tuple[str, ...]
    digests: tuple[str, ...]
    name: str | None = None
    themes: tuple[str, ...] | None = None


def add_recipient(
    db: Database, chosen: ChosenRecipient, moment: datetime, *, resubscribe: bool = False
) -> tuple[int, bool]:
    """Add or update a recipient with a choice: (id, True when new). Call inside a write.

    `resubscribe` makes somebody who unsubscribed active again, added at `moment`.

    Raises:
        RecipientError: the recipient has unsubscribed, and `resubscribe` is not set.
    """
    key = address_key(chosen.address)
    row = db.row("SELECT id, status FROM recipients WHERE address_key = ?", (key,))
    if row is None:
        recipient_id = db.insert(
            "recipients",
            {
                "address": chosen.address,
                "address_key": key,
                "name": chosen.name,
                "language": chosen.languages[0],
                "status": RecipientStatus.ACTIVE.value,
                "added_at": text_from_moment(moment),
            },
        )
    else:
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
    for table, column, values in (
        ("recipient_languages", "position, language", list(enumerate(chosen.languages, 1))),
        ("recipient_themes", "theme", [(theme,) for theme in dict.fromkeys(chosen.themes or ())]),
        ("recipient_digests", "digest", [(digest,) for digest in dict.fromkeys(chosen.digests)]),
    ):
        db.run(f"DELETE FROM {table} WHERE recipient_id = ?", (recipient_id,))  # noqa: S608 - ours
        marks = ", ".join("?" * (column.count(",") + 2))
        sql = f"INSERT INTO {table} (recipient_id, {column}) VALUES ({marks})"  # noqa: S608 - ours
        db.run_many(sql, [(recipient_id, *value) for value in values])
    return recipient_id, row is None


def list_recipients(
    db: Database, *, status: RecipientStatus | None = None, recipient_id: int | None = None
) -> list[Recipient]:
    """Recipients in the order in which they were added, all or those of a status or an id."""
    given = {"id": recipient_id, "status": status}
    conditions = [f"AND {column} = ?" for column, value in given.items() if value is not None]
    values = [value for value in given.values() if value is not None]
    where, one = ("", ()) if recipient_id is None else ("WHERE recipient_id = ?", (recipient_id,))
    choices: list[dict[int, tuple[str, ...]]] = []
    for table, column, order in (
        ("recipient_languages", "language", "position"),
        ("recipient_themes", "theme", "theme"),
        ("recipient_digests", "digest", "digest"),
    ):
        sql = f"SELECT recipient_id, {column} FROM {table} {where} ORDER BY 1, {order}"  # noqa: S608 - ours
        by_recipient: dict[int, tuple[str, ...]] = defaultdict(tuple)
        for row in db.each(sql, one):
            by_recipient[row["recipient_id"]] += (row[column],)
        choices.append(by_recipient)
    languages, themes, digests = choices
    sql = f"SELECT * FROM recipients WHERE 1 {' '.join(conditions)} ORDER BY id"  # noqa: S608 - ours
    return [
        Recipient(
            id=row["id"],
            address=row["address"],
            name=row["name"],
            choice=Choice(row["language"], languages[row["id"]], themes[row["id"]]),
            digests=digests[row["id"]],
            status=RecipientStatus(row["status"]),
            added_at=moment_from_text(row["added_at"]),
        )
        for row in db.rows(sql, values)
    ]


def find_recipient(db: Database, address: str) -> int | None:
    """The id of the recipient with this address."""
    key = (address_key(address),)
    recipient_id = db.value("SELECT id FROM recipients WHERE address_key = ?", key)
    return None if recipient_id is None else int(recipient_id)


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
        raise NotFoundError(
            f"no recipient has the address {address!r}. See digest recipients list."
        )
    return recipient_id


CHOICES = """
SELECT recipients.id,
       recipients.language,
       (SELECT group_concat(language, ',') FROM (
         SELECT language FROM recipient_languages AS l
          WHERE l.recipient_id = recipients.id ORDER BY position)) AS languages,
       (SELECT group_concat(theme, ',') FROM (
         SELECT theme FROM recipient_themes AS t
          WHERE t.recipient_id = recipients.id ORDER BY theme)) AS themes,
       EXISTS (SELECT 1 FROM suppressions WHERE suppressions.address_key = recipients.address_key
                  AND (cause != 'soft' OR since > :lapsed)) AS suppressed
  FROM recipient_digests AS d
  JOIN recipients ON recipients.id = d.recipient_id
 WHERE d.digest = :digest AND recipients.status = 'active'
 ORDER BY recipients.id
"""


def raw_choices(db: Database, digest: str, now: datetime) -> Iterator[Row]:
    """Each active recipient of a digest with the stored choice, and whether the address is suppressed;
    themes None is everything."""
    lapsed = text_from_moment(now - SOFT_LAPSES)
    return db.each(CHOICES, {"digest": digest, "lapsed": lapsed})


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
