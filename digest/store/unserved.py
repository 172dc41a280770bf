"""Who waits for what config.toml no longer has: editions of other digests, and recipients whose
choice holds nothing of it.
"""

import json
from collections.abc import Collection

from digest.store.database import Database, Row

CHOICES = {
    "digest": ("recipient_digests", "digest"),
    "theme": ("recipient_themes", "theme"),
    "language": ("recipient_languages", "language"),
}
"""Of each thing that a recipient chooses the table and the column that keep it."""


def editions_of_others(db: Database, digests: Collection[str]) -> list[Row]:
    """Id, digest and number of each edition of a digest that is not among these and has deliveries
    to come, and how many (`queued`); the oldest first.
    """
    sql = """
    SELECT editions.id, digest, number, count(*) AS queued
      FROM editions JOIN deliveries ON edition_id = editions.id
     WHERE deliveries.status IN ('queued', 'handed') AND editions.status != 'cancelled'
       AND digest NOT IN (SELECT value FROM json_each(?))
     GROUP BY editions.id ORDER BY editions.id
    """
    return db.rows(sql, (json.dumps(list(digests)),))


def without_any_of(
    db: Database, what: str, known: Collection[str], *, newest: int | None
) -> tuple[int, list[str]]:
    """Of the active recipients that may be mailed, the `newest` so many or all: how many chose by
    `what` (a key of CHOICES), but nothing that is known; and what they chose instead, by name.
    """
    table, column = CHOICES[what]
    sql = f"""
    SELECT gone, count(*) AS recipients FROM (
      SELECT (SELECT json_group_array({column}) FROM (
               SELECT {column} FROM {table}
                WHERE recipient_id = looked.id ORDER BY {column})) AS gone
        FROM (SELECT id, address_key FROM recipients
               WHERE status = 'active' ORDER BY id DESC LIMIT ?) AS looked
       WHERE EXISTS (SELECT 1 FROM {table} WHERE recipient_id = looked.id)
         AND NOT EXISTS (SELECT 1 FROM {table}
                          WHERE recipient_id = looked.id
                            AND {column} IN (SELECT value FROM json_each(?)))
         AND NOT EXISTS (SELECT 1 FROM suppressions
                          WHERE suppressions.address_key = looked.address_key))
     GROUP BY gone
    """  # noqa: S608 - names are ours
    rows = db.rows(sql, (-1 if newest is None else newest, json.dumps(list(known))))
    names = {name for row in rows for name in json.loads(row["gone"])}
    return sum(row["recipients"] for row in rows), sorted(names)
