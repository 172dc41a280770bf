"""Recipients and what each chose. Addresses stay here: they are in no log and no error page."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from digest.errors import NotFoundError, RecipientError
from digest.language.addresses import address_key
from digest.model import Choice, Recipient, RecipientStatus
from digest.store.database import Database, Row, moment_from_text, text_from_moment


@dataclass(frozen=True, slots=True)
class ChosenRecipient:
    """A recipient as it may be kept. `themes` None is everything."""

    address: str
    name: str | None
    languages: tuple[str, ...]
    themes: tuple[str, ...] | None
    digests: tuple[str, ...]


def add_recipient(
    db: Database, chosen: ChosenRecipient, moment: datetime, *, anew: bool = False
) -> tuple[int, bool]:
    """A recipient with a choice, in one write: (id, True when new, False when brought up to date).

    `anew` takes back somebody who unsubscribed, from `moment` on.

    Raises:
        RecipientError: the recipient has ended the subscription and is never revived in silence.
    """
    key = address_key(chosen.address)
    kept = db.row("SELECT id, status FROM recipients WHERE address_key = ?", (key,))
    ended = kept is not None and kept["status"] == RecipientStatus.ENDED
    if kept is not None and ended and not anew:
        raise RecipientError(
            f"recipient {kept['id']} unsubscribed. If they asked to come "
            "back: digest recipients add ADDRESS --resubscribe."
        )
    if kept is None:
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
        recipient_id = int(kept["id"])
        sql = "UPDATE recipients SET name = coalesce(?, name), language = ? WHERE id = ?"
        db.run(sql, (chosen.name, chosen.languages[0], recipient_id))
        if ended:
            _take_back(db, recipient_id, moment)
    for table, column, values in (
        ("recipient_languages", "position, language", list(enumerate(chosen.languages, 1))),
        ("recipient_themes", "theme", [(theme,) for theme in dict.fromkeys(chosen.themes or ())]),
        ("recipient_digests", "digest", [(digest,) for digest in dict.fromkeys(chosen.digests)]),
    ):
        db.run(f"DELETE FROM {table} WHERE recipient_id = ?", (recipient_id,))  # noqa: S608 - ours
        marks = ", ".join("?" * (column.count(",") + 2))
        sql = f"INSERT INTO {table} (recipient_id, {column}) VALUES ({marks})"  # noqa: S608 - ours
        db.run_many(sql, [(recipient_id, *value) for value in values])
    return recipient_id, kept is None


def _take_back(db: Database, recipient_id: int, moment: datetime) -> None:
    sql = """UPDATE recipients SET status = 'active', added_at = ?, ended_at = NULL,
                    ended_reason = NULL WHERE id = ?"""
    db.run(sql, (text_from_moment(moment), recipient_id))


def list_recipients(
    db: Database, *, status: RecipientStatus | None = None, recipient_id: int | None = None
) -> list[Recipient]:
    """Recipients in the order in which they came; only that of an id, if it is given."""
    given = {"id": recipient_id, "status": status}
    conditions = [f"AND {column} = ?" for column, value in given.items() if value is not None]
    sql = f"SELECT * FROM recipients WHERE 1 {' '.join(conditions)} ORDER BY id"  # noqa: S608 - ours
    values = [value for value in given.values() if value is not None]
    languages, themes, digests = (
        _grouped(db, kept, recipient_id)
        for kept in (
            "SELECT recipient_id, language FROM recipient_languages {} ORDER BY 1, position",
            "SELECT recipient_id, theme FROM recipient_themes {} ORDER BY 1, 2",
            "SELECT recipient_id, digest FROM recipient_digests {} ORDER BY 1, 2",
        )
    )
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
    found = db.value("SELECT id FROM recipients WHERE address_key = ?", (address_key(address),))
    return None if found is None else int(found)


def recipient_by_address(db: Database, address: str) -> int:
    """The id of the recipient with this address.

    Raises:
        NotFoundError: nobody has it.
    """
    found = find_recipient(db, address)
    if found is None:
        raise NotFoundError(
            f"no recipient has the address {address!r}; see `digest recipients list`"
        )
    return found


CHOICES = """
SELECT recipients.id,
       recipients.language,
       (SELECT group_concat(language, ',') FROM (
         SELECT language FROM recipient_languages AS l
          WHERE l.recipient_id = recipients.id ORDER BY position)) AS languages,
       (SELECT group_concat(theme, ',') FROM (
         SELECT theme FROM recipient_themes AS t
          WHERE t.recipient_id = recipients.id ORDER BY theme)) AS themes
  FROM recipient_digests AS d
  JOIN recipients ON recipients.id = d.recipient_id
 WHERE d.digest = ? AND recipients.status = 'active'
 ORDER BY recipients.id
"""


def raw_choices(db: Database, digest: str) -> Iterator[Row]:
    """Each active recipient of a digest with the choice as kept; themes None is everything."""
    return db.each(CHOICES, (digest,))


def _grouped(db: Database, sql: str, recipient_id: int | None) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = defaultdict(tuple)
    one = recipient_id is not None
    where, values = ("WHERE recipient_id = ?", (recipient_id,)) if one else ("", ())
    for row in db.each(sql.format(where), values):
        recipient_id, chosen = row.values()
        found[recipient_id] = (*found[recipient_id], chosen)
    return found
