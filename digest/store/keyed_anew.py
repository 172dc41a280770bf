"""Migration m008: when letters and answers were let go, and one key for a mailbox in every script.

Published as it is; never to be edited.
"""

from sqlite_utils import Database as Tables

from digest.store.addresses import address_key

ADD_LET_GO = (
    "ALTER TABLE bounces ADD COLUMN let_go_at TEXT",
    "CREATE INDEX bounces_kept ON bounces (read_at) WHERE let_go_at IS NULL",
    "ALTER TABLE editions ADD COLUMN answers_gone_at TEXT",
)
"""When the bytes of a letter were let go, whose row stays, and when all answers of an edition."""
FOREIGN = "SELECT address_key FROM {} WHERE address_key GLOB '*[^ -~]*'"


def rekey(tables: Tables) -> None:
    """Give every key from before a domain was one in all scripts the key of today."""
    for (old,) in tables.execute(FOREIGN.format("recipients")).fetchall():
        sql = "UPDATE OR IGNORE recipients SET address_key = ? WHERE address_key = ?"
        tables.execute(sql, (address_key(old), old))
    for (old,) in tables.execute(FOREIGN.format("suppressions")).fetchall():
        # Where the mailbox is there under its key already, that row stays.
        sql = "UPDATE OR IGNORE suppressions SET address_key = ? WHERE address_key = ?"
        tables.execute(sql, (address_key(old), old))
        if address_key(old) != old:
            tables.execute("DELETE FROM suppressions WHERE address_key = ?", (old,))
