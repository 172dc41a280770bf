"""The SQLite library that sqlite-utils uses, so that one process never holds two of them.

Two SQLite libraries on one file in one process break its POSIX locks, and their exceptions differ.
"""

from sqlite_utils.utils import sqlite3 as sqlite3  # type: ignore[attr-defined] # chosen at run time
