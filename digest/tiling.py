"""Which window a digest closes next, by its rule and by what the store holds: one answer for the verb
that closes it, for what is shown of it, and for who watches that it comes.
"""

from datetime import datetime

from digest.config.settings import DigestConfig, Settings
from digest.editorial.window import due_window, parse_rule, window_now
from digest.model import Window
from digest.store.articles import first_seen
from digest.store.database import Database
from digest.store.editions import last_edition


def next_window(
    db: Database, settings: Settings, digest: DigestConfig, now: datetime, *, by_hand: bool = False
) -> Window | None:
    """The window that is due, or with `by_hand` the one that a person would close now; None where
    there is none.
    """
    last = last_edition(db, digest.name)
    return (window_now if by_hand else due_window)(
        parse_rule(digest.schedule),
        settings.digest_zone(digest),
        last_end=None if last is None else last[1],
        first_seen=first_seen(db) if last is None and digest.since is None else None,
        since=digest.since,
        now=now,
    )
