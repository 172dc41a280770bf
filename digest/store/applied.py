"""Which migrations a database has, told without sqlite-utils: loading it takes longer than most
commands need for the rest of their work.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digest.store.database import Database

KNOWN = (
    "m001_first",
    "m002_sending",
    "m003_editors_word",
    "m004_service",
    "m005_one_shape",
    "m006_alarms",
    "m007_figures",
    "m008_keeping",
)
"""The migrations of `schema.py` by name, in their order."""
_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlite_migrations'"
_NAMES = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'digest' ORDER BY rowid"


def applied_migrations(database: "Database") -> list[str]:
    """The names of the migrations that `database` has had, in their order; none if it is not ours."""
    if not database.value(_TABLE):
        return []
    return [row["name"] for row in database.each(_NAMES)]
