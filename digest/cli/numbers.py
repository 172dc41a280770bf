"""Numbers that a command takes: whatever fits, the store can look for."""

import click

LARGEST = 2**63 - 1
"""SQLite keeps an integer in 64 bits with its sign; a larger one it could not even compare."""
ID = click.IntRange(1, LARGEST)
"""The id of an article, an edition, a delivery, a letter."""
COUNT = click.IntRange(1, 1_000_000_000)
"""How many at most."""
