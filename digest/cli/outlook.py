"""What each digest would hold now and when it is due next, and who gets none of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from digest.cli.output import warn
from digest.compose import count_waiting
from digest.config.settings import Settings
from digest.editorial.window import boundary_after, parse_rule
from digest.store.database import Database
from digest.store.editions import last_edition
from digest.unserved import NEWEST, unserved

if TYPE_CHECKING:
    from digest.runtime import Runtime


def outlook(db: Database, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """One row a digest: name, next number, articles that wait, when it is due, in which zone."""
    rows: list[dict[str, Any]] = []
    for digest in settings.digests:
        last = last_edition(db, digest.name)
        zone = settings.digest_zone(digest)
        rows.append(
            {
                "digest": digest.name,
                "number": 1 if last is None else last[0] + 1,
                "articles": count_waiting(db, settings, digest, now),
                "due_at": boundary_after(parse_rule(digest.schedule), zone, now),
                "zone": zone,
            }
        )
    return rows


def warn_of_unserved(db: Database, room: "Runtime") -> None:
    """Who gets no mail because of what config.toml no longer has, whatever else a command says."""
    for one in unserved(db, room.settings, room.now(), newest=NEWEST):
        warn(f"{one.said} {one.advice}")
