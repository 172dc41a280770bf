"""The SQLite library that sqlite-utils uses, so that one process never holds two of them.

Two SQLite libraries on one file in one process break its POSIX locks, and their exceptions differ.
The choice is made here as sqlite-utils makes it, without the time that loading it takes.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3 as sqlite3  # noqa: TID251 - for its types alone
else:
    try:
        sqlite3 = importlib.import_module("pysqlite3")
    except ImportError:
        sqlite3 = importlib.import_module("sqlite3")
